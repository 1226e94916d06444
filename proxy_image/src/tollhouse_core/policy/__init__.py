"""Policies: compiled once, then judged as pure functions of operation, identity and time.

`compile` turns what people wrote into rules, `bundle` packs the rules of one Connection under a
content hash, `evaluate` answers for one operation. Nothing in here knows a protocol: what a
selector or a filter of a protocol means comes in as a `PolicyLanguage`. Nothing in here awaits,
reads a clock or touches the outside world.
"""

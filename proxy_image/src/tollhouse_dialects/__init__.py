"""What each protocol adds to the policy language, shared by operator and proxy.

A dialect knows its protocol's grammar (so parsers live here, each behind one seam) but no
socket and no server: it turns selectors and filters that people wrote into what the core's
policy engine matches. It stands on `tollhouse_core` alone.
"""

"""One package per protocol, each a stranger to the others, each with the same rooms.

`wire` (bytes to messages and back), `auth`, `classify` (message to Operation), `rewrite` and
`mask`, `refuse` (a denial in the protocol's own words), `conversation` (the state machine).
"""

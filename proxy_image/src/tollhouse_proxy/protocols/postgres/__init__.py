"""The PostgreSQL protocol: from a client's bytes to statements, verdicts, and back.

`wire` cuts bytes into messages; `auth` and `scram` log in to the backend; `sql` understands and rewrites
statements; `conversation` is the machine that ties them together; `refuse` says no in the protocol's own
words. Nothing here waits or opens anything (see `tollhouse_proxy.exchange`).

The way of a statement: `conversation` takes bytes -> `client_side` cuts messages and starts a task for each
(`simple`, `extended`) -> `upkeep` sees that catalog and settings are fresh -> `sql.understand` -> `ruling`
asks the judge -> `sql.rewrite` -> bytes to the backend and an entry in `ledger` -> backend bytes ->
`server_side` matches each reply with the ledger, checks and masks it -> client.
"""

"""The pure core: words, API types, policy engine, approvals and audit chain.

What belongs here: decisions and data that need no socket, clock, thread or file. Time and
randomness are passed in. What must not come here: asyncio, logging, HTTP, Kubernetes, SQL or
any other protocol's grammar (that is `tollhouse_dialects`). The operator and the proxy both
stand on this package and never on each other.
"""

"""A token the way a client takes it."""

from __future__ import annotations

import shlex

from tollhouse_core.secret import Secret

WAYS = ("psql", "pgpass", "service")


def fed(way: str, token: Secret) -> str:
    """Text for `eval` (psql), for a password file (pgpass), or for a service file (service)."""
    value = token.reveal()
    if way == "psql":
        return f"export PGPASSWORD={shlex.quote(value)}"
    if way == "pgpass":
        escaped = value.replace("\\", "\\\\").replace(":", "\\:")
        return f"*:*:*:*:{escaped}"
    return f"[tollhouse]\nuser=tollhouse\npassword={value}"

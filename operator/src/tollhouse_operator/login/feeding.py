"""A token the way a client takes it."""

from __future__ import annotations

import shlex

from tollhouse_core.secret import Secret

WAYS = ("psql", "pgpass", "service")
LONGEST_LINE = 1023
"""Bytes that libpq (18 still) reads of a service file's line."""


class CannotFeed(Exception):
    """The client would not read it; `str()` says what to do instead."""


def fed(way: str, token: Secret) -> str:
    """Text for `eval` (psql), for a password file (pgpass), or for a service file (service). Raises
    CannotFeed."""
    value = token.reveal()
    if way == "psql":
        return f"export PGPASSWORD={shlex.quote(value)}"
    if way == "pgpass":
        escaped = value.replace("\\", "\\\\").replace(":", "\\:")
        return f"*:*:*:*:{escaped}"
    if len(f"password={value}".encode()) > LONGEST_LINE:
        raise CannotFeed(
            f"libpq reads {LONGEST_LINE} bytes of a service file's line at most, and this token is longer: "
            "write it with --for pgpass --to FILE, and put passfile=FILE into the service file"
        )
    return f"[tollhouse]\nuser=tollhouse\npassword={value}"

"""A throw-away PostgreSQL made from a schema dump (`pg_dump -s`), so that statements can be explained without
the backend: the demo's embedded server reads the dump, and what reads it here is what would read it there.

The dump is parsed by PostgreSQL's grammar before psql gets it: a text that parses holds no psql commands.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tollhouse_dialects.postgres.parse import SqlSyntaxError, parse
from tollhouse_operator.standalone.embedded import EmbeddedFailed, Login, start_postgres

LARGEST_DUMP = 64 * 1024 * 1024
_META = re.compile(r"^\\(?:un)?restrict\b.*$", re.MULTILINE)
"""What pg_dump writes for psql itself."""
_NO_MATTER = re.compile(r'role "[^"]*" does not exist|unrecognized configuration parameter')
"""Owners, grants and settings change nothing of what a statement means here."""
ROLE = "explain"


@dataclass(frozen=True, slots=True)
class SchemaCopy:
    """Where it listens, what to log in with, and what of the dump could not be loaded."""

    port: int
    login: Login
    left_out: tuple[str, ...]


@asynccontextmanager
async def schema_copy(dump: Path, database: str, place: Path) -> AsyncIterator[SchemaCopy]:
    """A server for as long as it is needed; `place` is a folder for its notes. Raises EmbeddedFailed for a
    dump that is not SQL, OSError."""
    statements = readable(dump)
    server = await start_postgres(place / "postgres.log", place / "postgres.folder")
    try:
        login, errors = await server.load(database, statements, ROLE)
        yield SchemaCopy(server.port, login, tuple(one for one in errors if not _NO_MATTER.search(one)))
    finally:
        await server.stop()


def readable(dump: Path) -> str:
    """The statements of a dump, one behind the other. Raises EmbeddedFailed, OSError."""
    text = _META.sub("", dump.read_text())
    try:
        found = parse(text, LARGEST_DUMP)
    except SqlSyntaxError as error:
        line = "" if error.position is None else f" (line {text.count(chr(10), 0, error.position) + 1})"
        raise EmbeddedFailed(f"{dump}: {error}{line}; expected the plain text of pg_dump -s") from None
    raw = text.encode()
    return ";\n".join(raw[one.start : one.start + one.length].decode() for one in found) + ";\n"

"""Command tags: what a rule's `commands` can name.

The names are those PostgreSQL reports (src/include/tcop/cmdtaglist.h, versions 14 to 18) for what
is not an access to a table, and what the proxy calls such an access. A glob that matches none of
them would be a rule that never holds, most often a misspelt deny, so it is refused.
"""

from __future__ import annotations

import difflib
import re

from tollhouse_core.policy.globs import MAX_WILDCARDS, WILD, Segment


def _listed(text: str) -> list[str]:
    return [" ".join(item.split()) for item in text.split("|")]


_CREATED_ALTERED_DROPPED = _listed(
    """
    ACCESS METHOD | AGGREGATE | CAST | COLLATION | CONVERSION | DATABASE | DOMAIN | EVENT TRIGGER |
    EXTENSION | FOREIGN DATA WRAPPER | FOREIGN TABLE | FUNCTION | INDEX | LANGUAGE | MATERIALIZED
    VIEW | OPERATOR | OPERATOR CLASS | OPERATOR FAMILY | POLICY | PROCEDURE | PUBLICATION | ROLE |
    ROUTINE | RULE | SCHEMA | SEQUENCE | SERVER | STATISTICS | SUBSCRIPTION | TABLE | TABLESPACE |
    TEXT SEARCH CONFIGURATION | TEXT SEARCH DICTIONARY | TEXT SEARCH PARSER | TEXT SEARCH TEMPLATE |
    TRANSFORM | TRIGGER | TYPE | USER MAPPING | VIEW
    """
)
_OTHERS = _listed(
    """
    ALTER DEFAULT PRIVILEGES | ALTER LARGE OBJECT | ALTER SYSTEM | ANALYZE | CALL | CHECKPOINT | CLUSTER |
    COMMENT | COMMIT PREPARED | CREATE TABLE AS | DO | DROP OWNED | GRANT | GRANT ROLE |
    IMPORT FOREIGN SCHEMA | LISTEN | LOAD | LOCK TABLE | NOTIFY | PREPARE TRANSACTION | REASSIGN OWNED |
    REFRESH MATERIALIZED VIEW | REINDEX | REPACK | REVOKE | REVOKE ROLE | ROLLBACK PREPARED |
    SECURITY LABEL | SET | SET CONSTRAINTS | SET ROLE | SET SESSION AUTHORIZATION | UNLISTEN | VACUUM
    """
)

TAGS = frozenset(
    [f"{verb} {what}" for verb in ("CREATE", "ALTER", "DROP") for what in _CREATED_ALTERED_DROPPED] + _OTHERS
)

_PATTERN = re.compile(r"[A-Z*]+( [A-Z*]+)*")


class BadTag(Exception):
    """Not a glob on command tags; `str()` says why."""


def tag_glob(written: str) -> Segment:
    """A glob on command tags, in any case and spacing. Raises BadTag."""
    pattern = " ".join(written.upper().split())
    if not _PATTERN.fullmatch(pattern):
        raise BadTag(f'"{written}" must be words of a command and `*`, such as "DROP TABLE" or "CREATE *"')
    pieces = re.sub(r"\*+", "*", pattern).split("*")
    parts: list[str | None] = []
    for index, piece in enumerate(pieces):
        if index:
            parts.append(WILD)
        if piece:
            parts.append(piece)
    if parts.count(WILD) > MAX_WILDCARDS:
        raise BadTag(f'"{written}" has more than {MAX_WILDCARDS} wildcards')
    segment = Segment(tuple(parts))
    if not any(segment.matches(tag) for tag in TAGS):
        raise BadTag(f'no command is called "{written}"{_instead(pattern)}')
    return segment


_OTHER_NAMES = {
    "CREATE USER": "CREATE ROLE",
    "ALTER USER": "ALTER ROLE",
    "DROP USER": "DROP ROLE",
    "CREATE GROUP": "CREATE ROLE",
    "ALTER GROUP": "ALTER ROLE",
    "DROP GROUP": "DROP ROLE",
    "SELECT INTO": "CREATE TABLE AS",
    "CREATE TEMP TABLE": "CREATE TABLE",
    "CREATE TEMPORARY TABLE": "CREATE TABLE",
}
_ON_TABLES = frozenset(
    {"SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "TRUNCATE TABLE", "COPY", "MERGE", "EXPLAIN"}
)
_ALWAYS_ALLOWED = frozenset(
    {
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT",
        "SHOW",
        "RESET",
        "PREPARE",
        "EXECUTE",
        "DEALLOCATE",
        "DISCARD",
    }
)


def _instead(pattern: str) -> str:
    if pattern in _OTHER_NAMES:
        return f"; here it is called {_OTHER_NAMES[pattern]}"
    if pattern in _ON_TABLES:
        return "; it is judged by what it does with tables: write access with tables"
    if pattern in _ALWAYS_ALLOWED:
        return "; it is part of the session language, which needs no rule"
    close = difflib.get_close_matches(pattern, sorted(TAGS), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""

"""Command tags: what a rule's `commands` can name.

The names are those PostgreSQL reports (src/include/tcop/cmdtaglist.h, versions 14 to 18) for what
is not an access to a table, and a few the proxy makes finer. A glob that matches none of them
would be a rule that never holds, most often a misspelt deny, so it is refused.
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
    TRANSFORM | TRIGGER | TYPE | USER MAPPING | VIEW | CONSTRAINT
    """
)
_OTHERS = _listed(
    """
    ALTER DEFAULT PRIVILEGES | ALTER LARGE OBJECT | ALTER SYSTEM | ANALYZE | CALL | CHECKPOINT |
    CLUSTER | COMMENT | COPY | CREATE TABLE AS | CREATE USER | ALTER USER | DROP USER | CREATE GROUP
    | ALTER GROUP | DROP GROUP | CREATE TEMPORARY TABLE | CREATE TEMPORARY TABLE AS | CREATE
    TEMPORARY VIEW | CREATE TEMPORARY SEQUENCE | DO | DROP OWNED | EXPLAIN | GRANT | GRANT ROLE |
    IMPORT FOREIGN SCHEMA | LISTEN | LOAD | LOCK TABLE | MERGE | NOTIFY | PREPARE TRANSACTION |
    COMMIT PREPARED | ROLLBACK PREPARED | REASSIGN OWNED | REFRESH MATERIALIZED VIEW | REINDEX |
    REVOKE | REVOKE ROLE | SECURITY LABEL | SELECT INTO | SET | RESET | SHOW | SET ROLE | SET
    SESSION AUTHORIZATION | SET CONSTRAINTS | TRUNCATE TABLE | UNLISTEN | VACUUM
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
        close = difflib.get_close_matches(pattern, sorted(TAGS), n=1, cutoff=0.6)
        ask = f"; did you mean {close[0]}?" if close else ""
        raise BadTag(f'no command is called "{written}"{ask}{_instead(pattern)}')
    return segment


def _instead(pattern: str) -> str:
    if pattern in {"SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"}:
        return f"; for tables write access: [{pattern.capitalize()}] with tables"
    return ""

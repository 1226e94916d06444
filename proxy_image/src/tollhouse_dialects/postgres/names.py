"""Names and globs as people write them in policies, read as the server reads names in SQL.

An unquoted name is folded to lower case (ASCII letters only, as PostgreSQL does it in UTF-8), a
quoted one is taken as it is; both are cut to 63 bytes (NAMEDATALEN - 1), at a character. `*` in an
unquoted segment is a wildcard; in a quoted one it is a character.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tollhouse_core.policy.globs import ANYTHING, MAX_WILDCARDS, WILD, PathGlob, Segment, SegmentParts
from tollhouse_core.policy.language import Fault, NotCompiled

MAX_NAME_BYTES = 63

# Schemas of the server itself: no wildcard opens them, only a rule that spells them out.
RESERVED_SCHEMAS = (Segment(("pg_", WILD)), Segment(("information_schema",)))

# The session's own temporary tables: they hold only what the session itself put there. Those of other
# sessions are called pg_temp_3 and stay closed.
OPEN_SCHEMAS = frozenset({"pg_temp"})

_QUOTED = re.compile(r'"((?:[^"]|"")*)"')
_PLAIN = re.compile(r"[A-Za-z0-9_$*\u0080-\U0010ffff]+")
_ASCII_UPPER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


class BadName(Exception):
    """Not a name or glob; `str()` says what is wrong with it."""


def fold(name: str) -> str:
    """An unquoted identifier as the server stores it."""
    return truncate(name.translate(_ASCII_UPPER))


def truncate(name: str) -> str:
    """A name as the server cuts it: 63 bytes, no character in two."""
    raw = name.encode("utf-8", "surrogatepass")
    if len(raw) <= MAX_NAME_BYTES:
        return name
    return raw[:MAX_NAME_BYTES].decode("utf-8", "ignore")


def segments(pattern: str) -> tuple[Segment, ...]:
    """The segments of a pattern. Raises BadName."""
    found: list[Segment] = []
    at = 0
    while True:
        segment, at = _segment(pattern, at)
        found.append(segment)
        if at == len(pattern):
            return tuple(found)
        if pattern[at] != ".":
            raise BadName(
                f'unexpected {pattern[at]!r} in "{pattern}": a name with such characters is written '
                "in double quotes inside the YAML text, '\"like this\"'"
            )
        at += 1


def _segment(pattern: str, at: int) -> tuple[Segment, int]:
    quoted = _QUOTED.match(pattern, at)
    if quoted is not None:
        name = quoted[1].replace('""', '"')
        if not name or "\0" in name:
            raise BadName(f'an empty name in "{pattern}"')
        return Segment((truncate(name),)), quoted.end()
    plain = _PLAIN.match(pattern, at)
    if plain is None:
        if pattern[at : at + 1] == '"':
            raise BadName(f"the quoted name does not end in {pattern!r}")
        found = repr(pattern[at]) if at < len(pattern) else "the end"
        raise BadName(f'expected a name in "{pattern}", found {found}')
    return Segment(_parts(plain[0], pattern)), plain.end()


def _parts(text: str, pattern: str) -> SegmentParts:
    return _wild(text.translate(_ASCII_UPPER), pattern) if "*" in text else (fold(text),)


def _wild(text: str, pattern: str) -> SegmentParts:
    parts: list[str | None] = []
    for index, piece in enumerate(re.sub(r"\*+", "*", text).split("*")):
        if index:
            parts.append(WILD)
        if piece:
            parts.append(piece)
    if parts.count(WILD) > MAX_WILDCARDS:
        raise BadName(f'"{pattern}" has more than {MAX_WILDCARDS} wildcards in one segment')
    return tuple(parts)


def table_glob(pattern: str, default_schema: str) -> PathGlob:
    """`table`, `schema.table` or a bare `*`. Raises BadName. Also for functions."""
    if pattern == "*":
        return PathGlob(every=True, reserved=RESERVED_SCHEMAS, open_names=OPEN_SCHEMAS)
    found = segments(pattern)
    if len(found) > 2:
        raise BadName(
            f'"{pattern}" has {len(found)} parts: write schema.name (the database is the Connection\'s)'
        )
    if len(found) == 1:
        found = (Segment((default_schema,)), *found)
    return PathGlob(found, reserved=RESERVED_SCHEMAS, open_names=OPEN_SCHEMAS)


def column_glob(pattern: str, default_schema: str) -> PathGlob:
    """`table.column`, `schema.table.column` or a bare `*`. Raises BadName."""
    if pattern == "*":
        return PathGlob((ANYTHING, ANYTHING, ANYTHING), reserved=RESERVED_SCHEMAS, open_names=OPEN_SCHEMAS)
    found = segments(pattern)
    if len(found) not in {2, 3}:
        raise BadName(
            f'"{pattern}" must be table.column or schema.table.column (a `*` stays inside one part)'
        )
    if len(found) == 2:
        found = (Segment((default_schema,)), *found)
    return PathGlob(found, reserved=RESERVED_SCHEMAS, open_names=OPEN_SCHEMAS)


def table_globs(patterns: Sequence[str], default_schema: str, path: str = "") -> tuple[PathGlob, ...]:
    """All patterns of a list. Raises NotCompiled with every fault, at `path[index]`."""
    globs: list[PathGlob] = []
    faults: list[Fault] = []
    for index, pattern in enumerate(patterns):
        try:
            globs.append(table_glob(pattern, default_schema))
        except BadName as bad:
            faults.append(Fault(f"{path}[{index}]", str(bad)))
    if faults:
        raise NotCompiled(*faults)
    return tuple(globs)


def column_globs(patterns: Sequence[str], default_schema: str) -> tuple[PathGlob, ...]:
    """All patterns of a list. Raises NotCompiled with every fault, at `[index]`."""
    globs: list[PathGlob] = []
    faults: list[Fault] = []
    for index, pattern in enumerate(patterns):
        try:
            globs.append(column_glob(pattern, default_schema))
        except BadName as bad:
            faults.append(Fault(f"[{index}]", str(bad)))
    if faults:
        raise NotCompiled(*faults)
    return tuple(globs)


def role_globs(patterns: Sequence[str], path: str = "") -> tuple[PathGlob, ...]:
    """Globs on the names clients log in with: those are never folded or cut, and nothing is quoted.
    Raises NotCompiled with every fault, at `path[index]`."""
    globs: list[PathGlob] = []
    faults: list[Fault] = []
    for index, pattern in enumerate(patterns):
        try:
            globs.append(PathGlob((Segment(_wild(pattern, pattern)),)))
        except BadName as bad:
            faults.append(Fault(f"{path}[{index}]", str(bad)))
    if faults:
        raise NotCompiled(*faults)
    return tuple(globs)

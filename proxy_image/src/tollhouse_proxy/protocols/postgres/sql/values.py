"""A statement without its values: what a grant for "this statement with any values" compares.

Works on PostgreSQL's own canonical spelling only (what libpg_query writes), where strings are
quoted in one way, comments are gone and numbers stand alone.
"""

from __future__ import annotations

import re

from tollhouse_core.operation import Access, AccessKind

_PLAIN = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"})
_PIECE = re.compile(
    r"""
    (?P<name>"(?:[^"]|"")*" | [A-Za-z_\x80-\U0010ffff][\w$]*+(?!')) # names and keywords stay
  | (?P<text>[EBXN]?'(?:[^']|'')*')
  | (?P<parameter>\$\d+)
  | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
  | (?P<dollar>\$)
    """,
    re.VERBOSE,
)


def without_values(action: str, canonical: str, accesses: tuple[Access, ...]) -> str:
    """The statement with `'?'` for every text and `0` for every number; "" where its values may be
    more than data: anything but a plain statement, and calls of functions that need a rule."""
    if action not in _PLAIN or any(access.kind is not AccessKind.TABLE for access in accesses):
        return ""
    pieces: list[str] = []
    done = 0
    for found in _PIECE.finditer(canonical):
        kind = found.lastgroup
        if kind == "dollar":
            return ""
        if kind in ("text", "number"):
            pieces += canonical[done : found.start()], "'?'" if kind == "text" else "0"
            done = found.end()
    return "".join((*pieces, canonical[done:]))

"""Globs on names of several segments: `schema.table`, `schema.table.column`.

A pattern is one matcher per segment, so a `*` can never run over a dot. What a written pattern
means (quoting, folding, default schema) is the dialect's business; here is only how the compiled
form matches. Matching is exact on the folded name: the server's name, character by character.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tollhouse_core.operation import Path

WILD = None
"""Stands for one `*` in the parts of a segment."""

SegmentParts = tuple[str | None, ...]
"""Literal pieces and WILD, in order: ("analytics_", WILD)."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment of a pattern; without a WILD it is a literal name."""

    parts: SegmentParts
    _regex: re.Pattern[str] | None = field(init=False, repr=False, compare=False, default=None)
    _literal: str | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        if WILD in self.parts:
            source = "".join("[\\s\\S]*" if part is WILD else re.escape(part) for part in _squeezed(self.parts))
            object.__setattr__(self, "_regex", re.compile(source))
        else:
            object.__setattr__(self, "_literal", "".join(part for part in self.parts if part is not None))

    @property
    def literal(self) -> str | None:
        """The exact name it stands for; None if it has a wildcard."""
        return self._literal

    def matches(self, name: str) -> bool:
        """Whether the whole name matches."""
        if self._regex is None:
            return name == self._literal
        return self._regex.fullmatch(name) is not None


def _squeezed(parts: SegmentParts) -> list[str | None]:
    """Neighbouring wildcards are one: more would only cost time (backtracking)."""
    squeezed: list[str | None] = []
    for part in parts:
        if part is WILD and squeezed and squeezed[-1] is WILD:
            continue
        squeezed.append(part)
    return squeezed


MAX_WILDCARDS = 4
"""In one segment: bounds what matching a hostile name can cost (names have 63 bytes at most)."""

ANYTHING = Segment((WILD,))


@dataclass(frozen=True, slots=True)
class PathGlob:
    """A pattern for a whole path; `every` is the bare `*` that matches a path of any length."""

    segments: tuple[Segment, ...] = ()
    every: bool = False
    text: str = ""

    def matches(self, path: Path) -> bool:
        """Whether every segment matches; lengths must be equal."""
        if self.every:
            return bool(path)
        if len(path) != len(self.segments):
            return False
        return all(segment.matches(name) for segment, name in zip(self.segments, path, strict=True))

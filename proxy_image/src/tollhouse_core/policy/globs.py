"""Globs on names of several segments: `schema.table`, `schema.table.column`.

A pattern is one matcher per segment, so a `*` can never run over a dot. What a written pattern
means (quoting, folding, default schema) is the dialect's business; here is only how the compiled
form matches. Matching is exact on the folded name: the server's name, character by character.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from tollhouse_core.operation import Path

WILD = None
"""Stands for one `*` in the parts of a segment."""

SegmentParts = tuple[str | None, ...]
"""Literal pieces and WILD, in order: ("analytics_", WILD)."""

MAX_WILDCARDS = 4
"""In one segment: bounds what matching a hostile name can cost."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment of a pattern; without a WILD it is a literal name."""

    parts: SegmentParts
    literal: str | None = field(init=False, repr=False, compare=False)
    """The exact name it stands for; None if it has a wildcard."""
    _regex: re.Pattern[str] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        wild = WILD in self.parts
        literal = None if wild else "".join(part for part in self.parts if part is not None)
        object.__setattr__(self, "literal", literal)
        object.__setattr__(self, "_regex", _regex(self.parts) if wild else None)

    def matches(self, name: str) -> bool:
        """Whether the whole name matches."""
        if self._regex is None:
            return name == self.literal
        return self._regex.fullmatch(name) is not None


@lru_cache(maxsize=4096)
def _regex(parts: SegmentParts) -> re.Pattern[str]:
    # Neighbouring wildcards are one: more would only cost time.
    source = "".join(r"[\s\S]*" if part is WILD else re.escape(part) for part in _squeezed(parts))
    return re.compile(source)


def _squeezed(parts: SegmentParts) -> SegmentParts:
    kept = [
        part
        for index, part in enumerate(parts)
        if part is not WILD or index == 0 or parts[index - 1] is not WILD
    ]
    return tuple(kept)


ANYTHING = Segment((WILD,))


@dataclass(frozen=True, slots=True)
class PathGlob:
    """A pattern for a whole path.

    `every` is the bare `*`: any path, of any length. `reserved` are outermost names (a server's
    own schemas) that no wildcard grants: only a pattern that spells the name out does; `open_names`
    are those that a wildcard grants all the same.
    """

    segments: tuple[Segment, ...] = ()
    every: bool = False
    reserved: tuple[Segment, ...] = field(default=(), repr=False)
    open_names: frozenset[str] = field(default=frozenset(), repr=False)

    def matches(self, path: Path) -> bool:
        """Whether every segment matches; lengths must be equal. What a rule binds."""
        if self.every:
            return bool(path)
        if len(path) != len(self.segments):
            return False
        return all(segment.matches(name) for segment, name in zip(self.segments, path, strict=True))

    def last_of(self, path: Path) -> Segment | None:
        """What the member of a resource `path` must match; None where no member of it can."""
        if self.every:
            return ANYTHING
        if len(path) + 1 != len(self.segments):
            return None
        fits = all(segment.matches(name) for segment, name in zip(self.segments, path, strict=False))
        return self.segments[-1] if fits else None

    def grants(self, path: Path) -> bool:
        """Whether it matches and may open that path. What an allow opens."""
        if not self.matches(path):
            return False
        spelled = not self.every and self.segments[0].literal is not None
        if spelled or path[0] in self.open_names:
            return True
        return not any(name.matches(path[0]) for name in self.reserved)

"""What one session of a proxy has seen of the catalog, for the others: they need not look themselves.

A sighting is as good as a look of one's own where it is of the same server and database, was begun within
the same second and by a session that had changed nothing, and where nothing has moved since. What it does
not tell is what a session has of its own: its settings, its temporary objects, what its open transaction
has done.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from tollhouse_proxy.protocols.postgres.sql.signs import Signs

_KEPT = 64
_GOLDEN = 0.6180339887498949


@dataclass(frozen=True, slots=True)
class Sighting:
    """`at`: when it was asked for, in the clock's monotonic seconds. `generation`: the shelf's, then."""

    signs: Signs
    at: float
    generation: int


class Sightings:
    """The last one of each server and database."""

    def __init__(self) -> None:
        self._last: OrderedDict[tuple[str, str], Sighting] = OrderedDict()
        self._sessions = 0

    def share(self) -> float:
        """0 to 1, another one for each session and evenly spread: with it each finds a sighting old in its
        own time, so that one looks anew for all and not all at once."""
        self._sessions += 1
        return self._sessions * _GOLDEN % 1

    def put(self, database: str, seen: Sighting) -> None:
        """A session has seen it; one that was asked for earlier is worth less."""
        place = database, seen.signs.server
        before = self._last.get(place)
        if before is None or before.at <= seen.at:
            self._last[place] = seen
            self._last.move_to_end(place)
        while len(self._last) > _KEPT:
            self._last.popitem(last=False)

    def of(self, database: str) -> bool:
        """Whether there is any."""
        return any(seen_of == database for seen_of, _ in self._last)

    def same(self, database: str, server: str, snapshot: str) -> Sighting | None:
        """One by the very snapshot that a session has now, however long ago: nothing has been committed in
        between."""
        seen = self._last.get((database, server))
        return seen if seen is not None and seen.signs.snapshot == snapshot else None

    def after(self, moment: float, database: str, server: str, generation: int) -> Sighting | None:
        """One that was asked for after `moment` and in that generation; None where there is none."""
        seen = self._last.get((database, server))
        if seen is None or seen.at <= moment or seen.generation != generation:
            return None
        return seen

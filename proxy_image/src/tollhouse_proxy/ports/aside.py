"""Work that would hold up the loop, done in a process of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Protocol


class AsideFailed(Exception):
    """The work was not done. `str()` is safe for a client.

    AsideFailed
    +-- TooHard   the process was ended: the work took too much time or memory
    +-- Crowded   too much waits already: try again
    """


class TooHard(AsideFailed):
    """See AsideFailed."""


class Crowded(AsideFailed):
    """See AsideFailed."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What many requests stand on, so that it is handed over once. `key` names it for good; `pieces` makes
    its bytes, each piece small enough to be made between two turns of the loop."""

    key: str
    pieces: Callable[[], Iterable[bytes]]


class Aside(Protocol):
    """Hands requests to a process of its own; answers come from where nothing is trusted."""

    def ask(self, request: bytes, shared: Shared, *, patient: bool = False) -> Awaitable[bytes]:
        """The answer. Raises AsideFailed. Whoever stops waiting stops nothing else. `patient` requests wait
        however many wait already, and are never Crowded: for what cannot be tried again."""
        ...

"""How much one identity may ask of people at once.

A request that nobody holds (FailFast) costs an agent nothing, and every new literal makes another
one: without a bound, a loop in an agent fills the API server's store and buries the one request
that matters.
"""

from __future__ import annotations

from datetime import datetime

MOST_OPEN = 64
"""Requests of one identity, made by this proxy, that may be open at the same time."""

Owner = tuple[str, str]
"""Provider and name of an identity."""


class Asking:
    """Counts open requests by who asks. What has expired is no longer open."""

    def __init__(self, most: int = MOST_OPEN) -> None:
        self._most = most
        self._open: dict[Owner, dict[str, datetime]] = {}

    def wait_until(self, owner: Owner, now: datetime) -> datetime | None:
        """None when another request may be made; else when the first of the open ones ends."""
        mine = {name: end for name, end in self._open.get(owner, {}).items() if end > now}
        if mine:
            self._open[owner] = mine
        else:
            self._open.pop(owner, None)
        return min(mine.values()) if len(mine) >= self._most else None

    def made(self, owner: Owner, name: str, end: datetime) -> None:
        """A request was made; it ends by itself at `end`."""
        self._open.setdefault(owner, {})[name] = end

    def ended(self, owner: Owner, name: str) -> None:
        """A request needs nobody any more."""
        mine = self._open.get(owner)
        if mine is not None:
            mine.pop(name, None)
            if not mine:
                del self._open[owner]

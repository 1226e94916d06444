"""Catalog snapshots that sessions of one proxy share.

A snapshot is found by what the backend said of itself: database, the session's own row (role, path,
temporary schema) and the fingerprint. Sessions that see the same catalog share one.

`generation` moves whenever some session may have changed the catalog for all: what a session knows from a
generation before must be looked at again.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from tollhouse_proxy.protocols.postgres.sightings import Sightings

Key = tuple[str, str, str]
_KEPT = 16


class CatalogShelf:
    """The snapshots used last."""

    def __init__(self) -> None:
        self._found: OrderedDict[Key, Any] = OrderedDict()
        self._newest: OrderedDict[str, Any] = OrderedDict()
        self.sightings = Sightings()
        self.generation = 0

    def moved(self) -> None:
        """A session has sent, completed or committed what changes the catalog."""
        self.generation += 1

    def get(self, key: Key) -> Any | None:
        """A snapshot; None when it must be read."""
        found = self._found.get(key)
        if found is not None:
            self._found.move_to_end(key)
        return found

    def put(self, key: Key, catalog: Any) -> None:
        """Keeps a snapshot; the one not used for longest goes."""
        self._found[key] = catalog
        while len(self._found) > _KEPT:
            self._found.popitem(last=False)

    def remember(self, database: str, base: Any) -> None:
        """A snapshot that newer ones of that database may be read from."""
        self._newest[database] = base
        self._newest.move_to_end(database)
        while len(self._newest) > _KEPT:
            self._newest.popitem(last=False)

    def newest(self, database: str) -> Any | None:
        """What was remembered last; None where nothing was."""
        return self._newest.get(database)

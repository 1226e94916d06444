"""Whose statement a cancel request stops.

A client is given its backend's real process id (it may compare it with NotificationResponse's) and a key
of our own. Nothing is answered to a cancel, whether its key was right or not.

Before protocol 3.2 a key has 32 bits. Who has been wrong too often is not listened to for a while, right or
wrong: at MAX_MISSES in MISSES_SECONDS, trying them all takes centuries.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from typing import Protocol

from tollhouse_proxy.exchange import Promise

MAX_MISSES = 10
MISSES_SECONDS = 10.0
_HOSTS = 1024
"""How many hosts' misses are remembered; the one heard least lately is forgotten."""


class Cancellable(Protocol):
    """A session that can be told to stop what it does."""

    def cancel(self) -> Promise | None:
        """The client asks for it. What is returned is given when it has been dealt with."""
        ...


class CancelRegistry:
    """The sessions of this proxy by process id; backends of several servers may share one."""

    def __init__(self) -> None:
        self._sessions: dict[int, list[tuple[bytes, Cancellable]]] = {}
        self._misses: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def enter(self, pid: int, key: bytes, session: Cancellable) -> None:
        """A session begins."""
        self._sessions.setdefault(pid, []).append((key, session))

    def leave(self, pid: int, session: Cancellable) -> None:
        """A session ends."""
        left = [entry for entry in self._sessions.get(pid, ()) if entry[1] is not session]
        if left:
            self._sessions[pid] = left
        else:
            self._sessions.pop(pid, None)

    def find(self, pid: int, key: bytes, address: str, now: float) -> Cancellable | None:
        """The session that was given this very pair. `address` is who asks, `now` a monotonic clock's."""
        host = address.rpartition(":")[0]
        since, misses = self._misses.get(host, (now, 0))
        if now - since >= MISSES_SECONDS:
            since, misses = now, 0
        if misses >= MAX_MISSES:
            return None
        for given, session in self._sessions.get(pid, ()):
            if hmac.compare_digest(given, key):
                return session
        self._misses[host] = (since, misses + 1)
        self._misses.move_to_end(host)
        if len(self._misses) > _HOSTS:
            self._misses.popitem(last=False)
        return None

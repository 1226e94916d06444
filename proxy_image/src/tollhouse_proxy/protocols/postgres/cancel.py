"""Whose statement a cancel request stops.

A client is given its backend's real process id (it may compare it with NotificationResponse's) and a key
of our own. Nothing is answered to a cancel, whether its key was right or not.
"""

from __future__ import annotations

import hmac
from typing import Protocol


class Cancellable(Protocol):
    """A session that can be told to stop what it does."""

    def cancel(self) -> None:
        """The client asks for it."""
        ...


class CancelRegistry:
    """The sessions of this proxy by process id; backends of several servers may share one."""

    def __init__(self) -> None:
        self._sessions: dict[int, list[tuple[bytes, Cancellable]]] = {}

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

    def find(self, pid: int, key: bytes) -> Cancellable | None:
        """The session that was given this very pair."""
        for given, session in self._sessions.get(pid, ()):
            if hmac.compare_digest(given, key):
                return session
        return None

"""What is written down of every statement, up to the place where it waits for the thread that writes it.

An event is taken when it stands in the queue; whoever hands one over has it taken, or an exception. Nothing
else moves before: no number is used up by an event that was not taken.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Any

from tollhouse_core.audit.event import Brief, Event, Form


class Intake:
    """The queue between the loop, which hands events over, and one thread that takes them out.

    `failure`: why nothing may be taken now, "" when all is well; `closed`: nothing will be any more. `idle`:
    the thread sleeps until `wake` is called. `accepted` counts what was taken. `unavailable` makes the
    exception that says no.
    """

    __slots__ = ("accepted", "closed", "failure", "idle", "most", "queue", "unavailable", "wake")

    def __init__(
        self, most: int, unavailable: Callable[[str], Exception], wake: Callable[[], object]
    ) -> None:
        self.queue: deque[Event | Brief] = deque()
        self.most = most
        self.unavailable = unavailable
        self.wake = wake
        self.failure = ""
        self.closed = False
        self.idle = False
        self.accepted = 0

    def accept(self, event: Event | Brief) -> None:
        """Takes an event, or raises what `unavailable` makes."""
        if self.failure or self.closed:
            raise self.unavailable(self.failure or "the audit is closed")
        if len(self.queue) >= self.most:
            raise self.unavailable(f"the audit is behind by {len(self.queue)} events")
        self.queue.append(event)
        self.accepted += 1
        if self.idle:
            self.wake()


class Tally:
    """One session's numbers: `sequence` of its next event, `operation` of its next operation; `running` are
    those that have not ended: number -> (what its owner keeps with it, when it began)."""

    __slots__ = ("accept", "now", "operation", "running", "sequence", "session")

    def __init__(
        self, session: str, accept: Callable[[Event | Brief], None], now: Callable[[], datetime]
    ) -> None:
        self.session = session
        self.accept = accept
        self.now = now
        self.sequence = 0
        self.operation = 1
        self.running: dict[int, tuple[Any, float]] = {}

    def record(self, form: Form, own: tuple[object, ...]) -> None:
        """Hands over an event of a form."""
        number = self.sequence
        self.accept((form, self.session, number, self.now(), own))
        self.sequence = number + 1

    def begin(self, form: Form, own: tuple[object, ...], kept: object, at: float) -> int:
        """An operation begins (`at`, monotonic seconds), and its event is handed over: its number and what
        is its `own`. Returns the number."""
        number = self.operation
        self.record(form, (number, *own))
        self.operation = number + 1
        self.running[number] = (kept, at)
        return number

    def end(self, form: Form, number: int, own: tuple[object, ...], at: float) -> bool:
        """It has ended: its number, its `own` and how many milliseconds it took are handed over. False: it is
        not under way."""
        begun = self.running.pop(number, None)
        if begun is None:
            return False
        # To the microsecond; round() would cost as much as all the rest.
        self.record(form, (number, *own, int(max(at - begun[1], 0.0) * 1e6 + 0.5) / 1000))
        return True

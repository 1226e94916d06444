"""One session's chain of events: numbered without a gap, handed to the sink in order."""

from __future__ import annotations

from collections.abc import Mapping

from tollhouse_core.audit.event import Event, EventKind, Form
from tollhouse_core.clock import Clock
from tollhouse_proxy.ports.audit import AuditSink


class Journal:
    """Writes one session's events."""

    def __init__(self, session_id: str, sink: AuditSink, clock: Clock) -> None:
        self._session_id = session_id
        self._now = clock.now
        self._accept = sink.accept
        self._next = 0

    def write(self, kind: EventKind, data: Mapping[str, object]) -> None:
        """Hands one event to the sink. Raises AuditUnavailable; the number is then not used up."""
        self._accept(Event(kind, self._session_id, self._next, self._now(), data))
        self._next += 1

    def brief(self, form: Form, values: tuple[object, ...]) -> None:
        """The same for an event of a form."""
        number = self._next
        self._accept((form, self._session_id, number, self._now(), values))
        self._next = number + 1

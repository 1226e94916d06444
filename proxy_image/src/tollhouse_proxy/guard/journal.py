"""One session's chain of events: numbered without a gap, handed to the sink in order."""

from __future__ import annotations

from collections.abc import Mapping

from tollhouse_core.audit.event import Event, EventKind
from tollhouse_core.clock import Clock
from tollhouse_proxy.kits.kernel import Tally
from tollhouse_proxy.ports.audit import AuditSink


class Journal:
    """Writes one session's events; the plain ones are handed over by its `tally`."""

    def __init__(self, session_id: str, sink: AuditSink, clock: Clock) -> None:
        self.tally = Tally(session_id, sink.accept, clock.now)

    def write(self, kind: EventKind, data: Mapping[str, object]) -> None:
        """Hands one event to the sink. Raises AuditUnavailable; the number is then not used up."""
        tally = self.tally
        tally.accept(Event(kind, tally.session, tally.sequence, tally.now(), data))
        tally.sequence += 1

"""Where audit events go."""

from __future__ import annotations

from typing import Protocol

from tollhouse_core.audit.event import Brief, Event


class AuditUnavailable(Exception):
    """No sink can accept an event now; the operation must be refused."""


class AuditSink(Protocol):
    """Accepts events; an accepted event is not lost while the process lives.

    `accept` is synchronous and bounded in time: it queues. It raises AuditUnavailable when the
    queue is full or the sink behind it has failed (fail closed).
    """

    def accept(self, event: Event | Brief) -> None:
        """Takes the event, or raises AuditUnavailable."""
        ...

    async def flush(self) -> None:
        """Returns when all that was accepted is written (and synced where the sink says so)."""
        ...

    async def close(self) -> None:
        """Flushes and ends the sink."""
        ...

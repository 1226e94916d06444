"""The audit record.

Every session is a chain of Events: `sequence` counts from 0 without a gap, and each event is
sealed with the hash of the one before it (`tollhouse_core.audit.chain`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class EventKind(StrEnum):
    """What happened."""

    SESSION_OPENED = "SessionOpened"
    SESSION_REFUSED = "SessionRefused"
    OPERATION_DECIDED = "OperationDecided"
    OPERATION_COMPLETED = "OperationCompleted"
    APPROVAL_REQUESTED = "ApprovalRequested"
    APPROVAL_RESOLVED = "ApprovalResolved"
    SESSION_CLOSED = "SessionClosed"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened in a session.

    `data` holds plain JSON values: for SESSION_OPENED the identity, address, database and
    Connection; for OPERATION_DECIDED `operation` (id), `action`, `text`, `parameters`,
    `accesses`, `decision`, `policy`, `rule`, `revision`; for OPERATION_COMPLETED `operation`,
    `outcome`, `rows`, `bytes`, `durationMs`, `errorCode`; for SESSION_CLOSED `reason`.
    Values behind masks are never in it.
    """

    kind: EventKind
    session: str
    sequence: int
    time: datetime
    data: Mapping[str, object] = field(default_factory=dict)

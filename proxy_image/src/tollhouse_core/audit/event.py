"""The audit record.

Every session is a chain of Events: `sequence` counts from 0 without a gap, and each event is
sealed with the hash of the one before it (`tollhouse_core.audit.chain`).

An Event can be handed on as a Brief: a Form, which holds what many events have in common, and the
values that are this one's own. A Brief says exactly what its Event says, and costs a tuple.
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
    CREDENTIAL_REFUSED = "CredentialRefused"
    SESSION_CLOSED = "SessionClosed"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened in a session.

    `data` holds plain JSON values: for SESSION_OPENED the identity, address, database and
    Connection; for OPERATION_DECIDED `operation` (id), `action`, `text`, `parameters`,
    `accesses`, `decision`, `policy`, `rule`, `revision`; for OPERATION_COMPLETED `operation`,
    `outcome`, `rows`, `bytes`, `durationMs`, `errorCode`; for CREDENTIAL_REFUSED `code`, the
    backend's own, and `fetchedAnew`; for SESSION_CLOSED `reason`.
    Values behind masks are never in it.
    """

    kind: EventKind
    session: str
    sequence: int
    time: datetime
    data: Mapping[str, object] = field(default_factory=dict)


class Form:
    """The data of events that differ in a few values only: (name, value) in their order, PLACE where an
    event's own value stands. `laid` is the encoder's own: the constant parts, encoded once."""

    __slots__ = ("encoded_kind", "fields", "kind", "laid")

    def __init__(self, kind: EventKind, fields: tuple[tuple[str, object], ...]) -> None:
        self.kind = kind
        self.encoded_kind = kind.encode()
        self.fields = fields
        self.laid: tuple[object, bytes, tuple[bytes, ...] | None] | None = None


PLACE = object()
"""Stands in a Form where a value of the event's own goes."""

Brief = tuple[Form, str, int, datetime, tuple[object, ...]]
"""(form, session, sequence, time, own values in the order of their places)."""


def event_of(brief: Brief) -> Event:
    """What a Brief says, in full."""
    form, session, sequence, time, values = brief
    own = iter(values)
    data = {name: next(own) if value is PLACE else value for name, value in form.fields}
    return Event(form.kind, session, sequence, time, data)

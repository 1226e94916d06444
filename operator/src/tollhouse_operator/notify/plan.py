"""What is still to be told about a request, to whom, and when to try again. Pure.

What was told is kept in the request's own status, so an operator that starts anew goes on where the
other stopped. A message may arrive twice (the one that was sent and not written down); never is one
lost while the request is there and an hour has not passed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from tollhouse_core.api.approval_request import (
    ApprovalRequest,
    NotificationRecord,
    NotificationState,
    Phase,
)
from tollhouse_core.api.notifying import Notify, NotifyOn
from tollhouse_core.approvals.tally import tally

FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 300.0
GIVE_UP = timedelta(hours=1)

_MOMENTS = {
    Phase.APPROVED: NotifyOn.APPROVED,
    Phase.DENIED: NotifyOn.DENIED,
    Phase.EXPIRED: NotifyOn.EXPIRED,
    Phase.USED: NotifyOn.USED,
    Phase.WITHDRAWN: NotifyOn.WITHDRAWN,
}


@dataclass(frozen=True, slots=True)
class Due:
    """Something to send now. `record` is what is known of earlier attempts."""

    receiver: Notify
    name: str
    moment: NotifyOn
    words: str
    record: NotificationRecord


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send now, and in how many seconds to look again (None: nothing is left)."""

    due: tuple[Due, ...]
    again_seconds: float | None


def receivers(connection: Iterable[Notify], policy: Iterable[Notify]) -> dict[str, Notify]:
    """Both lists under names that cannot meet: `connection/ops`, `policy/ops`."""
    found = {f"connection/{one.name}": one for one in connection}
    return found | {f"policy/{one.name}": one for one in policy}


def plan(request: ApprovalRequest, told: Mapping[str, Notify], now: datetime) -> Plan:
    """What stands now is told; what has been overtaken meanwhile is not."""
    standing = tally(request, now)
    records = {(record.receiver, record.event): record for record in request.status.notifications}
    moments = _moments(request, standing.phase, now)
    due: list[Due] = []
    waits: list[float] = []
    for name, receiver in told.items():
        for moment in moments:
            if moment not in receiver.on:
                continue
            record = records.get((name, moment)) or NotificationRecord(
                receiver=name, event=moment, first_at=now, next_at=now
            )
            if record.state is not NotificationState.PENDING:
                continue
            left = (record.next_at - now).total_seconds() if record.next_at is not None else 0.0
            if left > 0:
                waits.append(left)
            else:
                due.append(Due(receiver, name, moment, standing.message, record))
    return Plan(tuple(due), min(waits) if waits else None)


def _moments(request: ApprovalRequest, phase: Phase, now: datetime) -> list[NotifyOn]:
    if phase is not Phase.PENDING:
        return [_MOMENTS[phase]]
    created = request.metadata.creation_timestamp
    escalated = created is not None and any(
        now >= created + timedelta(seconds=step.after.seconds) for step in request.spec.escalation
    )
    return [NotifyOn.REQUESTED, NotifyOn.ESCALATED] if escalated else [NotifyOn.REQUESTED]


def after(record: NotificationRecord, problem: str, now: datetime) -> NotificationRecord:
    """The record after an attempt; `problem` is "" for one that was taken."""
    update: dict[str, object] = {"attempts": record.attempts + 1, "next_at": None, "problem": None}
    if not problem:
        return record.model_copy(update={**update, "state": NotificationState.DELIVERED})
    update["problem"] = problem[:256]
    if now - record.first_at >= GIVE_UP:
        return record.model_copy(update={**update, "state": NotificationState.GIVEN_UP})
    pause = min(FIRST_RETRY_SECONDS * 2.0 ** min(record.attempts, 16), LONGEST_RETRY_SECONDS)
    return record.model_copy(update={**update, "next_at": now + timedelta(seconds=pause)})

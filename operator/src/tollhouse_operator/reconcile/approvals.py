"""An ApprovalRequest's status, its end by time, and its removal when nobody needs it any more.

What is written here is for people and for the API server's fence. It opens nothing: the proxy
tallies the votes itself before it runs the operation.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from tollhouse_core.api import InvalidObject, parse_object
from tollhouse_core.api.approval_request import ApprovalRequest, Phase
from tollhouse_core.approvals.tally import Tally, describe, next_deadline, tally
from tollhouse_operator import resources
from tollhouse_operator.cluster import Conflict, Missing
from tollhouse_operator.compiling import Key
from tollhouse_operator.manifests.naming import Manifest
from tollhouse_operator.reconcile.desk import Desk

log = logging.getLogger(__name__)

ENDED = frozenset({Phase.DENIED, Phase.EXPIRED, Phase.USED, Phase.WITHDRAWN})
_AGAIN_SECONDS = 0.05
_SHORTEST_SECONDS = 1.0
_EVENTS = {
    Phase.APPROVED: ("Approved", False),
    Phase.DENIED: ("Denied", True),
    Phase.EXPIRED: ("Expired", True),
    Phase.USED: ("Used", False),
    Phase.WITHDRAWN: ("Withdrawn", False),
}


async def reconcile_approval(desk: Desk, key: Key) -> float | None:
    """Returns after how many seconds time alone may change something. Raises ClusterError."""
    namespace, name = key
    document = await desk.cluster.find(resources.APPROVAL_REQUESTS, namespace, name)
    if document is None or document["metadata"].get("deletionTimestamp"):
        return None
    try:
        request = parse_object(document)
    except InvalidObject as error:
        log.warning("a request cannot be read: %s", error)
        return None
    assert isinstance(request, ApprovalRequest)
    now = desk.now()
    standing = tally(request, now)
    if standing.phase is Phase.PENDING and await _holder_is_gone(desk, request):
        standing = Tally(Phase.WITHDRAWN, "the proxy that held the operation is gone", votes=standing.votes)
    if standing.phase in ENDED:
        left = _time_left(request, desk.settings.request_ttl_seconds, now)
        if left <= 0:
            await desk.cluster.delete(
                resources.APPROVAL_REQUESTS, namespace, name, request.metadata.uid or ""
            )
            return None
    if not await _write(desk, document, request, standing, now):
        return _AGAIN_SECONDS
    if standing.phase in ENDED:
        return left
    return max((next_deadline(request, now) - now).total_seconds() + _AGAIN_SECONDS, _SHORTEST_SECONDS)


async def _holder_is_gone(desk: Desk, request: ApprovalRequest) -> bool:
    """Whether the operation waited in a pod that is no more: then nothing is left to approve. Proxies
    that are no pods of ours are not judged by their names."""
    instance = request.spec.instance
    if instance is None or not instance.startswith(f"{request.spec.connection}-proxy-"):
        return False
    return await desk.cluster.find(resources.PODS, request.namespace, instance) is None


async def _write(
    desk: Desk, document: Manifest, request: ApprovalRequest, standing: Tally, now: datetime
) -> bool:
    """False: the request has changed since it was read."""
    before: dict[str, Any] = document.get("status") or {}
    status = status_of(request, standing, before, now)
    if all(before.get(field) == value for field, value in status.items()):
        return True
    metadata = document["metadata"]
    body = {"metadata": {"resourceVersion": metadata["resourceVersion"]}, "status": status}
    try:
        await desk.cluster.merge(
            resources.APPROVAL_REQUESTS, metadata["namespace"], metadata["name"], body, "status"
        )
    except Conflict:
        return False
    except Missing:
        return True
    await _tell(desk, document, request, standing, before, now)
    return True


def status_of(
    request: ApprovalRequest, standing: Tally, before: dict[str, Any], now: datetime
) -> dict[str, Any]:
    """The fields to write."""
    status: dict[str, Any] = {
        "phase": standing.phase.value,
        "message": standing.message[:1024],
        "votes": standing.votes,
        "observedGeneration": request.metadata.generation,
        "conditions": _conditions(request, standing, before, now),
    }
    if standing.phase is not Phase.PENDING:
        status["resolvedAt"] = before.get("resolvedAt") or _stamp(now)
    return status


def escalated_to(request: ApprovalRequest, now: datetime) -> tuple[str, ...]:
    """Who may vote by now because the request has waited: in words, in order of time."""
    created = request.metadata.creation_timestamp
    if created is None:
        return ()
    reached = [
        step for step in request.spec.escalation if now >= created + timedelta(seconds=step.after.seconds)
    ]
    return tuple(dict.fromkeys(describe(entry) for step in reached for entry in step.approvers))


def _conditions(
    request: ApprovalRequest, standing: Tally, before: dict[str, Any], now: datetime
) -> list[dict[str, Any]]:
    decided = standing.phase is not Phase.PENDING
    wanted = [("Decided", decided, standing.phase.value, standing.message)]
    escalated = escalated_to(request, now)
    known = {condition.get("type"): condition for condition in before.get("conditions") or ()}
    if "Escalated" in known:
        wanted.append(("Escalated", True, "Waited", str(known["Escalated"].get("message", ""))))
    if escalated and not decided:
        wanted[1:] = [("Escalated", True, "Waited", f"may vote as well: {' and '.join(escalated)}")]
    written = []
    for kind, holds, reason, message in wanted:
        value = "True" if holds else "False"
        old = known.get(kind)
        since = old.get("lastTransitionTime") if old is not None and old.get("status") == value else None
        written.append(
            {
                "type": kind,
                "status": value,
                "reason": reason,
                "message": message,
                "lastTransitionTime": since or _stamp(now),
            }
        )
    return written


async def _tell(
    desk: Desk,
    document: Manifest,
    request: ApprovalRequest,
    standing: Tally,
    before: dict[str, Any],
    now: datetime,
) -> None:
    if not before.get("conditions") and standing.phase is Phase.PENDING:
        asked = f"{request.spec.requester.name} asks: {request.spec.operation.text[:600]}; {standing.message}"
        await desk.teller.tell(document, "WaitsForApproval", asked, now)
    elif standing.phase.value != before.get("phase", "Pending") and standing.phase in _EVENTS:
        reason, warning = _EVENTS[standing.phase]
        await desk.teller.tell(document, reason, standing.message, now, warning=warning)
    escalated = escalated_to(request, now)
    told = {condition.get("type") for condition in before.get("conditions") or ()}
    if escalated and standing.phase is Phase.PENDING and "Escalated" not in told:
        words = f"nobody has decided yet; may vote as well: {' and '.join(escalated)}"
        await desk.teller.tell(document, "Escalated", words, now, warning=True)


def _time_left(request: ApprovalRequest, ttl_seconds: float, now: datetime) -> float:
    ended = request.status.resolved_at or request.spec.expires_at
    return (min(ended, now) + timedelta(seconds=ttl_seconds) - now).total_seconds()


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

"""Votes on API servers without MutatingAdmissionPolicy: stamped or refused by us. Pure.

The chart's admission policies say the same inside newer API servers; one table of cases in the
tests tries both.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tollhouse_core.api import InvalidObject, parse_object, to_document
from tollhouse_core.api.approval_request import ApprovalRequest, Phase
from tollhouse_core.approvals.admission import NotAdmitted, admit, admit_new
from tollhouse_operator.admission.answer import ALLOWED, Answer, Request
from tollhouse_operator.statuses import listed

_ENDED = frozenset({Phase.DENIED, Phase.EXPIRED, Phase.USED, Phase.WITHDRAWN})
_KEPT = ("labels", "annotations", "ownerReferences")
METADATA_STAYS = (
    "labels, annotations, owners and finalizers of a request stay as its proxy made them: "
    "write spec.decision, Approved or Denied, and spec.reason"
)


def judge_votes(request: Request, operator: str, now: datetime) -> Answer:
    """`operator`: the operator's own user name."""
    if request.new is None:
        return ALLOWED
    try:
        new = _parse(request, request.new)
        old = _parse(request, request.old) if request.old is not None else None
    except InvalidObject as error:
        return Answer(False, listed(error.problems))
    # Of a change to the status the new object's spec is the caller's word, thrown away only later.
    asked = old or new
    proxy = f"system:serviceaccount:{request.namespace}:{asked.spec.connection}-proxy"
    if request.sub_resource == "status":
        return _judge_status(request, old, new, {proxy, operator})
    if old is None:
        if request.user != proxy:
            return Answer(
                False,
                f"approval requests are made by proxies: {request.user} is not the proxy of "
                f"Connection {new.spec.connection}",
            )
        refused = admit_new(new)
        return Answer(False, refused.sentence) if refused is not None else ALLOWED
    if not _metadata_stays(request.old, request.new):
        return Answer(False, METADATA_STAYS)
    admitted = admit(old, new, request.user, request.groups, now)
    if isinstance(admitted, NotAdmitted):
        return Answer(False, admitted.sentence)
    return Answer(True, patch=_patch(new, admitted))


def _judge_status(
    request: Request, old: ApprovalRequest | None, new: ApprovalRequest, writers: set[str]
) -> Answer:
    if request.user not in writers:
        return Answer(
            False, f"the status of a request is written by its proxy and the operator, not by {request.user}"
        )
    if old is not None and old.status.phase in _ENDED and new.status.phase is not old.status.phase:
        ended = old.status.phase.value
        return Answer(False, f"the request is {ended}, and stays so: a new one must be asked for")
    return ALLOWED


def _metadata_stays(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> bool:
    """Proxies find their requests by labels, an owner's end takes a request along, a finalizer keeps it
    for ever: one that is there may be taken away, by the garbage collector for one."""
    before, after = (old or {}).get("metadata") or {}, new.get("metadata") or {}
    if any((before.get(name) or None) != (after.get(name) or None) for name in _KEPT):
        return False
    return set(after.get("finalizers") or ()) <= set(before.get("finalizers") or ())


def _patch(new: ApprovalRequest, admitted: ApprovalRequest) -> tuple[dict[str, Any], ...]:
    if admitted == new:
        return ()
    operations: list[dict[str, Any]] = [
        {"op": "add", "path": "/spec/votes", "value": to_document(admitted)["spec"]["votes"]}
    ]
    if new.spec.decision is not None:
        operations.append({"op": "remove", "path": "/spec/decision"})
    if new.spec.reason is not None:
        operations.append({"op": "remove", "path": "/spec/reason"})
    return tuple(operations)


def _parse(request: Request, document: Any) -> ApprovalRequest:
    metadata = {"namespace": request.namespace, **document.get("metadata", {})}
    parsed = parse_object({**document, "metadata": metadata})
    assert isinstance(parsed, ApprovalRequest)
    return parsed

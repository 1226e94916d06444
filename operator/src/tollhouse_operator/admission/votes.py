"""Votes on API servers without MutatingAdmissionPolicy: stamped or refused by us. Pure.

The chart's admission policies say the same inside newer API servers; one table of cases in the
tests tries both.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tollhouse_core.api import InvalidObject, parse_object, to_document
from tollhouse_core.api.approval_request import ApprovalRequest
from tollhouse_core.approvals.admission import NotAdmitted, admit, admit_new
from tollhouse_operator.admission.answer import ALLOWED, Answer, Request
from tollhouse_operator.statuses import listed


def judge_votes(request: Request, operator: str, now: datetime) -> Answer:
    """`operator`: the operator's own user name."""
    if request.new is None:
        return ALLOWED
    try:
        new = _parse(request, request.new)
        old = _parse(request, request.old) if request.old is not None else None
    except InvalidObject as error:
        return Answer(False, listed(error.problems))
    proxy = f"system:serviceaccount:{request.namespace}:{new.spec.connection}-proxy"
    if request.sub_resource == "status":
        if request.user in {proxy, operator}:
            return ALLOWED
        return Answer(
            False, f"the status of a request is written by its proxy and the operator, not by {request.user}"
        )
    if old is None:
        if request.user != proxy:
            return Answer(
                False,
                f"approval requests are made by proxies: {request.user} is not the proxy of "
                f"Connection {new.spec.connection}",
            )
        refused = admit_new(new)
        return Answer(False, refused.sentence) if refused is not None else ALLOWED
    admitted = admit(old, new, request.user, request.groups, now)
    if isinstance(admitted, NotAdmitted):
        return Answer(False, admitted.sentence)
    return Answer(True, patch=_patch(new, admitted))


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

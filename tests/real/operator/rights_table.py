"""Who may do what to an ApprovalRequest: one cell for each who and each what, with the words of the refusal.

The request is asked by agents/triage on behalf of ann, needs one of the managers and carol, and bob has
voted. All who are people, and one ServiceAccount, hold the chart's approver role, so that admission
decides; eve holds nothing; machines of Tollhouse hold what the operator and the chart give them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from kit.asked import TRIAGE
from real.operator.callers import APPLY, JSON, JSON_PATCH, MERGE
from tollhouse_core.api.approval_request import ApprovalRequestSpec, ApprovalRequestStatus
from tollhouse_core.api.shape import wire_name

ROBOT = "system:serviceaccount:agents:robot"
OPERATOR = "system:serviceaccount:tollhouse-system:tollhouse-operator"
PASSES = ""
ON_BEHALF_OF_ANN = {
    "requester": {
        "name": TRIAGE,
        "provider": "kubernetes",
        "kubernetesUser": TRIAGE,
        "serviceAccount": {"namespace": "agents", "name": "triage"},
        "onBehalfOf": {"name": "ann@corp.example", "kubernetesUser": "ann"},
    },
    "approvers": [{"group": "managers", "count": 2}, {"user": "carol"}],
}


class Who(Enum):
    """Who calls; {me} in words is the user the API server knows that one by."""

    REQUESTER = "the requester"
    HUMAN = "the person the agent works for"
    APPROVER = "an approver"
    OTHER_APPROVER = "an approver of the other set"
    VOTED = "an approver who has voted"
    NO_APPROVER = "a person who is no approver"
    NOBODY = "a person without the role"
    PROXY = "its own proxy"
    OTHER_PROXY = "another Connection's proxy"
    OPERATOR = "the operator"
    ROBOT = "another ServiceAccount"
    ADMIN = "the admin"


PATCHERS = (
    Who.REQUESTER, Who.HUMAN, Who.APPROVER, Who.OTHER_APPROVER, Who.VOTED, Who.NO_APPROVER, Who.ROBOT,
    Who.ADMIN,
)  # fmt: skip

VOTING: Mapping[Who, str] = {
    Who.REQUESTER: "{me} is the requester, and nobody approves their own request",
    Who.HUMAN: "ann is the person this agent works for, and this rule does not let that person decide",
    Who.APPROVER: PASSES,
    Who.OTHER_APPROVER: PASSES,
    Who.VOTED: "bob has voted already, and a vote stays as it was cast",
    Who.NO_APPROVER: "mallory is not an approver of this request: it needs group managers or user carol",
    Who.ROBOT: "{me} is not an approver of this request: it needs group managers or user carol; "
    "a ServiceAccount counts only where a rule names it",
    Who.ADMIN: "admin is not an approver of this request: it needs group managers or user carol",
}
BY_HAND = (
    "spec.votes is written from the caller's proven name only, so nobody votes for somebody else: "
    "write spec.decision, Approved or Denied, and spec.reason"
)
KEPT = (
    "labels, annotations, owners and finalizers of a request stay as its proxy made them: "
    "write spec.decision, Approved or Denied, and spec.reason"
)
NOT_ITS_STATUS = "the status of a request is written by its proxy and the operator, not by {me}"
NOT_ITS_PROXY = "approval requests are made by proxies: {me} is not the proxy of Connection orders-db"
WITHOUT_THE_OPERATOR = 'failed calling webhook "votes.tollhouse.dev"'

RESTING_FIELDS: Mapping[str, Any] = {
    "connection": "billing-db",
    "instance": "orders-db-proxy-1",
    "session": "other",
    "requester": {"name": "mallory", "provider": "corp"},
    "operation": {"text": "DELETE FROM public.orders", "digest": "sha256:6666"},
    "effect": {"rows": 0},
    "policy": {"rule": "another"},
    "approvers": [{"group": "developers"}],
    "escalation": [{"after": "1s", "approvers": [{"group": "developers"}]}],
    "grant": {"for": "10m", "uses": 100},
    "credential": "eraser",
    "expiresAt": "2099-01-01T00:00:00Z",
}
STATUS_FIELDS: Mapping[str, Any] = {
    "phase": "Approved",
    "votes": "9/9",
    "message": "approved by everybody",
    "resolvedAt": "2020-01-01T00:00:00Z",
    "uses": 0,
    "firstUsedAt": "2020-01-01T00:00:00Z",
    "notifications": [],
    "conditions": [],
    "observedGeneration": 1,
}
assert set(RESTING_FIELDS) | {"decision", "reason", "votes"} == {
    wire_name(name) for name in ApprovalRequestSpec.model_fields
}
assert set(STATUS_FIELDS) == {wire_name(name) for name in ApprovalRequestStatus.model_fields}


@dataclass(frozen=True, slots=True)
class What:
    """One thing to try. `right` is what RBAC must give for it ("patch approvalrequests"), `able` who has it.

    says: the words for those who are able, the request being open; PASSES where there are none.
    ended: the same once it is Denied; None as before. body: of the call, from the object as it is.
    webhook: whether the operator's webhook is asked.
    """

    name: str
    verb: str
    right: str
    able: tuple[Who, ...]
    says: Mapping[Who, str] | str
    body: Callable[[Mapping[str, Any]], Any] | None = None
    kind: str = MERGE
    ended: Mapping[Who, str] | str | None = None
    webhook: bool = True

    def words(self, who: Who, ended: bool) -> str:
        """What `who` reads; PASSES if it is done."""
        if who not in self.able:
            verb, resource = self.right.split()
            return f'cannot {verb} resource "{resource}"'
        says = self.ended if ended and self.ended is not None else self.says
        return says if isinstance(says, str) else says.get(who, PASSES)


TOO_LATE = "it is too late to vote: the request is Denied (denied by alice: no)"
FINAL = "the request is Denied, and stays so: a new one must be asked for"
FORGED = {"by": "carol", "groups": [], "decision": "Approved"}
STATUS_WRITERS = {
    Who.PROXY: PASSES,
    Who.OPERATOR: PASSES,
    Who.OTHER_PROXY: NOT_ITS_STATUS,
    Who.ADMIN: NOT_ITS_STATUS,
}
STATUS_IS_FINAL = {**STATUS_WRITERS, Who.PROXY: FINAL, Who.OPERATOR: FINAL}
READERS = (*PATCHERS, Who.PROXY, Who.OTHER_PROXY, Who.OPERATOR)
MAKERS = (Who.PROXY, Who.OTHER_PROXY, Who.OPERATOR, Who.ADMIN)


def patching(name: str, body: Any, says: Mapping[Who, str] | str, **more: Any) -> What:
    """A patch of the request; `body` as it is."""
    return What(name, "PATCH", "patch approvalrequests", PATCHERS, says, lambda _: body, **more)


def _voting(name: str, **more: Any) -> What:
    return What(name, "PATCH", "patch approvalrequests", PATCHERS, VOTING, ended=TOO_LATE, **more)


def _whole(change: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], Any]:
    """The whole object as it is, with these fields of the spec."""
    return lambda it: {**it, "spec": {**it["spec"], **change}}


def _applied(it: Mapping[str, Any]) -> Any:
    names = {"name": it["metadata"]["name"], "namespace": it["metadata"]["namespace"]}
    kind = {"apiVersion": it["apiVersion"], "kind": it["kind"]}
    return {**kind, "metadata": names, "spec": {"decision": "Approved"}}


def _owned(it: Mapping[str, Any]) -> Any:
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "none", "uid": it["metadata"]["uid"]}
    return {"metadata": {"ownerReferences": [owner]}}


def _born(spec: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], Any]:
    return lambda it: {
        "apiVersion": it["apiVersion"],
        "kind": it["kind"],
        "metadata": {"generateName": "orders-db-", "namespace": it["metadata"]["namespace"]},
        "spec": {**{key: value for key, value in it["spec"].items() if key != "votes"}, **spec},
    }


def _making(name: str, spec: Mapping[str, Any], own: str) -> What:
    says = {**dict.fromkeys(MAKERS, NOT_ITS_PROXY), Who.PROXY: own}
    return What(name, "POST", "create approvalrequests", MAKERS, says, _born(spec), JSON)


def _status(name: str, body: Any, **more: Any) -> What:
    able = (Who.PROXY, Who.OTHER_PROXY, Who.OPERATOR, Who.ADMIN)
    right = "patch approvalrequests/status"
    return What(f"status: {name}", "PATCH", right, able, STATUS_WRITERS, lambda _: body, **more)


WHATS: tuple[What, ...] = (
    _voting("approving", body=lambda _: {"spec": {"decision": "Approved", "reason": "Ticket 4711"}}),
    _voting("denying", body=lambda _: {"spec": {"decision": "Denied"}}),
    _voting("approving by JSON patch", kind=JSON_PATCH,
            body=lambda _: [{"op": "add", "path": "/spec/decision", "value": "Approved"}]),
    _voting("approving by server-side apply", kind=APPLY, body=_applied),
    What("approving by replacing it", "PUT", "update approvalrequests", (Who.ADMIN,), VOTING,
         _whole({"decision": "Approved"}), JSON, ended=TOO_LATE),
    patching("a vote in somebody else's name", {"spec": {"votes": [FORGED]}}, BY_HAND),
    patching("another vote by hand", [{"op": "add", "path": "/spec/votes/-", "value": FORGED}], BY_HAND,
             kind=JSON_PATCH),
    patching("changing somebody's vote",
             [{"op": "replace", "path": "/spec/votes/0/decision", "value": "Denied"}], BY_HAND,
             kind=JSON_PATCH),
    patching("saying who voted otherwise",
             [{"op": "replace", "path": "/spec/votes/0/by", "value": "carol"}], BY_HAND, kind=JSON_PATCH),
    patching("taking votes away", {"spec": {"votes": None}}, BY_HAND),
    patching("voting and forging at once", {"spec": {"decision": "Approved", "votes": [FORGED]}}, BY_HAND),
    What("forging a vote by replacing it", "PUT", "update approvalrequests", (Who.ADMIN,), BY_HAND,
         _whole({"votes": [FORGED]}), JSON),
    patching("a reason alone", {"spec": {"reason": "hm"}},
             "a reason alone says nothing: write spec.decision, Approved or Denied, with it"),
    *(patching(f"spec.{name}", {"spec": {name: value}}, f"{name} cannot be changed")
      for name, value in RESTING_FIELDS.items()),
    patching("voting and a later end at once",
             {"spec": {"decision": "Approved", "expiresAt": "2099-01-01T00:00:00Z"}},
             "expiresAt cannot be changed"),
    patching("a label", {"metadata": {"labels": {"tollhouse.dev/connection": "billing-db"}}}, KEPT),
    patching("an annotation", {"metadata": {"annotations": {"approved-by": "ann"}}}, KEPT),
    What("an owner", "PATCH", "patch approvalrequests", PATCHERS, KEPT, _owned),
    patching("a finalizer", {"metadata": {"finalizers": ["example.org/stay"]}}, KEPT),
    patching("voting and a label at once",
             {"spec": {"decision": "Approved"}, "metadata": {"labels": {"a": "b"}}}, KEPT),
    *(_status(name, {"status": {name: value}},
              ended=STATUS_IS_FINAL if name == "phase" else None)
      for name, value in STATUS_FIELDS.items()),
    _status("no phase", {"status": {"phase": None}}, ended=STATUS_IS_FINAL),
    _status("as if the request were billing-db's",
            {"spec": {"connection": "billing-db"}, "status": {"message": "m"}}),
    _making("creating one", {}, PASSES),
    _making("creating one with a vote in it", {"votes": [FORGED]},
            "a new request has no decision and no votes: people vote once it is there"),
    _making("creating one that is decided", {"decision": "Approved"},
            "a new request has no decision and no votes: people vote once it is there"),
    What("reading it", "GET", "get approvalrequests", READERS, PASSES, webhook=False),
    What("deleting it", "DELETE", "delete approvalrequests", (Who.OPERATOR, Who.ADMIN), PASSES,
         webhook=False),
    What("deleting all", "DELETE", "deletecollection approvalrequests", (Who.ADMIN,), PASSES,
         webhook=False),
)  # fmt: skip

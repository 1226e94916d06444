"""What people may and may not write into an ApprovalRequest: one table for every way of admission."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TRIAGE = "system:serviceaccount:agents:triage"
APPROVE: dict[str, Any] = {"decision": "Approved", "reason": "Ticket 4711"}


@dataclass(frozen=True, slots=True)
class Case:
    """`user` of `groups` merge-patches `spec` into a request; `says` is in the refusal, "" if it passes.

    request: changes to the request's spec beforehand. after: patches by others that came before.
    """

    name: str
    user: str
    groups: tuple[str, ...]
    spec: Mapping[str, Any]
    says: str = ""
    request: Mapping[str, Any] = field(default_factory=dict)
    after: tuple[tuple[str, tuple[str, ...], Mapping[str, Any]], ...] = ()


HUMAN: dict[str, Any] = {
    "requester": {
        "name": TRIAGE,
        "provider": "kubernetes",
        "kubernetesUser": TRIAGE,
        "serviceAccount": {"namespace": "agents", "name": "triage"},
        "onBehalfOf": {"name": "ann@corp.example", "kubernetesUser": "ann"},
    }
}
PERSON: dict[str, Any] = {
    "requester": {"name": "bob@corp.example", "provider": "corp", "kubernetesUser": "bob"}
}
TWO: dict[str, Any] = {"approvers": [{"group": "managers", "count": 2}]}

CASES = (
    Case("an approver approves", "alice", ("managers",), APPROVE),
    Case("an approver denies", "alice", ("managers",), {"decision": "Denied"}),
    Case(
        "an approver by name approves", "carol", (), APPROVE, request={"approvers": [{"user": "carol"}]}
    ),
    Case("a second approver joins in", "bob", ("managers",), APPROVE, request=TWO,
         after=(("alice", ("managers",), APPROVE),)),
    Case("the person an agent works for, where the rule says so", "ann", (), APPROVE,
         request={**HUMAN, "approvers": [{"onBehalfOf": {}}]}),
    Case("somebody who is no approver", "mallory", ("developers",), APPROVE,
         "mallory is not an approver of this request: it needs group managers"),
    Case("no approver of two sorts", "mallory", ("developers",), APPROVE,
         "mallory is not an approver of this request: it needs group managers or user carol",
         request={"approvers": [{"group": "managers"}, {"user": "carol"}]}),
    Case("a ServiceAccount in an approver's group", "system:serviceaccount:ops:robot", ("managers",), APPROVE,
         "it needs group managers; a ServiceAccount counts only where a rule names it"),
    Case("a ServiceAccount that a rule names", "system:serviceaccount:ops:robot", (), APPROVE,
         request={"approvers": [{"user": "system:serviceaccount:ops:robot"}]}),
    Case("the requester itself", TRIAGE, ("managers",), APPROVE,
         f"{TRIAGE} is the requester, and nobody approves their own request"),
    Case("the requester under a Kubernetes name", "bob", ("managers",), APPROVE,
         "bob is the requester, and nobody approves their own request", request=PERSON),
    Case("the requester in other letters", "BOB", ("managers",), APPROVE,
         "BOB is the requester, and nobody approves their own request", request=PERSON),
    Case("the person the agent works for", "ann", ("managers",), APPROVE,
         "ann is the person this agent works for, and this rule does not let that person decide",
         request=HUMAN),
    Case("the proxy", "PROXY", ("managers",), APPROVE, "a proxy asks and does not vote"),
    Case("a vote in somebody else's name", "alice", ("managers",),
         {"votes": [{"by": "bob", "groups": ["managers"], "decision": "Approved"}]},
         "spec.votes is written from the caller's proven name only, so nobody votes for somebody else"),
    Case("a vote by hand in one's own name", "mallory", ("developers",),
         {"votes": [{"by": "mallory", "groups": ["managers"], "decision": "Approved"}]},
         "spec.votes is written from the caller's proven name only"),
    Case("a vote by hand beside a decision", "alice", ("managers",),
         {**APPROVE, "votes": [{"by": "bob", "groups": ["managers"], "decision": "Approved"}]},
         "spec.votes is written from the caller's proven name only"),
    Case("taking others' votes away", "bob", ("managers",), {"votes": None},
         "spec.votes is written from the caller's proven name only", request=TWO,
         after=(("alice", ("managers",), APPROVE),)),
    Case("voting twice", "alice", ("managers",), APPROVE,
         "alice has voted already, and a vote stays as it was cast", request=TWO,
         after=(("alice", ("managers",), APPROVE),)),
    Case("changing one's mind", "alice", ("managers",), {"decision": "Denied"},
         "alice has voted already, and a vote stays as it was cast", request=TWO,
         after=(("alice", ("managers",), APPROVE),)),
    Case("voting after the end", "bob", ("managers",), APPROVE,
         "it is too late to vote: the request is Denied (denied by alice: no)",
         after=(("alice", ("managers",), {"decision": "Denied", "reason": "no"}),)),
    Case("voting when it is approved already", "bob", ("managers",), APPROVE,
         "it is too late to vote: the request is Approved",
         after=(("alice", ("managers",), APPROVE),)),
    Case("a reason alone", "alice", ("managers",), {"reason": "hm"}, "a reason alone says nothing"),
    Case("another operation", "alice", ("managers",), {"operation": {"text": "SELECT 1"}},
         "cannot be changed"),
    Case("other approvers", "mallory", ("developers",), {"approvers": [{"group": "developers"}]},
         "cannot be changed"),
    Case("a later end", "alice", ("managers",), {"expiresAt": "2099-01-01T00:00:00Z"}, "cannot be changed"),
    Case("a word that is no decision", "alice", ("managers",), {"decision": "Maybe"}, "Maybe"),
)  # fmt: skip

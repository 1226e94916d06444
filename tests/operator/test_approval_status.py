"""What an ApprovalRequest's status says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tollhouse_core.api import parse_object
from tollhouse_core.api.approval_request import ApprovalRequest
from tollhouse_core.approvals.tally import tally
from tollhouse_operator.reconcile.approvals import escalated_to, status_of

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def request(status: dict[str, Any] | None = None, **spec: Any) -> ApprovalRequest:
    document = {
        "apiVersion": "tollhouse.dev/v1alpha1",
        "kind": "ApprovalRequest",
        "metadata": {
            "name": "r",
            "namespace": "shop",
            "generation": 2,
            "creationTimestamp": "2026-05-01T11:59:00Z",
        },
        "spec": {
            "connection": "orders-db",
            "requester": {"name": "triage", "provider": "corp"},
            "operation": {"text": "DELETE FROM orders", "digest": "sha256:01"},
            "policy": {"name": "p", "rule": "r", "ruleHash": "sha256:02"},
            "approvers": [{"group": "managers", "count": 2}],
            "escalation": [{"after": "5m", "approvers": [{"user": "carol"}, {"group": "directors"}]}],
            "expiresAt": "2026-05-01T12:15:00Z",
            **spec,
        },
    }
    if status is not None:
        document["status"] = status
    parsed = parse_object(document)
    assert isinstance(parsed, ApprovalRequest)
    return parsed


def vote(by: str, decision: str = "Approved") -> dict[str, Any]:
    return {"by": by, "groups": ["managers"], "decision": decision}


def status(of: ApprovalRequest, at: datetime = NOW, before: dict[str, Any] | None = None) -> dict[str, Any]:
    return status_of(of, tally(of, at), before or {}, at)


def test_a_pending_request_says_what_is_missing() -> None:
    said = status(request(votes=[vote("alice")]))
    assert (said["phase"], said["votes"]) == ("Pending", "1/2")
    assert said["message"] == "waits for 1 of group managers"
    assert "resolvedAt" not in said
    (decided,) = said["conditions"]
    assert (decided["type"], decided["status"], decided["reason"]) == ("Decided", "False", "Pending")


def test_the_end_has_a_time_which_stays() -> None:
    said = status(request(votes=[vote("alice", "Denied")]))
    assert (said["phase"], said["resolvedAt"]) == ("Denied", "2026-05-01T12:00:00Z")
    later = status(request(votes=[vote("alice", "Denied")]), NOW + timedelta(minutes=1), said)
    assert later["resolvedAt"] == "2026-05-01T12:00:00Z"
    assert later["conditions"][0]["lastTransitionTime"] == "2026-05-01T12:00:00Z"


def test_a_used_request_stays_used() -> None:
    used = {"phase": "Used", "message": "the operation has run"}
    said = status(request(status=used, votes=[vote("alice"), vote("bob")]))
    assert said["phase"] == "Used"


def test_who_may_vote_as_well_is_told_once_it_is_time() -> None:
    assert escalated_to(request(), NOW) == ()
    late = NOW + timedelta(minutes=5)
    assert escalated_to(request(), late) == ("user carol", "group directors")
    _, escalated = status(request(), late)["conditions"]
    assert escalated["message"] == "may vote as well: user carol and group directors"


def test_that_it_escalated_is_remembered_after_the_end() -> None:
    late = NOW + timedelta(minutes=5)
    before = status(request(), late)
    after = status(request(votes=[vote("alice"), vote("bob")]), late, before)
    assert [condition["type"] for condition in after["conditions"]] == ["Decided", "Escalated"]

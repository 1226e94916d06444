"""Who may vote, and what is written down when they do."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from kit.approvals import request_of, vote_of
from kit.policies import NOON
from tollhouse_core.api.approval_request import ApprovalRequest, Decision, Phase, Vote
from tollhouse_core.approvals.admission import NotAdmitted, admit, admit_new
from tollhouse_core.approvals.tally import tally

MANAGER = "[{group: managers}]"
LATER = NOON + timedelta(minutes=1)


def changed(request: ApprovalRequest, **spec: Any) -> ApprovalRequest:
    return request.model_copy(update={"spec": request.spec.model_copy(update=spec)})


def voted(
    request: ApprovalRequest, user: str, *groups: str, now: datetime = LATER, **spec: Any
) -> ApprovalRequest | NotAdmitted:
    spec = {"decision": Decision.APPROVED, **spec}
    return admit(request, changed(request, **spec), user, groups, now)


def refusal(outcome: ApprovalRequest | NotAdmitted) -> str:
    assert isinstance(outcome, NotAdmitted), outcome
    return outcome.sentence


def test_a_decision_moves_into_votes_under_the_callers_name() -> None:
    request = request_of(MANAGER)
    stored = voted(request, "alice", "managers", "system:authenticated", reason="Ticket 4711")
    assert isinstance(stored, ApprovalRequest)
    assert stored.spec.decision is stored.spec.reason is None
    (vote,) = stored.spec.votes
    assert (vote.by, vote.groups) == ("alice", ("managers", "system:authenticated"))
    assert (vote.decision, vote.reason, vote.at) == (Decision.APPROVED, "Ticket 4711", LATER)
    assert tally(stored, LATER).phase is Phase.APPROVED


def test_votes_that_are_there_stay() -> None:
    request = request_of("[{group: managers, count: 2}]", vote_of("bob", "managers"))
    stored = voted(request, "alice", "managers", decision=Decision.DENIED)
    assert isinstance(stored, ApprovalRequest)
    assert [vote.by for vote in stored.spec.votes] == ["bob", "alice"]


def test_who_is_no_approver_is_told_who_is() -> None:
    words = refusal(voted(request_of("[{group: managers}, {user: carol}]"), "bob", "developers"))
    assert words == "bob is not an approver of this request: it needs group managers or user carol"


def test_the_requester_is_refused() -> None:
    request = request_of("[{group: managers}, {user: 'system:serviceaccount:agents:triage'}]")
    assert "is the requester" in refusal(voted(request, "system:serviceaccount:agents:triage", "managers"))


def test_the_human_behind_is_refused_unless_the_rule_lists_them() -> None:
    request = request_of(MANAGER, human="ann@corp.example", human_user="ann")
    assert "the person this agent works for" in refusal(voted(request, "ann", "managers"))
    listed = request_of("[{onBehalfOf: {}}]", human="ann@corp.example", human_user="ann")
    assert isinstance(voted(listed, "ann"), ApprovalRequest)


def test_a_service_account_is_refused_unless_it_is_named() -> None:
    account = "system:serviceaccount:ci:gate"
    assert "only where a rule names it" in refusal(voted(request_of(MANAGER), account, "managers"))
    assert isinstance(voted(request_of(f"[{{user: '{account}'}}]"), account), ApprovalRequest)


def test_a_proxy_is_refused_even_where_it_is_named() -> None:
    account = "system:serviceaccount:shop:orders-db-proxy"
    assert "a proxy" in refusal(voted(request_of(f"[{{user: '{account}'}}]"), account))


def test_voting_twice_is_refused() -> None:
    request = request_of("[{group: managers, count: 2}]", vote_of("alice", "managers"))
    assert "has voted already" in refusal(voted(request, "alice", "managers"))


def test_voting_for_somebody_else_is_refused() -> None:
    request = request_of(MANAGER)
    forged = Vote(by="alice", groups=("managers",), decision=Decision.APPROVED, at=NOON)
    assert "nobody votes for somebody else" in refusal(
        admit(request, changed(request, votes=(forged,)), "bob", (), NOON)
    )
    both = voted(request, "alice", "managers", votes=(forged,))
    assert "nobody votes for somebody else" in refusal(both)


def test_removing_or_changing_a_vote_is_refused() -> None:
    request = request_of(MANAGER, vote_of("bob", "managers", decision="Denied"))
    assert "spec.votes" in refusal(admit(request, changed(request, votes=()), "bob", ("managers",), NOON))


@pytest.mark.parametrize(
    ("votes", "minute", "words"),
    [
        ((), 15, "Expired"),
        ((vote_of("bob", "managers", decision="Denied"),), 1, "Denied (denied by bob)"),
        ((vote_of("bob", "managers"),), 1, "Approved (approved by bob)"),
    ],
)
def test_voting_after_the_end_is_refused(
    votes: tuple[dict[str, object], ...], minute: int, words: str
) -> None:
    outcome = voted(request_of(MANAGER, *votes), "alice", "managers", now=NOON + timedelta(minutes=minute))
    assert words in refusal(outcome)
    assert "too late" in refusal(outcome)


def test_voting_on_a_used_or_withdrawn_request_is_refused() -> None:
    for phase in (Phase.USED, Phase.WITHDRAWN):
        assert phase.value in refusal(voted(request_of(MANAGER, phase=phase), "alice", "managers"))


@pytest.mark.parametrize(
    "field",
    [
        "connection",
        "instance",
        "session",
        "requester",
        "operation",
        "effect",
        "policy",
        "approvers",
        "escalation",
    ],
)
def test_any_other_field_is_refused_by_its_name(field: str) -> None:
    request = request_of(MANAGER)
    other = request_of(
        "[{group: developers}]",
        escalation="[{after: 1m, approvers: [{user: bob}]}]",
        human="somebody",
        connection="other-db",
        instance="other",
        session="other",
        effect={"rows": 1},
        operation={"text": "SELECT 1", "digest": "sha256:00"},
        policy={"name": "other", "rule": "other", "ruleHash": "sha256:11"},
    )
    new = changed(request, decision=Decision.APPROVED, **{field: getattr(other.spec, field)})
    assert f"spec.{field} cannot be changed" in refusal(admit(request, new, "alice", ("managers",), LATER))


def test_a_longer_life_is_refused() -> None:
    request = request_of(MANAGER)
    new = changed(request, expires_at=NOON + timedelta(days=1))
    assert "spec.expiresAt cannot be changed" in refusal(admit(request, new, "alice", ("managers",), LATER))


def test_a_reason_alone_is_refused_with_what_to_write() -> None:
    request = request_of(MANAGER)
    words = refusal(admit(request, changed(request, reason="looks fine"), "alice", ("managers",), LATER))
    assert "write spec.decision" in words


def test_a_change_that_touches_no_spec_goes_through_as_it_is() -> None:
    request = request_of(MANAGER)
    labelled = request.model_copy(
        update={"metadata": request.metadata.model_copy(update={"labels": {"a": "b"}})}
    )
    assert admit(request, labelled, "somebody", (), LATER) is labelled


def test_an_escalated_approver_may_vote_from_that_moment_on() -> None:
    request = request_of(MANAGER, escalation="[{after: 5m, approvers: [{user: dora}]}]")
    assert "not an approver" in refusal(voted(request, "dora", now=NOON + timedelta(minutes=4)))
    assert isinstance(voted(request, "dora", now=NOON + timedelta(minutes=5)), ApprovalRequest)


def test_a_new_request_has_a_question_and_no_answers() -> None:
    assert admit_new(request_of(MANAGER)) is None
    for filled in (
        request_of(MANAGER, vote_of("alice", "managers")),
        request_of(MANAGER, decision="Approved"),
        request_of(MANAGER, reason="x"),
    ):
        assert "no decision and no votes" in str(admit_new(filled))

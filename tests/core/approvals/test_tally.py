"""What votes add up to."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.approvals import request_of, vote_of
from kit.policies import NOON
from tollhouse_core.api.approval_request import ApprovalRequest, Phase
from tollhouse_core.approvals.tally import USABLE_AFTER_APPROVAL, next_deadline, tally

MANAGER = "[{group: managers}]"
END = NOON + timedelta(minutes=15)


def minutes(count: float) -> datetime:
    return NOON + timedelta(minutes=count)


def phase_of(request: ApprovalRequest, now: datetime = NOON) -> Phase:
    return tally(request, now).phase


def test_without_votes_a_request_is_pending_and_says_what_it_waits_for() -> None:
    result = tally(request_of("[{group: managers, count: 2}, {user: alice}]"), NOON)
    assert result.phase is Phase.PENDING
    assert result.missing == ("2 of group managers", "1 of user alice")
    assert result.message == "waits for 2 of group managers and 1 of user alice"
    assert result.votes == "0/3"


def test_one_eligible_approval_is_enough_where_one_is_asked() -> None:
    result = tally(request_of(MANAGER, vote_of("alice", "managers", reason="Ticket 4711")), NOON)
    assert (result.phase, result.missing, result.votes) == (Phase.APPROVED, (), "1/1")
    assert result.message == "approved by alice: Ticket 4711"


def test_a_vote_of_somebody_who_is_no_approver_does_not_count() -> None:
    request = request_of(MANAGER, vote_of("bob", "developers"), vote_of("managers"))
    assert phase_of(request) is Phase.PENDING


def test_a_count_needs_that_many_different_people() -> None:
    rule = "[{group: managers, count: 2}]"
    twice = request_of(rule, vote_of("alice", "managers"), vote_of("alice", "managers"))
    assert tally(twice, NOON).votes == "1/2"
    both = request_of(rule, vote_of("alice", "managers"), vote_of("bob", "managers"))
    assert phase_of(both) is Phase.APPROVED


def test_every_entry_must_be_met_by_different_people() -> None:
    rule = "[{group: managers}, {group: dba}]"
    one = request_of(rule, vote_of("alice", "managers", "dba"))
    assert tally(one, NOON).phase is Phase.PENDING
    both = request_of(rule, vote_of("alice", "managers", "dba"), vote_of("bob", "dba"))
    assert phase_of(both) is Phase.APPROVED


def test_people_are_put_where_they_help_most_whatever_the_order() -> None:
    rule = "[{group: a}, {group: b}, {group: c}]"
    votes = [vote_of("x", "a", "b", "c"), vote_of("y", "a", "b"), vote_of("z", "a")]
    for order in permutations(votes):
        assert phase_of(request_of(rule, *order)) is Phase.APPROVED
    assert phase_of(request_of(rule, *votes[1:], vote_of("w", "a", "b"))) is Phase.PENDING


def test_one_denial_by_an_approver_ends_the_request() -> None:
    rule = "[{group: managers, count: 2}]"
    request = request_of(
        rule,
        vote_of("alice", "managers"),
        vote_of("bob", "managers", decision="Denied", reason="no"),
        vote_of("carol", "managers"),
    )
    result = tally(request, NOON)
    assert result.phase is Phase.DENIED
    assert result.message == "denied by bob: no"


def test_a_denial_by_somebody_else_ends_nothing() -> None:
    request = request_of(MANAGER, vote_of("bob", decision="Denied"), vote_of("alice", "managers"))
    assert phase_of(request) is Phase.APPROVED


def test_a_denial_after_the_last_needed_approval_comes_too_late() -> None:
    request = request_of(MANAGER, vote_of("alice", "managers"), vote_of("bob", "managers", decision="Denied"))
    assert phase_of(request) is Phase.APPROVED


def test_a_second_vote_of_the_same_person_does_not_count() -> None:
    request = request_of(
        "[{group: managers, count: 2}]",
        vote_of("alice", "managers"),
        vote_of("alice", "managers", decision="Denied"),
    )
    assert phase_of(request) is Phase.PENDING


def test_the_requester_never_counts_under_any_name() -> None:
    for name in ("triage", "TRIAGE", "system:serviceaccount:agents:triage"):
        rule = f"[{{group: managers}}, {{user: '{name}'}}]"
        request = request_of(rule, vote_of(name, "managers"), vote_of("alice", "managers"))
        assert tally(request, NOON).votes == "1/2", name


def test_the_human_behind_never_counts_unless_the_rule_says_so() -> None:
    for name in ("ann@corp.example", "Ann@Corp.Example", "ann"):
        request = request_of(MANAGER, vote_of(name, "managers"), human="ann@corp.example", human_user="ann")
        assert phase_of(request) is Phase.PENDING
        named = request_of(f"[{{user: '{name}'}}]", vote_of(name), human="ann@corp.example", human_user="ann")
        assert phase_of(named) is Phase.PENDING
    allowed = request_of("[{onBehalfOf: {}}]", vote_of("ann"), human="ann@corp.example", human_user="ann")
    assert phase_of(allowed) is Phase.APPROVED


def test_on_behalf_of_is_met_by_the_exact_proven_name_alone() -> None:
    rule = "[{onBehalfOf: {}}]"
    by_token_name = request_of(rule, vote_of("ann@corp.example"), human="ann@corp.example", human_user="ann")
    assert phase_of(by_token_name) is Phase.PENDING
    only_name = request_of(rule, vote_of("ann@corp.example"), human="ann@corp.example")
    assert phase_of(only_name) is Phase.APPROVED
    assert phase_of(request_of(rule, vote_of("ANN@corp.example"), human="ann@corp.example")) is Phase.PENDING
    assert phase_of(request_of(rule, vote_of("bob"))) is Phase.PENDING


def test_the_human_behind_meets_the_entry_for_them_and_no_other() -> None:
    rule = "[{onBehalfOf: {}}, {group: managers}]"
    request = request_of(rule, vote_of("ann", "managers"), human="ann")
    assert tally(request, NOON).missing == ("1 of group managers",)


def test_a_service_account_counts_only_where_it_is_named() -> None:
    account = "system:serviceaccount:ci:gate"
    assert phase_of(request_of(MANAGER, vote_of(account, "managers"))) is Phase.PENDING
    assert phase_of(request_of(f"[{{user: '{account}'}}]", vote_of(account))) is Phase.APPROVED


def test_the_proxy_that_asks_never_counts_even_where_it_is_named() -> None:
    account = "system:serviceaccount:shop:orders-db-proxy"
    assert phase_of(request_of(f"[{{user: '{account}'}}]", vote_of(account))) is Phase.PENDING


def test_a_request_nobody_decided_on_expires() -> None:
    assert phase_of(request_of(MANAGER), END - timedelta(seconds=1)) is Phase.PENDING
    assert phase_of(request_of(MANAGER), END) is Phase.EXPIRED


def test_votes_at_the_end_or_after_it_do_not_count() -> None:
    for decision in ("Approved", "Denied"):
        late = request_of(MANAGER, vote_of("alice", "managers", decision=decision, at=END))
        assert phase_of(late, END + timedelta(hours=1)) is Phase.EXPIRED
    in_time = vote_of("alice", "managers", at=END - timedelta(seconds=1))
    assert phase_of(request_of(MANAGER, in_time), END) is Phase.APPROVED


def test_a_vote_without_a_time_counts_until_the_end_only() -> None:
    request = request_of(MANAGER, vote_of("alice", "managers", at=None))
    assert phase_of(request, END - timedelta(seconds=1)) is Phase.APPROVED
    assert phase_of(request, END) is Phase.EXPIRED


def test_an_approval_is_usable_until_the_end_or_a_little_after_it_was_given() -> None:
    early = request_of(MANAGER, vote_of("alice", "managers", at=minutes(1)))
    assert phase_of(early, END - timedelta(seconds=1)) is Phase.APPROVED
    assert phase_of(early, END) is Phase.EXPIRED
    late = request_of(MANAGER, vote_of("alice", "managers", at=minutes(14)))
    assert phase_of(late, minutes(14) + USABLE_AFTER_APPROVAL - timedelta(seconds=1)) is Phase.APPROVED
    assert phase_of(late, minutes(14) + USABLE_AFTER_APPROVAL) is Phase.EXPIRED


ESCALATION = "[{after: 5m, approvers: [{group: directors}]}]"


def test_escalation_lets_others_decide_from_its_moment_on() -> None:
    before = vote_of("dora", "directors", at=minutes(4))
    after = vote_of("dora", "directors", at=minutes(5))
    assert phase_of(request_of(MANAGER, before, escalation=ESCALATION), minutes(6)) is Phase.PENDING
    assert phase_of(request_of(MANAGER, after, escalation=ESCALATION), minutes(6)) is Phase.APPROVED
    denied = vote_of("dora", "directors", at=minutes(5), decision="Denied")
    assert phase_of(request_of(MANAGER, denied, escalation=ESCALATION), minutes(6)) is Phase.DENIED


def test_a_vote_that_came_before_its_escalation_may_be_cast_again() -> None:
    early = vote_of("dora", "directors", at=minutes(4))
    again = vote_of("dora", "directors", at=minutes(6))
    assert phase_of(request_of(MANAGER, early, again, escalation=ESCALATION), minutes(7)) is Phase.APPROVED


def test_the_rules_own_approvers_still_count_after_escalation() -> None:
    vote = vote_of("alice", "managers", at=minutes(8))
    assert phase_of(request_of(MANAGER, vote, escalation=ESCALATION), minutes(9)) is Phase.APPROVED


def test_without_a_creation_time_nothing_escalates() -> None:
    vote = vote_of("dora", "directors", at=minutes(8))
    request = request_of(MANAGER, vote, escalation=ESCALATION, created=None)
    assert phase_of(request, minutes(9)) is Phase.PENDING


def test_the_next_deadline_is_the_next_escalation_and_then_the_end() -> None:
    request = request_of(MANAGER, escalation=ESCALATION)
    assert next_deadline(request, NOON) == minutes(5)
    assert next_deadline(request, minutes(5)) == END
    assert next_deadline(request, minutes(99)) == END


@pytest.mark.parametrize("phase", [Phase.USED, Phase.WITHDRAWN, Phase.EXPIRED, Phase.DENIED])
def test_a_status_can_close_a_request(phase: Phase) -> None:
    request = request_of(MANAGER, vote_of("alice", "managers"), phase=phase)
    result = tally(request, NOON)
    assert result.phase is phase
    assert result.message
    told = request.model_copy(update={"status": request.status.model_copy(update={"message": "as told"})})
    assert tally(told, NOON).message == "as told"


@pytest.mark.parametrize("phase", [Phase.APPROVED, Phase.PENDING])
def test_a_status_never_opens_one(phase: Phase) -> None:
    assert phase_of(request_of(MANAGER, phase=phase)) is Phase.PENDING
    assert phase_of(request_of(MANAGER, phase=phase), END) is Phase.EXPIRED


def test_reasons_cannot_lie_in_a_message() -> None:
    request = request_of(
        MANAGER, vote_of("bob", "managers", decision="Denied", reason="ok\u202e\n" + "x" * 1000)
    )
    message = tally(request, NOON).message
    assert "\\u{202e}\\u{a}" in message
    assert len(message) <= 1024


_PEOPLE = st.sampled_from(["alice", "bob", "carol", "dora", "triage", "ann", "system:serviceaccount:ci:x"])
_VOTES = st.lists(
    st.builds(
        lambda name, groups, decision, minute: vote_of(name, *groups, decision=decision, at=minutes(minute)),
        _PEOPLE,
        st.sets(st.sampled_from(["a", "b", "c"])),
        st.sampled_from(["Approved", "Approved", "Denied"]),
        st.integers(0, 20),
    ),
    max_size=6,
)
_RULES = st.lists(
    st.builds("{{group: {0}, count: {1}}}".format, st.sampled_from("abc"), st.integers(1, 2)),
    min_size=1,
    max_size=3,
).map(lambda entries: f"[{', '.join(entries)}]")


@given(_RULES, _VOTES)
def test_an_approval_always_has_enough_different_people(rule: str, votes: list[dict[str, object]]) -> None:
    request = request_of(rule, *votes, human="ann")
    result = tally(request, minutes(14))
    if result.phase is Phase.APPROVED:
        approving = {
            vote.by
            for vote in request.spec.votes
            if vote.decision == "Approved" and vote.at is not None and vote.at < END
        } - {"triage", "ann", "system:serviceaccount:ci:x"}
        assert len(approving) >= sum(entry.count for entry in request.spec.approvers)


@given(_RULES, _VOTES, st.integers(0, 30))
def test_tallying_is_total_and_missing_fits_the_phase(
    rule: str, votes: list[dict[str, object]], minute: int
) -> None:
    result = tally(request_of(rule, *votes, human="ann", escalation=ESCALATION), minutes(minute))
    assert bool(result.missing) >= (result.phase is Phase.PENDING)
    if result.phase is Phase.APPROVED:
        assert not result.missing


@given(_RULES, _VOTES, _VOTES)
def test_what_comes_after_the_end_of_a_request_changes_nothing(
    rule: str, votes: list[dict[str, object]], more: list[dict[str, object]]
) -> None:
    before = tally(request_of(rule, *votes, human="ann"), minutes(14))
    after = tally(request_of(rule, *votes, *more, human="ann"), minutes(14))
    if before.phase in {Phase.APPROVED, Phase.DENIED}:
        assert after.phase is before.phase


GRANT = {"grant": {"for": "10m", "uses": 3}}


def used(request: ApprovalRequest, uses: int, begun: datetime) -> ApprovalRequest:
    status = request.status.model_copy(update={"phase": Phase.APPROVED, "uses": uses, "first_used_at": begun})
    return request.model_copy(update={"status": status})


def test_a_grant_whose_uses_are_spent_opens_nothing_whatever_the_status_says() -> None:
    request = request_of(MANAGER, vote_of("alice", "managers"), **GRANT)
    assert phase_of(used(request, 2, NOON)) is Phase.APPROVED
    assert phase_of(used(request, 3, NOON)) is Phase.USED
    assert phase_of(used(request, 4, NOON)) is Phase.USED


def test_a_grant_ends_with_its_time_and_not_with_the_requests_own_end() -> None:
    request = used(request_of(MANAGER, vote_of("alice", "managers"), **GRANT), 1, minutes(14))
    assert phase_of(request, minutes(16)) is Phase.APPROVED
    assert next_deadline(request, minutes(16)) == minutes(24)
    assert phase_of(request, minutes(24)) is Phase.EXPIRED


def test_a_first_use_after_the_approvals_own_end_does_not_bring_it_back() -> None:
    request = used(request_of(MANAGER, vote_of("alice", "managers"), **GRANT), 1, minutes(20))
    assert phase_of(request, minutes(21)) is Phase.EXPIRED

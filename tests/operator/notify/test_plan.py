"""What is still to be told, and when it is tried again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from kit.approvals import request_of, vote_of
from kit.policies import NOON
from tollhouse_core.api.approval_request import ApprovalRequest, NotificationRecord, NotificationState
from tollhouse_core.api.notifying import Notify, NotifyOn
from tollhouse_operator.notify.plan import GIVE_UP, after, plan, receivers

MANAGER = "[{group: managers}]"
STEP = "[{after: 5m, approvers: [{group: directors}]}]"
EVERYTHING = [moment.value for moment in NotifyOn]


def receiver(name: str = "ops", **more: Any) -> Notify:
    return Notify.model_validate({"name": name, "url": "https://hooks.example/x", **more})


def known(request: ApprovalRequest, *records: NotificationRecord) -> ApprovalRequest:
    status = request.status.model_copy(update={"notifications": records})
    return request.model_copy(update={"status": status})


def moments(request: ApprovalRequest, now: datetime = NOON, **more: Any) -> list[str]:
    told = receivers([receiver(**more)], [])
    return [due.moment.value for due in plan(request, told, now).due]


def test_a_new_request_is_told_once() -> None:
    request = request_of(MANAGER)
    told = receivers([receiver()], [])
    (due,) = plan(request, told, NOON).due
    assert (due.moment, due.name, due.words) == (
        NotifyOn.REQUESTED, "connection/ops", "waits for 1 of group managers",
    )  # fmt: skip
    done = known(request, after(due.record, "", NOON))
    assert plan(done, told, NOON).due == ()
    assert plan(done, told, NOON).again_seconds is None


def test_who_has_the_same_name_in_policy_and_connection_is_told_twice() -> None:
    told = receivers([receiver()], [receiver()])
    assert [due.name for due in plan(request_of(MANAGER), told, NOON).due] == ["connection/ops", "policy/ops"]


def test_an_escalation_is_told_in_its_time_and_an_end_takes_its_place() -> None:
    waiting = request_of(MANAGER, escalation=STEP)
    assert moments(waiting) == ["Requested"]
    assert moments(waiting, NOON + timedelta(minutes=5)) == ["Requested", "Escalated"]
    approved = request_of(MANAGER, vote_of("alice", "managers"), escalation=STEP)
    assert moments(approved, NOON + timedelta(minutes=6)) == []
    assert moments(approved, NOON, on=EVERYTHING) == ["Approved"]
    assert moments(request_of(MANAGER), NOON + timedelta(minutes=16), on=EVERYTHING) == ["Expired"]


def test_only_what_was_asked_for_is_told() -> None:
    denied = request_of(MANAGER, vote_of("alice", "managers", decision="Denied"))
    assert moments(denied, on=["Approved"]) == []
    assert moments(denied, on=["Denied"]) == ["Denied"]


def test_a_failure_is_tried_again_later_each_time_and_given_up_after_an_hour() -> None:
    request = request_of(MANAGER, expiresAt=NOON + timedelta(hours=3))
    told = receivers([receiver()], [])
    (due,) = plan(request, told, NOON).due
    record, now, pauses = due.record, NOON, []
    while (record := after(record, "it cannot be reached", now)).state is NotificationState.PENDING:
        waiting = plan(known(request, record), told, now)
        assert waiting.due == ()
        assert waiting.again_seconds is not None
        pauses.append(waiting.again_seconds)
        now += timedelta(seconds=waiting.again_seconds)
        assert len(plan(known(request, record), told, now).due) == 1
    assert pauses[:4] == [1, 2, 4, 8]
    assert max(pauses) == 300
    assert record.state is NotificationState.GIVEN_UP
    assert record.problem == "it cannot be reached"
    assert now - NOON >= GIVE_UP
    assert plan(known(request, record), told, NOON).due == ()

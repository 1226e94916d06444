"""What the guard does with one operation, in the order it must happen."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from kit.guard_world import (
    DELETE_NEEDS,
    READ_ORDERS,
    World,
    delete,
    no_facts,
    policy_document,
    select,
    session,
)
from tollhouse_core.api.approval_request import Decision, Phase
from tollhouse_core.decision import Permitted, Refusal, Refused
from tollhouse_core.identity import Identity, Proof
from tollhouse_proxy.guard.session import SessionJudge
from tollhouse_proxy.ports.judging import Completion, Outcome, SessionNotAllowed
from tollhouse_proxy.protocols.postgres.anything import ANYTHING


def judged(world: World, judge: SessionJudge, operation: Any) -> Permitted | Refused:
    verdict = judge.judge(operation, no_facts, world.waiting)
    assert isinstance(verdict, Permitted | Refused)
    return verdict


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


def test_without_a_bundle_nobody_gets_a_session() -> None:
    with pytest.raises(SessionNotAllowed) as caught:
        World().open()
    assert caught.value.refused.refusal is Refusal.UNAVAILABLE


def test_an_identity_that_no_policy_speaks_of_gets_no_session_and_is_recorded() -> None:
    world = World(policy_document(READ_ORDERS))
    stranger = Identity(name="eve", provider="corp", proof=Proof.OIDC)
    with pytest.raises(SessionNotAllowed):
        world.gate.open(session(stranger))
    assert world.sink.kinds() == ["SessionRefused"]


def test_a_decision_is_recorded_before_the_verdict_is_given() -> None:
    world = World(policy_document(READ_ORDERS))
    judge = world.open()
    verdict = judged(world, judge, select())
    assert isinstance(verdict, Permitted)
    assert world.sink.kinds() == ["SessionOpened", "OperationDecided"]
    record = world.sink.events[-1].data
    assert record["decision"] == "allow"
    assert record["policy"] == "support"
    assert record["rule"] == "read"
    assert record["revision"] == judge.revision


def test_what_the_audit_cannot_take_is_refused() -> None:
    world = World(policy_document(READ_ORDERS))
    judge = world.open()
    world.sink.broken = True
    verdict = judged(world, judge, select())
    assert isinstance(verdict, Refused)
    assert verdict.refusal is Refusal.UNAVAILABLE
    assert "the disk is full" in verdict.message


def test_a_new_bundle_binds_the_next_operation_of_an_open_session() -> None:
    world = World(policy_document(READ_ORDERS))
    judge = world.open()
    first = judged(world, judge, select())
    deny = {"name": "never", "deny": {"sql": {"access": ["Select"], "tables": ["orders"]}}}
    world.apply(policy_document(READ_ORDERS, deny))
    assert isinstance(first, Permitted)
    assert judge.again(first, select()) is None
    assert isinstance(judged(world, judge, select()), Refused)


def test_who_is_no_longer_admitted_has_lost_the_session() -> None:
    world = World(policy_document(READ_ORDERS))
    judge = world.open()
    assert judge.lost == ""
    other = policy_document(READ_ORDERS)
    other["spec"]["subjects"] = [{"group": "dba"}]
    world.apply(other)
    assert "triage" in judge.lost


def test_the_sixty_first_query_of_a_minute_is_refused_with_the_time_to_come_back() -> None:
    pace = {"name": "pace", "limit": {"queries": 60, "per": "1m"}}
    world = World(policy_document(READ_ORDERS, pace))
    one, other = world.open(1), world.open(2)
    for number in range(60):
        world.clock.forward(0.5)
        assert isinstance(judged(world, one if number % 2 else other, select()), Permitted)
    refused = judged(world, one, select())
    assert isinstance(refused, Refused)
    assert refused.refusal is Refusal.LIMIT
    assert refused.retry_after_seconds == pytest.approx(30.5)
    world.clock.forward(refused.retry_after_seconds or 0)
    assert isinstance(judged(world, one, select()), Permitted)


def test_refused_operations_count_and_session_language_does_not() -> None:
    pace = {"name": "pace", "limit": {"queries": 2, "per": "1m"}}
    world = World(policy_document(READ_ORDERS, pace))
    judge = world.open()
    for _ in range(5):
        assert isinstance(judged(world, judge, select(accesses=(), counted=False)), Permitted)
    for _ in range(2):
        verdict = judged(world, judge, select("secrets"))
        assert isinstance(verdict, Refused)
        assert verdict.refusal is Refusal.DENIED
    limited = judged(world, judge, select())
    assert isinstance(limited, Refused)
    assert limited.refusal is Refusal.LIMIT


def test_a_cached_verdict_is_counted_and_recorded_like_any_other() -> None:
    pace = {"name": "pace", "limit": {"queries": 2, "per": "1m"}}
    world = World(policy_document(READ_ORDERS, pace))
    judge = world.open()
    first = judged(world, judge, select())
    assert isinstance(first, Permitted)
    second = judge.again(first, select())
    assert isinstance(second, Permitted)
    assert second.operation_id != first.operation_id
    third = judge.again(first, select())
    assert isinstance(third, Refused)
    assert third.refusal is Refusal.LIMIT
    assert world.sink.kinds().count("OperationDecided") == 3


def test_rows_beyond_the_limit_end_the_result() -> None:
    rows = {"name": "rows", "limit": {"rows": 10, "per": "1m"}}
    world = World(policy_document(READ_ORDERS, rows))
    judge = world.open()
    verdict = judged(world, judge, select())
    assert isinstance(verdict, Permitted)
    assert judge.spent(verdict.operation_id, 10, 1000) is None
    overrun = judge.spent(verdict.operation_id, 1, 100)
    assert overrun is not None
    assert "10 rows" in overrun.message


def test_a_card_number_in_a_statement_is_hidden_in_the_record() -> None:
    cards = {"name": "cards", "mask": {"content": ["PaymentCard"], "with": {"redact": {}}}}
    world = World(policy_document(READ_ORDERS, cards))
    judge = world.open()
    judged(world, judge, select(text="SELECT '4111 1111 1111 1111'", parameters=("4111111111111111", None)))
    record = str(world.sink.events[-1].data)
    assert "4111" not in record
    assert "[redacted]" in record


def test_what_still_runs_when_the_session_closes_is_recorded_as_lost() -> None:
    world = World(policy_document(READ_ORDERS))
    judge = world.open()
    done, lost = judged(world, judge, select()), judged(world, judge, select())
    assert isinstance(done, Permitted)
    assert isinstance(lost, Permitted)
    judge.completed(Completion(done.operation_id, Outcome.COMPLETED, rows=3))
    judge.close("client")
    judge.close("client")
    assert world.sink.kinds()[-3:] == ["OperationCompleted", "OperationCompleted", "SessionClosed"]
    assert world.sink.events[-2].data["outcome"] == "Lost"
    assert [event.sequence for event in world.sink.events] == list(range(6))


def test_facts_are_asked_for_only_when_a_rule_mentions_them() -> None:
    big = {
        "name": "big",
        "when": "operation.estimatedRows > 1000",
        "deny": {"sql": {"access": ["Select"], "tables": ["*"]}},
    }
    asked: list[frozenset[str]] = []

    async def rows(names: frozenset[str]) -> Mapping[str, object]:
        asked.append(names)
        return {"estimatedRows": 5000}

    world = World(policy_document(READ_ORDERS))
    assert isinstance(world.open().judge(select(), rows, world.waiting), Permitted)
    world.apply(policy_document(READ_ORDERS, big))
    verdict = world.open().judge(select(), rows, world.waiting)
    assert not isinstance(verdict, Permitted | Refused)
    refused = asyncio.run(_awaited(verdict))
    assert isinstance(refused, Refused)
    assert refused.rule.rule == "big"
    assert asked == [frozenset({"estimatedRows"})]


def test_a_fact_that_cannot_be_found_counts_as_the_stricter_outcome() -> None:
    big = {
        "name": "big",
        "when": "operation.estimatedRows > 1000",
        "deny": {"sql": {"access": ["Select"], "tables": ["*"]}},
    }
    world = World(policy_document(READ_ORDERS, big))
    verdict = world.open().judge(select(), no_facts, world.waiting)
    assert not isinstance(verdict, Permitted | Refused)
    assert isinstance(asyncio.run(_awaited(verdict)), Refused)


async def _awaited(verdict: Any) -> Any:
    return await verdict


async def test_a_delete_waits_and_runs_once_approved() -> None:
    world = World(policy_document(READ_ORDERS, DELETE_NEEDS))
    judge = world.open()
    task = asyncio.ensure_future(_awaited(judge.judge(delete(), no_facts, world.waiting)))
    await until(lambda: world.waits)
    name, words = world.waits[0]
    assert name in words
    assert "group managers" in words
    await world.approvals.vote(name, "alice", ["managers"], Decision.APPROVED, world.clock.now())
    verdict = await task
    assert isinstance(verdict, Permitted)
    assert world.approvals.requests[name].status.phase is Phase.USED
    assert world.sink.kinds() == [
        "SessionOpened",
        "ApprovalRequested",
        "ApprovalResolved",
        "OperationDecided",
    ]
    assert world.sink.events[-1].data["request"] == name
    again = asyncio.ensure_future(_awaited(judge.judge(delete(), no_facts, world.waiting)))
    await until(lambda: len(world.waits) == 2)
    assert world.waits[1][0] != name
    again.cancel()
    with pytest.raises(asyncio.CancelledError):
        await again


@pytest.mark.parametrize(
    ("by", "groups"), [("mallory", ["developers"]), ("triage", ["managers"])], ids=["outsider", "requester"]
)
async def test_a_vote_that_does_not_count_opens_nothing(by: str, groups: list[str]) -> None:
    world = World(policy_document(READ_ORDERS, DELETE_NEEDS))
    task = asyncio.ensure_future(_awaited(world.open().judge(delete(), no_facts, world.waiting)))
    await until(lambda: world.waits)
    name = world.waits[0][0]
    await world.approvals.vote(name, by, groups, Decision.APPROVED, world.clock.now())
    for _ in range(20):
        await asyncio.sleep(0)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.approvals.requests[name].status.phase is Phase.WITHDRAWN


async def test_a_forged_status_opens_nothing() -> None:
    world = World(policy_document(READ_ORDERS, DELETE_NEEDS))
    task = asyncio.ensure_future(_awaited(world.open().judge(delete(), no_facts, world.waiting)))
    await until(lambda: world.waits)
    request = world.approvals.requests[world.waits[0][0]]
    await world.approvals.set_phase(request, Phase.APPROVED, "trust me")
    for _ in range(20):
        await asyncio.sleep(0)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_denial_is_told_with_its_reason() -> None:
    world = World(policy_document(READ_ORDERS, DELETE_NEEDS))
    task = asyncio.ensure_future(_awaited(world.open().judge(delete(), no_facts, world.waiting)))
    await until(lambda: world.waits)
    name = world.waits[0][0]
    await world.approvals.vote(name, "alice", ["managers"], Decision.DENIED, world.clock.now())
    verdict = await task
    assert isinstance(verdict, Refused)
    assert verdict.refusal is Refusal.DENIED
    assert verdict.request == name
    assert "because" in verdict.message


async def test_a_policy_that_denies_meanwhile_wins_over_the_approval() -> None:
    world = World(policy_document(READ_ORDERS, DELETE_NEEDS))
    task = asyncio.ensure_future(_awaited(world.open().judge(delete(), no_facts, world.waiting)))
    await until(lambda: world.waits)
    name = world.waits[0][0]
    never = {"name": "never", "deny": {"sql": {"access": ["Delete"], "tables": ["*"]}}}
    world.apply(policy_document(READ_ORDERS, DELETE_NEEDS, never))
    await world.approvals.vote(name, "alice", ["managers"], Decision.APPROVED, world.clock.now())
    verdict = await task
    assert isinstance(verdict, Refused)
    assert verdict.rule.rule == "never"
    assert world.approvals.requests[name].status.phase is Phase.WITHDRAWN


async def test_a_changed_rule_voids_the_approval_and_an_unrelated_edit_does_not() -> None:
    for change, survives in (("other", True), ("same", False)):
        world = World(policy_document(READ_ORDERS, DELETE_NEEDS))
        task = asyncio.ensure_future(_awaited(world.open().judge(delete(), no_facts, world.waiting)))
        await until(lambda world=world: world.waits)
        name = world.waits[0][0]
        if change == "other":
            world.apply(policy_document(READ_ORDERS, DELETE_NEEDS), policy_document(READ_ORDERS, name="more"))
        else:
            edited = {**DELETE_NEEDS, "requireApproval": {**DELETE_NEEDS["requireApproval"]}}
            edited["requireApproval"]["approvers"] = [{"group": "directors"}]
            world.apply(policy_document(READ_ORDERS, edited))
        await world.approvals.vote(name, "alice", ["managers"], Decision.APPROVED, world.clock.now())
        verdict = await task
        assert isinstance(verdict, Permitted if survives else Refused)


async def test_of_two_that_saw_one_approval_exactly_one_runs_it() -> None:
    fail_fast = {
        **DELETE_NEEDS,
        "requireApproval": {**DELETE_NEEDS["requireApproval"], "whileWaiting": "FailFast"},
    }
    world = World(policy_document(READ_ORDERS, fail_fast))
    one, other = world.open(1), world.open(2)
    pending = await _awaited(one.judge(delete(), no_facts, world.waiting))
    assert isinstance(pending, Refused)
    assert pending.refusal is Refusal.PENDING
    still = await _awaited(one.judge(delete(), no_facts, world.waiting))
    assert still.request == pending.request
    await world.approvals.vote(pending.request, "alice", ["managers"], Decision.APPROVED, world.clock.now())
    different = await _awaited(one.judge(delete(8), no_facts, world.waiting))
    assert isinstance(different, Refused)
    verdicts = await asyncio.gather(
        _awaited(one.judge(delete(), no_facts, world.waiting)),
        _awaited(other.judge(delete(), no_facts, world.waiting)),
    )
    assert sum(isinstance(verdict, Permitted) for verdict in verdicts) == 1


async def test_a_deleted_request_is_no_approval() -> None:
    world = World(policy_document(READ_ORDERS, DELETE_NEEDS))
    task = asyncio.ensure_future(_awaited(world.open().judge(delete(), no_facts, world.waiting)))
    await until(lambda: world.waits)
    await world.approvals.delete(world.waits[0][0])
    verdict = await task
    assert isinstance(verdict, Refused)
    assert "deleted" in verdict.message


OPEN = (
    {
        "name": "tables",
        "allow": {
            "sql": {
                "access": ["Select", "Insert", "Update", "Delete", "Truncate"],
                "tables": ["*", "pg_catalog.*", "information_schema.*", "pg_toast.*"],
            }
        },
    },
    {"name": "commands", "allow": {"sql": {"commands": ["*"]}}},
    {
        "name": "functions",
        "allow": {
            "sql": {"functions": ["*", "pg_catalog.*", "information_schema.*"]},
        },
    },
)
CLOSING: list[dict[str, Any]] = [
    {"name": "no", "deny": {"sql": {"access": ["Select"], "tables": ["payroll"]}}},
    {"name": "no", "deny": {"sql": {"commands": ["DROP TABLE"]}}, "mode": "Shadow"},
    {**DELETE_NEEDS},
    {"name": "no", "mask": {"columns": ["people.email"], "with": {"redact": {}}}},
    {"name": "no", "mask": {"content": ["PaymentCard"], "with": {"redact": {}}}},
    {"name": "no", "filter": {"tables": ["orders"], "where": "id > 0"}},
]


def test_whom_only_allows_speak_of_and_who_may_do_anything_is_bound_by_nothing() -> None:
    assert World(policy_document(*OPEN)).open().unbound(ANYTHING)


@pytest.mark.parametrize("closing", CLOSING, ids=lambda rule: next(key for key in rule if key != "name"))
def test_any_rule_that_takes_something_back_binds(closing: dict[str, Any]) -> None:
    assert not World(policy_document(*OPEN, closing)).open().unbound(ANYTHING)


@pytest.mark.parametrize("left_out", OPEN, ids=lambda rule: rule["name"])
def test_so_does_a_kind_of_access_that_is_not_open(left_out: dict[str, Any]) -> None:
    assert (
        not World(policy_document(*(rule for rule in OPEN if rule is not left_out))).open().unbound(ANYTHING)
    )


@pytest.mark.parametrize("tables", [["public.*"], ["a*", "b*"], ["*.orders"], ["*"]])
def test_so_do_tables_that_are_not_open(tables: list[str]) -> None:
    some = {"name": "tables", "allow": {"sql": {**OPEN[0]["allow"]["sql"], "tables": tables}}}
    assert not World(policy_document(some, *OPEN[1:])).open().unbound(ANYTHING)


@pytest.mark.parametrize(
    "when",
    [
        "operation.hasWhere",
        'operation.action != "DROP TABLE"',
        '!operation.tables.exists(t, t == "public.payroll")',
        '!operation.accesses.exists(a, a.object.startsWith("public.pay"))',
    ],
)
def test_what_is_open_on_a_condition_is_not_open(when: str) -> None:
    rules = [{**OPEN[0], "when": when}, *OPEN[1:]]
    assert not World(policy_document(*rules)).open().unbound(ANYTHING)


def test_without_a_bundle_everybody_is_bound() -> None:
    world = World(policy_document(*OPEN))
    judge = world.open()
    world.apply()
    assert not judge.unbound(ANYTHING)

"""Operations that wait for people: what lets them run, what does not, and what ends the wait."""

from __future__ import annotations

import asyncio

import pytest

from kit.guard_world import DELETE_NEEDS, READ_ORDERS, World, delete, no_facts, policy_document
from kit.verdicts import awaited, until
from tollhouse_core.api.approval_request import Decision, Phase
from tollhouse_core.decision import Permitted, Refusal, Refused


async def test_a_delete_waits_and_runs_once_approved() -> None:
    world = World(policy_document(READ_ORDERS, DELETE_NEEDS))
    judge = world.open()
    task = asyncio.ensure_future(awaited(judge.judge(delete(), no_facts, world.waiting)))
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
    again = asyncio.ensure_future(awaited(judge.judge(delete(), no_facts, world.waiting)))
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
    task = asyncio.ensure_future(awaited(world.open().judge(delete(), no_facts, world.waiting)))
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
    task = asyncio.ensure_future(awaited(world.open().judge(delete(), no_facts, world.waiting)))
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
    task = asyncio.ensure_future(awaited(world.open().judge(delete(), no_facts, world.waiting)))
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
    task = asyncio.ensure_future(awaited(world.open().judge(delete(), no_facts, world.waiting)))
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
        task = asyncio.ensure_future(awaited(world.open().judge(delete(), no_facts, world.waiting)))
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
    pending = await awaited(one.judge(delete(), no_facts, world.waiting))
    assert isinstance(pending, Refused)
    assert pending.refusal is Refusal.PENDING
    still = await awaited(one.judge(delete(), no_facts, world.waiting))
    assert still.request == pending.request
    await world.approvals.vote(pending.request, "alice", ["managers"], Decision.APPROVED, world.clock.now())
    different = await awaited(one.judge(delete(8), no_facts, world.waiting))
    assert isinstance(different, Refused)
    verdicts = await asyncio.gather(
        awaited(one.judge(delete(), no_facts, world.waiting)),
        awaited(other.judge(delete(), no_facts, world.waiting)),
    )
    assert sum(isinstance(verdict, Permitted) for verdict in verdicts) == 1


async def test_a_deleted_request_is_no_approval() -> None:
    world = World(policy_document(READ_ORDERS, DELETE_NEEDS))
    task = asyncio.ensure_future(awaited(world.open().judge(delete(), no_facts, world.waiting)))
    await until(lambda: world.waits)
    await world.approvals.delete(world.waits[0][0])
    verdict = await task
    assert isinstance(verdict, Refused)
    assert "deleted" in verdict.message

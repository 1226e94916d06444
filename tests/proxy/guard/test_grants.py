"""One approval that opens more than one operation: which, for how long, how often."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from kit.guard_world import DELETE_NEEDS, READ_ORDERS, World, delete, no_facts, policy_document, session
from tollhouse_core.api.approval_request import Decision, Phase
from tollhouse_core.decision import Permitted, Refusal, Refused
from tollhouse_core.identity import Identity, Proof
from tollhouse_core.operation import Operation
from tollhouse_proxy.guard.session import SessionJudge


def rule(grant: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    needs: dict[str, Any] = dict(DELETE_NEEDS["requireApproval"])  # type: ignore[call-overload]
    return {"name": "deletes", "requireApproval": {**needs, "grant": dict(grant), **more}}


def templated(identifier: int = 7) -> Operation:
    return replace(delete(identifier), template="DELETE FROM public.orders WHERE id = 0")


class Asking:
    """A world under one rule with a grant, and somebody who approves what waits."""

    def __init__(self, grant: Mapping[str, Any], **more: Any) -> None:
        self.world = World(policy_document(READ_ORDERS, rule(grant, **more)))

    async def runs_at_once(self, judge: SessionJudge, operation: Operation) -> bool:
        """Whether it is permitted without anybody being asked; else the question is taken back."""
        asked = len(self.world.approvals.requests)
        task = asyncio.ensure_future(verdict(judge, operation, self.world))
        while not task.done() and len(self.world.approvals.requests) == asked:
            await asyncio.sleep(0)
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            return False
        assert isinstance(task.result(), Permitted)
        return True

    async def approved(self, judge: SessionJudge, operation: Operation) -> str:
        """The name of the request that opened it."""
        task = asyncio.ensure_future(verdict(judge, operation, self.world))
        before = len(self.world.waits)
        while len(self.world.waits) == before:
            await asyncio.sleep(0)
        name = self.world.waits[-1][0]
        await self.world.approvals.vote(
            name, "alice", ["managers"], Decision.APPROVED, self.world.clock.now()
        )
        assert isinstance(await task, Permitted)
        return name


async def verdict(judge: SessionJudge, operation: Operation, world: World) -> Permitted | Refused:
    found = judge.judge(operation, no_facts, world.waiting)
    assert not isinstance(found, Permitted | Refused)
    return await found


async def test_without_a_grant_every_operation_asks() -> None:
    world = World(policy_document(READ_ORDERS, DELETE_NEEDS))
    asking = Asking({"session": {}})
    asking.world = world
    judge = world.open()
    await asking.approved(judge, delete())
    assert not await asking.runs_at_once(judge, delete())


async def test_an_exact_grant_opens_the_same_operation_again_and_no_other() -> None:
    asking = Asking({"session": {}})
    judge = asking.world.open()
    name = await asking.approved(judge, templated(7))
    assert await asking.runs_at_once(judge, templated(7))
    assert not await asking.runs_at_once(judge, templated(8))
    assert asking.world.approvals.requests[name].status.uses == 2


async def test_a_template_grant_opens_other_values_but_no_other_parameters_objects_or_statement() -> None:
    asking = Asking({"session": {}, "covers": "Template"})
    judge = asking.world.open()
    await asking.approved(judge, templated(7))
    assert await asking.runs_at_once(judge, templated(8))
    for other in (
        replace(templated(), template="DELETE FROM public.orders WHERE total > 0"),
        replace(templated(), parameters=("1",)),
        replace(templated(), resources=()),
        replace(templated(), template=""),
    ):
        assert not await asking.runs_at_once(judge, other)


async def test_what_has_no_template_is_granted_as_it_is() -> None:
    asking = Asking({"session": {}, "covers": "Template"})
    judge = asking.world.open()
    await asking.approved(judge, delete(7))
    assert await asking.runs_at_once(judge, delete(7))
    assert not await asking.runs_at_once(judge, delete(8))


async def test_a_session_grant_opens_nothing_in_another_session() -> None:
    asking = Asking({"session": {}})
    await asking.approved(asking.world.open(1), delete())
    assert not await asking.runs_at_once(asking.world.open(2), delete())


async def test_a_grant_for_a_time_opens_in_other_sessions_of_the_same_identity_only() -> None:
    asking = Asking({"for": "10m"})
    await asking.approved(asking.world.open(1), delete())
    assert await asking.runs_at_once(asking.world.open(2), delete())
    mallory = Identity("mallory", "kubernetes", Proof.SERVICE_ACCOUNT, groups=("support-agents",))
    assert not await asking.runs_at_once(asking.world.gate.open(session(mallory, 3)), delete())


async def test_the_time_of_a_grant_runs_from_its_first_use() -> None:
    asking = Asking({"for": "10m"})
    judge = asking.world.open()
    name = await asking.approved(judge, delete())
    asking.world.clock.forward(599)
    assert await asking.runs_at_once(judge, delete())
    asking.world.clock.forward(1)
    assert not await asking.runs_at_once(judge, delete())
    assert asking.world.approvals.requests[name].status.uses == 2


async def test_a_grant_for_a_session_is_over_after_a_day() -> None:
    asking = Asking({"session": {}})
    judge = asking.world.open()
    await asking.approved(judge, delete())
    asking.world.clock.forward(86_399)
    assert await asking.runs_at_once(judge, delete())
    asking.world.clock.forward(1)
    assert not await asking.runs_at_once(judge, delete())


async def test_uses_are_counted_and_the_last_one_ends_the_grant() -> None:
    asking = Asking({"session": {}, "uses": 3})
    judge = asking.world.open()
    name = await asking.approved(judge, delete())
    assert await asking.runs_at_once(judge, delete())
    assert asking.world.approvals.requests[name].status.phase is Phase.APPROVED
    assert await asking.runs_at_once(judge, delete())
    assert asking.world.approvals.requests[name].status.phase is Phase.USED
    assert not await asking.runs_at_once(judge, delete())


async def test_two_sessions_that_race_for_the_last_use_run_it_once() -> None:
    asking = Asking({"for": "10m", "uses": 2}, whileWaiting="FailFast")
    world = asking.world
    one, other = world.open(1), world.open(2)
    pending = await verdict(one, delete(), world)
    assert isinstance(pending, Refused)
    assert pending.refusal is Refusal.PENDING
    await world.approvals.vote(pending.request, "alice", ["managers"], Decision.APPROVED, world.clock.now())
    assert isinstance(await verdict(one, delete(), world), Permitted)
    found = await asyncio.gather(verdict(one, delete(), world), verdict(other, delete(), world))
    assert sorted(type(each).__name__ for each in found) == ["Permitted", "Refused"]


async def test_a_changed_rule_ends_a_grant_and_a_deletion_too() -> None:
    asking = Asking({"session": {}})
    judge = asking.world.open()
    await asking.approved(judge, delete())
    asking.world.apply(policy_document(READ_ORDERS, rule({"session": {}, "uses": 50})))
    assert not await asking.runs_at_once(judge, delete())
    asking.world.apply(policy_document(READ_ORDERS, rule({"session": {}})))
    assert await asking.runs_at_once(judge, delete())
    for name in list(asking.world.approvals.requests):
        await asking.world.approvals.delete(name)
    assert not await asking.runs_at_once(judge, delete())


async def test_a_denied_request_with_a_grant_opens_nothing() -> None:
    asking = Asking({"session": {}})
    judge = asking.world.open()
    task = asyncio.ensure_future(verdict(judge, delete(), asking.world))
    while not asking.world.waits:
        await asyncio.sleep(0)
    name = asking.world.waits[0][0]
    await asking.world.approvals.vote(name, "alice", ["managers"], Decision.DENIED, asking.world.clock.now())
    assert isinstance(await task, Refused)
    assert not await asking.runs_at_once(judge, delete())


@pytest.mark.parametrize(
    ("grant", "words"),
    [
        ({"session": {}}, "this operation, in the session that asks, at most 100 times"),
        (
            {"for": "10m", "covers": "Template", "uses": 5},
            "this statement with any values, for 10m from its first use, at most 5 times",
        ),
    ],
)
async def test_who_waits_and_the_audit_are_told_what_the_approval_would_open(
    grant: dict[str, Any], words: str
) -> None:
    asking = Asking(grant)
    await asking.approved(asking.world.open(), templated())
    assert asking.world.waits[0][1].endswith(f"; it would open {words}")
    asked = [event for event in asking.world.sink.events if event.kind.value == "ApprovalRequested"]
    assert asked[0].data["opens"] == words

"""What asking people may cost, what of it is recorded, and whom sessions are still believed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from kit.guard_world import (
    DELETE_NEEDS,
    READ_ORDERS,
    World,
    connection_document,
    delete,
    no_facts,
    policy_document,
    session,
)
from tollhouse_core.api import parse_object
from tollhouse_core.api.approval_request import ApprovalRequest, Phase
from tollhouse_core.decision import Refusal, Refused
from tollhouse_core.identity import Identity, Proof
from tollhouse_core.policy.bundle import build_bundle
from tollhouse_dialects import LANGUAGES
from tollhouse_proxy.guard.asking import MOST_OPEN
from tollhouse_proxy.guard.session import SessionJudge

FAIL_FAST: dict[str, Any] = {
    "name": "deletes",
    "requireApproval": {**DELETE_NEEDS["requireApproval"], "whileWaiting": "FailFast"},  # type: ignore[dict-item]
}


async def refused(world: World, judge: SessionJudge, identifier: int) -> Refused:
    verdict = judge.judge(delete(identifier), no_facts, world.waiting)
    assert not isinstance(verdict, Refused)
    found = await verdict  # type: ignore[misc]
    assert isinstance(found, Refused)
    return found


async def test_an_identity_that_asks_without_end_is_stopped_and_told_when_to_go_on() -> None:
    world = World(policy_document(FAIL_FAST))
    judges = [world.open(1), world.open(2)]
    for number in range(MOST_OPEN):
        assert (await refused(world, judges[number % 2], number)).refusal is Refusal.PENDING
    one_more = await refused(world, judges[0], 1_000)
    assert one_more.refusal is Refusal.LIMIT
    assert one_more.retry_after_seconds == 900
    assert len(world.approvals.requests) == MOST_OPEN
    assert world.sink.events[-1].data["decision"] == "limit"
    assert (await refused(world, judges[0], 0)).refusal is Refusal.PENDING, (
        "what is asked already stays asked"
    )
    world.clock.forward(901)
    assert (await refused(world, judges[0], 1_000)).refusal is Refusal.PENDING


async def test_an_operation_refused_while_people_think_is_in_the_audit() -> None:
    world = World(policy_document(FAIL_FAST))
    judge = world.open()
    first, second = await refused(world, judge, 7), await refused(world, judge, 7)
    assert first.request == second.request != ""
    decided = [event.data for event in world.sink.events if event.kind.value == "OperationDecided"]
    assert [data["decision"] for data in decided] == ["pending", "pending"]
    assert {data["request"] for data in decided} == {first.request}
    assert all("DELETE" in str(data["text"]) for data in decided)


async def test_a_statement_given_up_while_it_waits_is_in_the_audit_unless_the_session_is_over() -> None:
    world = World(policy_document(DELETE_NEEDS))
    for number, over in ((1, False), (2, True)):
        judge = world.open(number)
        waiting = asyncio.ensure_future(judge.judge(delete(), no_facts, world.waiting))  # type: ignore[arg-type]
        while len(world.waits) < number:
            await asyncio.sleep(0)
        if over:
            judge.close("client")
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        last = [event for event in world.sink.events if event.session == f"session-{number}"][-1]
        assert last.kind.value == ("SessionClosed" if over else "OperationDecided")
        assert over or last.data["decision"] == "cancelled"


def test_a_session_ends_when_its_identitys_provider_is_not_trusted_any_more() -> None:
    world = World()
    world.in_force.offer(bundle(("corp", "https://corp.example"), ("other", "https://other.example")))
    ann = world.gate.open(session(Identity("ann", "corp", Proof.OIDC, groups=("support-agents",))))
    ben = world.gate.open(session(Identity("ben", "other", Proof.OIDC, groups=("support-agents",))))
    world.in_force.offer(bundle(("corp", "https://corp.example")))
    assert ann.lost == ""
    assert ben.lost == "the connection does not trust who vouched for ben any more"
    world.in_force.offer(bundle(("corp", "https://moved.example")))
    assert ann.lost == "the connection does not trust who vouched for ann any more"


def test_a_bundle_that_breaks_the_compiler_changes_nothing(monkeypatch: Any) -> None:
    world = World(policy_document(READ_ORDERS))
    before = world.in_force.revision

    def broken(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("tollhouse_proxy.guard.in_force.PolicyBundle.from_json", broken)
    assert not world.in_force.offer("{}")
    assert world.in_force.problem == "it could not be compiled (RuntimeError)"
    assert world.in_force.revision == before


def bundle(*providers: tuple[str, str]) -> str:
    connection = connection_document()
    connection["spec"]["identity"] = {
        "providers": [name for name, _ in providers],
        "audiences": ["tollhouse"],
    }
    made = build_bundle(
        parse_object(connection),  # type: ignore[arg-type]
        [parse_object(policy_document(READ_ORDERS))],  # type: ignore[list-item]
        [parse_object(provider(name, issuer)) for name, issuer in providers],  # type: ignore[misc]
        [],
        LANGUAGES,
    )
    assert made.bundle is not None, made.problems
    return made.bundle.to_json()


def provider(name: str, issuer: str) -> Mapping[str, Any]:
    return {
        "apiVersion": "tollhouse.dev/v1alpha1",
        "kind": "IdentityProvider",
        "metadata": {"name": name},
        "spec": {"oidc": {"issuer": issuer}},
    }


async def test_a_request_that_is_cancelled_while_it_is_made_is_withdrawn_once_it_is_there() -> None:
    world = World(policy_document(DELETE_NEEDS))
    made, go_on = world.approvals.create, asyncio.Event()

    async def slowly(request: ApprovalRequest) -> ApprovalRequest:
        await go_on.wait()
        return await made(request)

    world.approvals.create = slowly  # type: ignore[method-assign]
    waiting = asyncio.ensure_future(world.open().judge(delete(), no_facts, world.waiting))  # type: ignore[arg-type]
    for _ in range(5):
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(waiting, return_exceptions=True)
    assert [one.status.phase for one in world.approvals.requests.values()] == [Phase.WITHDRAWN]


async def test_a_request_that_the_audit_cannot_record_is_withdrawn() -> None:
    world = World(policy_document(FAIL_FAST))
    judge = world.open()
    world.sink.broken = True
    assert (await refused(world, judge, 7)).refusal is Refusal.UNAVAILABLE
    assert [one.status.phase for one in world.approvals.requests.values()] == [Phase.WITHDRAWN]

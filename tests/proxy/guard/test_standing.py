"""A standing verdict is counted, recorded and taken back like any other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kit.guard_world import READ_ORDERS, World, no_facts, policy_document, select
from tollhouse_core.audit.chain import canonical_json
from tollhouse_core.decision import Permitted, Refusal, Refused
from tollhouse_core.identity import Identity, Proof
from tollhouse_core.operation import Operation
from tollhouse_proxy.guard.session import SessionJudge
from tollhouse_proxy.ports.judging import Completion, Outcome, Standing

PACE = {"name": "pace", "limit": {"queries": 3, "per": "1m"}}
CARDS = {"name": "cards", "mask": {"content": ["PaymentCard"], "with": {"redact": {}}}}


def standing(judge: SessionJudge, operation: Operation) -> tuple[Permitted, Standing]:
    verdict = judge.judge(operation, no_facts, lambda name, words: None)
    assert isinstance(verdict, Permitted)
    found = judge.standing(verdict, operation)
    assert found is not None
    return verdict, found


def test_the_records_of_a_repeated_verdict_are_those_of_a_verdict_given_again() -> None:
    worlds = [World(policy_document(READ_ORDERS, CARDS)) for _ in range(2)]
    other = select(text="SELECT * FROM orders WHERE card = '4111 1111 1111 1111'", parameters=("a", None))
    for repeats, world in enumerate(worlds):
        judge = world.open()
        permitted, kept = standing(judge, select())
        world.clock.forward(1.5)
        if repeats:
            number = judge.repeat(kept, other.text, other.parameters, world.clock.monotonic())
            assert isinstance(number, int)
            world.clock.forward(0.25)
            assert judge.repeated(kept, number, 3, 99, "SELECT 3", world.clock.monotonic())
        else:
            again = judge.again(permitted, other)
            assert isinstance(again, Permitted)
            world.clock.forward(0.25)
            assert judge.spent(again.operation_id, 3, 99) is None
            judge.completed(Completion(again.operation_id, Outcome.COMPLETED, 3, 99, "", "SELECT 3"))
    one, two = worlds
    lines = [
        [canonical_json([event.kind, event.sequence, event.time, event.data]) for event in world.sink.events]
        for world in worlds
    ]
    assert lines[0] == lines[1]
    assert "4111" not in repr(two.sink.events)
    assert vars(one.counters) == vars(two.counters)


def test_a_repeated_verdict_counts_against_limits_and_is_refused_when_they_are_used_up() -> None:
    world = World(policy_document(READ_ORDERS, PACE))
    judge = world.open()
    _, kept = standing(judge, select())
    for _ in range(2):
        assert isinstance(judge.repeat(kept, "SELECT 1", (), 0.0), int)
    refused = judge.repeat(kept, "SELECT 1", (), 0.0)
    assert isinstance(refused, Refused)
    assert refused.refusal is Refusal.LIMIT
    assert [event.data["decision"] for event in world.sink.events[1:]] == ["allow", "allow", "allow", "limit"]
    assert world.sink.events[-1].data["text"] == "SELECT 1"


def test_a_limit_that_only_warns_gives_its_notice() -> None:
    world = World(policy_document(READ_ORDERS, {**PACE, "mode": "Warn"}))
    judge = world.open()
    _, kept = standing(judge, select())
    for _ in range(2):
        assert isinstance(judge.repeat(kept, "SELECT 1", (), 0.0), int)
    warned = judge.repeat(kept, "SELECT 1", (), 0.0)
    assert isinstance(warned, Permitted)
    assert warned.notices
    assert world.sink.events[-1].data["observed"]


@pytest.mark.parametrize("limits", [(), (PACE,)], ids=["without limits", "with a limit"])
def test_what_the_audit_cannot_take_is_not_repeated(limits: tuple[dict[str, object], ...]) -> None:
    world = World(policy_document(READ_ORDERS, *limits))
    judge = world.open()
    _, kept = standing(judge, select())
    world.sink.broken = True
    verdict = judge.repeat(kept, "SELECT 1", (), 0.0)
    assert not isinstance(verdict, int | Permitted)
    assert world.counters.operations["allowed"] == 1


def test_another_bundle_ends_it_at_once() -> None:
    world = World(policy_document(READ_ORDERS))
    judge = world.open()
    _, kept = standing(judge, select())
    number = judge.repeat(kept, "SELECT 1", (), 0.0)
    assert isinstance(number, int)
    world.apply(policy_document(READ_ORDERS, PACE))
    before = len(world.sink.events)
    assert judge.repeat(kept, "SELECT 1", (), 0.0) is None
    assert not judge.repeated(kept, number, 1, 1, "SELECT 1", 0.0)
    assert len(world.sink.events) == before
    judge.completed(Completion(number, Outcome.COMPLETED))
    assert world.sink.kinds()[-1] == "OperationCompleted"


def test_a_verdict_that_depends_on_time_or_text_does_not_stand() -> None:
    office = {**READ_ORDERS, "when": "now.getFullYear() > 2000"}
    world = World(policy_document(office))
    judge = world.open()
    verdict = judge.judge(select(), no_facts, lambda name, words: None)
    assert isinstance(verdict, Permitted)
    assert judge.standing(verdict, select()) is None


def test_what_runs_when_the_session_ends_is_recorded_as_lost() -> None:
    world = World(policy_document(READ_ORDERS))
    judge = world.open()
    _, kept = standing(judge, select())
    judge.repeat(kept, "SELECT 1", (), 0.0)
    judge.close("client")
    assert world.sink.kinds()[-3:] == ["OperationCompleted", "OperationCompleted", "SessionClosed"]
    assert judge.repeat(kept, "SELECT 1", (), 0.0) is None


def test_identities_terms_and_addresses_that_rules_read_are_kept_apart() -> None:
    plain, near = World(policy_document(READ_ORDERS)), {**READ_ORDERS, "when": "session.address != ''"}
    reading = World(policy_document(near))
    alice = Identity("alice", "corp", Proof.OIDC, groups=("support-agents",))
    for world, apart in ((plain, False), (reading, True)):
        one, same = world.open(1), world.open(2)
        assert one.principal == same.principal
        elsewhere = replace(one._session, address="10.0.0.2:1")
        assert (world.gate.open(elsewhere).principal != one.principal) is apart
        for changed in ({"identity": alice}, {"database": "d"}, {"user": "u"}, {"application_name": "a"}):
            assert world.gate.open(replace(one._session, **changed)).principal != one.principal  # type: ignore[arg-type]

"""What the guard does with one operation, in the order it must happen."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest

from kit.guard_world import READ_ORDERS, World, no_facts, policy_document, select, session
from kit.verdicts import awaited, judged
from tollhouse_core.decision import Permitted, Refusal, Refused
from tollhouse_core.identity import Identity, Proof
from tollhouse_proxy.guard.records import MAX_TEXT
from tollhouse_proxy.ports.judging import Completion, Outcome, SessionNotAllowed


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


def recorded(text: str, *parameters: str | None) -> Mapping[str, object]:
    """What the audit holds of a statement, where card numbers are to be hidden."""
    cards = {"name": "cards", "mask": {"content": ["PaymentCard"], "with": {"redact": {}}}}
    world = World(policy_document(READ_ORDERS, cards))
    judged(world, world.open(), replace(select(), text=text, canonical=text, parameters=parameters))
    return world.sink.events[-1].data


def test_of_a_long_text_the_record_holds_the_beginning_and_the_length_of_all() -> None:
    card = "4111 1111 1111 1111"
    for begun in range(MAX_TEXT - len(card), MAX_TEXT + 1, 6):
        text = "x" * (begun - 1) + " " + card + " y" * 20_000
        record = recorded(text, text, None, card)
        assert record["textLength"] == len(text)
        assert record["parameters"] == [record["text"], None, "[redacted]"]
        assert isinstance(record["text"], str)
        assert text.replace(card, "[redacted]").startswith(record["text"])
        assert MAX_TEXT - len(card) < len(record["text"]) <= MAX_TEXT


def test_a_find_that_begins_where_nobody_looks_any_more_is_not_recorded() -> None:
    for begun in range(MAX_TEXT + 16_000, MAX_TEXT + 16_400, 7):
        record = recorded("x" * begun + " 4111 1111 1111 1111 " + "y" * 1000)
        assert set(str(record["text"])) == {"x"}
        assert record["textLength"] == begun + 1021


def test_a_long_text_full_of_finds_is_recorded_as_one_that_is_hidden() -> None:
    record = recorded("4111 1111 1111 1111, " * 20_000)
    assert str(record["text"]).startswith("[redacted]")
    assert "4111" not in str(record["text"])
    assert record["textLength"] == 420_000


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
    refused = asyncio.run(awaited(verdict))
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
    assert isinstance(asyncio.run(awaited(verdict)), Refused)

"""Whether an operation is in a transaction is judged as it is where it runs."""

from __future__ import annotations

import pytest

from kit.wire_transcript import Transcript, bind, done, execute, parse, query, ready
from kit.wire_world import ScriptedGate
from tollhouse_proxy.protocols.postgres.sql.statement import EffectKind, SessionEffect

SYNC = b"S\0\0\0\4"
PARSED, BOUND = b"1\0\0\0\4", b"2\0\0\0\4"


@pytest.fixture(params=[False, True])
def talk(request: pytest.FixtureRequest) -> Transcript:
    return Transcript(gate=ScriptedGate(cacheable=request.param)).log_in()


def facts(talk: Transcript) -> list[tuple[str, object]]:
    judged = talk.gate.sessions[-1].judged
    found = [(one.action, one.facts["inTransaction"]) for one in judged]
    judged.clear()
    return found


def test_statements_of_one_text_are_judged_behind_those_before_them(talk: Transcript) -> None:
    text = "UPDATE a; BEGIN; UPDATE b; COMMIT; UPDATE c"
    for _ in range(2):
        talk.client(query(text))
        assert [found for action, found in facts(talk) if action == "UPDATE"] == [False, True, False]
        talk.backend(done("UPDATE 1"), done("BEGIN"), done("UPDATE 1"), done("COMMIT"), done("UPDATE 1"))
        talk.backend(ready())


def test_a_prepared_statement_is_judged_where_it_is_executed(talk: Transcript) -> None:
    talk.client(parse("UPDATE a", "u"), bind("u"), execute(), SYNC)
    talk.backend(PARSED, BOUND, done("UPDATE 1"), ready())
    assert facts(talk)[-1] == ("UPDATE", False)
    talk.client(query("BEGIN"))
    talk.backend(done("BEGIN"), ready("T"))
    talk.client(bind("u"), execute(), SYNC)
    assert facts(talk)[-1] == ("UPDATE", True)


def test_a_pipeline_is_judged_behind_what_was_sent_and_not_answered_yet(talk: Transcript) -> None:
    talk.client(parse("BEGIN", "b"), parse("UPDATE a", "u"))
    talk.client(bind("b"), execute(), bind("u"), execute())
    assert facts(talk)[-2:] == [("BEGIN", False), ("UPDATE", True)]


def test_the_same_text_is_judged_anew_inside_a_transaction(talk: Transcript) -> None:
    for begins in (False, True):
        if begins:
            talk.client(query("BEGIN"))
            talk.backend(done("BEGIN"), ready("T"))
        talk.client(query("UPDATE a"))
        assert facts(talk)[-1] == ("UPDATE", begins)
        talk.backend(done("UPDATE 1"), ready("T" if begins else "I"))


def test_a_chained_transaction_begins_at_once() -> None:
    assert SessionEffect(EffectKind.COMMIT, chains=True).in_transaction(True)
    assert not SessionEffect(EffectKind.ROLLBACK).in_transaction(True)

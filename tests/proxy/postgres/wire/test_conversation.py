"""The conversation as a transcript: what each side sends, and what the other gets to see."""

from __future__ import annotations

import asyncio

import pytest

from kit.wire_transcript import (
    BOUND,
    CLOSED,
    FLUSH,
    PARSED,
    SYNC,
    Transcript,
    bind,
    done,
    error,
    execute,
    parse,
    query,
    ready,
    result,
    said,
)
from kit.wire_world import RULE, ScriptedGate, ScriptedJudge, refused
from tollhouse_core.decision import ColumnMask, Obligations, Refused
from tollhouse_core.masks import Nullify
from tollhouse_core.operation import Operation
from tollhouse_proxy.exchange import EndReason, Forget, SendAside, Settled, Wait
from tollhouse_proxy.ports.judging import Outcome
from tollhouse_proxy.protocols.postgres.desk import DENIED_TEXT
from tollhouse_proxy.protocols.postgres.wire import frontend
from tollhouse_proxy.protocols.postgres.wire.backend import DataRow
from tollhouse_proxy.protocols.postgres.wire.body import message
from tollhouse_proxy.protocols.postgres.wire.startup import CancelRequest

MASKED = Obligations(columns=(ColumnMask(("public", "t"), "c", Nullify(), RULE),))


def no_deletes(judge: ScriptedJudge, operation: Operation) -> Refused | None:
    return refused() if operation.action == "DELETE" else None


@pytest.fixture(params=[0, 1, 7], ids=["whole", "byte by byte", "sevens"])
def talk(request: pytest.FixtureRequest) -> Transcript:
    return Transcript(chunk=request.param, gate=ScriptedGate(deciding=no_deletes)).log_in()


def test_a_query_and_its_answer_pass_untouched(talk: Transcript) -> None:
    talk.client(query("SELECT 1"))
    assert talk.to_backend() == [query("SELECT 1")]
    talk.backend(result("x"), ready())
    assert b"".join(talk.to_client()) == result("x") + ready()
    [judge] = talk.gate.sessions
    assert [(one.outcome, one.rows, one.tag) for one in judge.done] == [(Outcome.COMPLETED, 1, "SELECT 1")]


def test_a_denial_outside_a_transaction_needs_no_backend(talk: Transcript) -> None:
    talk.client(query("DELETE t"))
    assert talk.sent() == ""
    assert talk.kinds() == "EZ"


def test_a_denial_behind_answers_that_are_owed_comes_in_its_turn(talk: Transcript) -> None:
    talk.client(query("SELECT 1"), query("DELETE t"), query("SELECT 2"))
    sent = talk.to_backend()
    assert [one[:1] for one in sent] == [b"Q", b"Q", b"Q"]
    assert DENIED_TEXT.encode() in sent[1]
    assert talk.kinds() == ""
    talk.backend(result("1"), ready())
    assert talk.kinds() == "TDCZ"
    talk.backend(error("42601", "syntax error"), ready())
    [refusal, end] = talk.to_client()
    assert said(refusal)["M"].startswith("denied by policy support")
    assert end == ready()
    talk.backend(result("2"), ready())
    assert talk.kinds() == "TDCZ"


def test_a_denial_in_a_transaction_makes_it_fail_at_the_backend(talk: Transcript) -> None:
    talk.client(query("BEGIN"))
    talk.backend(done("BEGIN"), ready("T"))
    talk.to_backend(), talk.to_client()
    talk.client(query("DELETE t"))
    [sent] = talk.to_backend()
    assert b"DELETE" not in sent
    talk.backend(error("42601"), ready("E"))
    assert talk.to_client()[-1] == ready("E")


def test_the_extended_protocol_passes_and_is_judged_at_execute(talk: Transcript) -> None:
    talk.client(parse("SELECT 1", "s"), bind("s", values=(b"7",)), execute(), SYNC)
    assert talk.sent() == "PBES"
    talk.backend(PARSED, BOUND, done("SELECT 0"), ready())
    assert talk.kinds() == "12CZ"
    [operation] = talk.gate.sessions[0].judged
    assert operation.parameters == ("7",)


def test_a_denied_parse_discards_up_to_sync(talk: Transcript) -> None:
    talk.client(parse("DELETE t"), bind(), execute(), query("SELECT 9"), SYNC)
    assert talk.sent() == "S"
    assert talk.kinds() == "E"
    talk.backend(ready())
    assert talk.kinds() == "Z"


def test_a_denial_in_a_pipeline_fails_it_at_the_backend_and_leaves_names_true(talk: Transcript) -> None:
    talk.client(
        parse("SELECT 1", "a"), bind("a"), execute(), parse("DELETE t", "b"), bind("b"), execute(), SYNC
    )
    sent = talk.to_backend()
    assert [one[:1] for one in sent] == [b"P", b"B", b"E", b"P", b"S"]
    assert DENIED_TEXT.encode() in sent[3]
    talk.backend(PARSED, BOUND, done("SELECT 0"), error("42601"), ready())
    assert talk.kinds() == "12CEZ"
    talk.client(bind("b"), SYNC)
    assert talk.sent() == "S"
    [refusal] = talk.to_client()
    assert said(refusal)["C"] == "26000"


def test_what_the_backend_skips_is_not_recorded_as_prepared(talk: Transcript) -> None:
    talk.client(parse("SELECT bad", "a"), parse("SELECT 2", "b"), SYNC)
    talk.backend(error("42703"), ready())
    talk.to_backend()
    assert talk.kinds() == "EZ"
    for name in ("a", "b"):
        talk.client(bind(name), SYNC)
        assert talk.sent() == "S"
        assert said(talk.to_client()[0])["C"] == "26000"
        talk.backend(ready())
        talk.to_client()


def test_flush_without_sync_is_passed_on(talk: Transcript) -> None:
    talk.client(parse("SELECT 1"), FLUSH)
    assert talk.sent() == "PH"
    talk.backend(PARSED)
    assert talk.kinds() == "1"


def test_a_text_of_several_statements_is_sent_as_one_query(talk: Transcript) -> None:
    talk.client(query("BEGIN; SELECT 1; COMMIT"))
    assert talk.to_backend() == [query("BEGIN; SELECT 1; COMMIT")]
    talk.backend(done("BEGIN"), result("1"), done("COMMIT"), ready())
    assert talk.kinds() == "CTDCCZ"
    assert len(talk.gate.sessions[0].done) == 3


def test_an_error_in_the_middle_of_a_text_ends_the_rest_as_never_run(talk: Transcript) -> None:
    talk.client(query("SELECT 1; SELECT 2; SELECT 3"))
    talk.backend(result("1"), error(), ready())
    assert talk.kinds() == "TDCEZ"
    outcomes = sorted(one.outcome.value for one in talk.gate.sessions[0].done)
    assert outcomes == ["Cancelled", "Completed", "Failed"]


def test_a_known_text_is_judged_again_but_not_read_again(talk: Transcript) -> None:
    for _ in range(3):
        talk.client(query("SELECT 1"))
        assert talk.sent() == "Q"
        talk.backend(result("x"), ready())
        talk.to_client()
    assert len(talk.gate.sessions[0].judged) == 3
    talk.gate.deciding = lambda judge, operation: refused()
    talk.gate.revision = "sha256:two"
    talk.client(query("SELECT 1"))
    assert talk.sent() == ""
    assert talk.kinds() == "EZ"


def test_a_rewritten_statement_maps_its_error_position_back(talk: Transcript) -> None:
    talk.gate.obligations = MASKED
    talk.client(query("  SELECT nope"))
    assert talk.to_backend() == [query("  /*masked*/SELECT nope")]
    talk.backend(error("42703", 'column "secret" does not exist', P="20", D="secret"), ready())
    fields = said(talk.to_client()[0])
    assert fields["P"] == "10"
    assert "secret" not in str(fields)


def test_a_column_that_must_not_show_ends_the_session_before_a_row(talk: Transcript) -> None:
    talk.gate.obligations = MASKED
    talk.client(query("SELECT c"))
    talk.backend(result("ann@shop", table=16384, attribute=2), ready())
    out = b"".join(talk.machine.outbox.client)
    assert b"ann@shop" not in out
    assert talk.closed is not None
    assert talk.closed.reason is EndReason.FAILURE


def test_a_masked_result_is_described_by_us_when_the_client_does_not_ask(talk: Transcript) -> None:
    talk.gate.obligations = MASKED
    talk.client(parse("SELECT c"), bind(), execute(), SYNC)
    assert talk.sent() == "PBDES"
    column = result("x", table=16384, attribute=2)
    talk.backend(PARSED, BOUND, column)
    assert b"x" not in b"".join(talk.machine.outbox.client)[20:40]
    assert talk.closed is not None


def test_a_policy_that_moves_binds_the_next_execute_of_a_portal(talk: Transcript) -> None:
    talk.client(parse("SELECT c", "s"), bind("s"), SYNC)
    talk.backend(PARSED, BOUND, ready("T"))
    talk.to_backend(), talk.to_client()
    talk.gate.obligations, talk.gate.revision = MASKED, "sha256:two"
    talk.client(execute(), SYNC)
    sent = talk.to_backend()
    assert "".join(chr(one[0]) for one in sent) == "CCPBCDES"
    assert b"/*masked*/SELECT c" in sent[2]
    talk.backend(CLOSED, CLOSED, PARSED, BOUND, CLOSED, result("y", table=0))
    talk.backend(ready("T"))
    assert talk.kinds() == "DCZ"


def test_a_portal_that_has_begun_is_never_begun_again_under_another_policy(talk: Transcript) -> None:
    talk.client(parse("SELECT c", "s"), bind("s", "p"), execute("p", 1), SYNC)
    talk.backend(PARSED, BOUND, DataRow((b"1",)).encode(), message(b"s"), ready("T"))
    talk.client(execute("p", 1), SYNC)
    talk.backend(DataRow((b"2",)).encode(), message(b"s"), ready("T"))
    assert talk.kinds() == "12DsZDsZ"
    assert talk.sent() == "PBESES"
    assert len(talk.gate.sessions[0].judged) == 1
    talk.gate.obligations, talk.gate.revision = MASKED, "sha256:two"
    talk.client(execute("p", 1), SYNC)
    [poison, _] = talk.to_backend()
    assert DENIED_TEXT.encode() in poison
    talk.backend(error("42601"), ready("E"))
    assert "have changed" in said(talk.to_client()[0])["M"]


async def test_a_verdict_that_comes_too_late_is_for_nobody_else(talk: Transcript) -> None:
    """The catalog moves while people think: the statement is refused, and its yes opens nothing else."""
    loop = asyncio.get_running_loop()
    thinking = loop.create_future()
    talk.gate.deciding = lambda judge, operation: thinking if operation.action == "SELECT" else None
    talk.client(query("SELECT 1"))
    [wait] = [effect for effect in talk.did() if isinstance(effect, Wait)]
    talk.clock.time += 60
    talk.fingerprint = "moved"
    yes = talk.gate.sessions[0].permit(talk.gate.sessions[0].judged[0])
    talk.machine.receive(Settled(wait.number, yes))
    assert talk.answer_looks() == 4
    assert said(talk.to_client()[0])["C"] == "40001"
    talk.gate.deciding = lambda judge, operation: refused()
    talk.client(query("DROP everything"))
    assert talk.sent() == ""
    assert talk.kinds() == "EZ"
    [judge] = talk.gate.sessions
    assert [one.outcome for one in judge.done] == [Outcome.CANCELLED]


# ---------------------------------------------------------------- COPY


def test_copy_in_swallows_a_sync_that_came_too_early(talk: Transcript) -> None:
    talk.client(parse("COPYIN t"), bind(), execute(), SYNC)
    assert "".join(kind for kind in talk.sent() if kind != "H") == "PBE"
    talk.backend(PARSED, BOUND, message(b"G", b"\0\0\0"))
    talk.client(message(b"d", b"1\n"), message(b"c"), SYNC)
    assert talk.sent() == "dcS"
    talk.backend(done("COPY 1"), ready())
    assert talk.kinds() == "12GCZ"


def test_what_is_left_of_a_failed_copy_is_ignored(talk: Transcript) -> None:
    talk.client(query("COPYIN t"))
    talk.backend(message(b"G", b"\0\0\0"))
    talk.client(message(b"d", b"bad"))
    talk.backend(error("22P02"), ready())
    talk.client(message(b"d", b"more"), message(b"c"), query("SELECT 1"))
    assert talk.sent() == "QdQ"
    assert talk.kinds() == "GEZ"


def test_copy_data_out_of_place_goes_nowhere(talk: Transcript) -> None:
    talk.client(message(b"d", b"DROP"), message(b"c"), message(b"f", b"x\0"))
    assert talk.sent() == ""
    assert talk.closed is None


def test_a_query_during_copy_in_ends_the_session(talk: Transcript) -> None:
    talk.client(query("COPYIN t"))
    talk.backend(message(b"G", b"\0\0\0"))
    talk.client(query("DELETE t"))
    assert "Q" not in talk.sent()[1:]
    assert talk.closed is not None


# ---------------------------------------------------------------- our own looks


def test_a_catalog_that_changed_is_read_again_before_the_next_statement(talk: Transcript) -> None:
    talk.client(query("DDL table"), query("SELECT 1"))
    assert talk.sent() == "Q"
    talk.fingerprint = "f2"
    talk.backend(done("DDL"), ready())
    assert talk.answer_looks() == 3
    assert talk.kinds() == "CZ"
    talk.backend(result("1"), ready())
    assert talk.kinds() == "TDCZ"


def test_inside_a_pipeline_the_look_neither_commits_nor_shows(talk: Transcript) -> None:
    talk.client(parse("DDL table"), bind(), execute(), parse("SELECT 1"), SYNC)
    assert talk.sent() == "PBEH"
    talk.backend(PARSED, BOUND, done("DDL"))
    first = talk.to_backend()
    assert first[-1] == FLUSH
    assert SYNC not in first
    talk.machine.outbox.backend[:0] = first
    assert talk.answer_looks(synced=False) == 1
    assert talk.kinds() == "12C"


def test_an_old_snapshot_is_checked_between_transactions_only(talk: Transcript) -> None:
    talk.client(query("BEGIN"))
    talk.backend(done("BEGIN"), ready("T"))
    talk.to_backend()
    talk.clock.time += 5
    talk.client(query("SELECT 1"))
    assert talk.sent() == "Q"
    talk.backend(result("1"), ready("T"))
    talk.client(query("COMMIT"))
    talk.backend(done("COMMIT"), ready())
    talk.to_backend()
    talk.client(query("SELECT 2"))
    assert talk.answer_looks() == 1
    talk.backend(result("2"), ready())
    assert talk.kinds() == "CZTDCZCZTDCZ"


def test_a_look_that_fails_is_the_statements_own_error(talk: Transcript) -> None:
    talk.client(query("DDL x"))
    talk.backend(done("DDL"), ready())
    talk.to_backend(), talk.to_client()
    talk.client(query("SELECT 1"))
    talk.to_backend()
    talk.backend(error("57014", "canceling statement due to statement timeout"), ready())
    assert talk.kinds() == "EZ"
    talk.client(query("SELECT 1"))
    assert talk.answer_looks() == 1
    talk.backend(result("1"), ready())
    assert talk.kinds() == "TDCZ"


# ---------------------------------------------------------------- cancel


def test_a_cancel_with_our_key_is_passed_on_with_the_backends(talk: Transcript) -> None:
    talk.client(query("SELECT slow"))
    other = Transcript(gate=talk.gate, cancels=talk.cancels)
    other.client(CancelRequest(4711, b"kkkk").encode())
    assert other.closed is None, "the client would take it for done"
    assert other.kinds() == ""
    [wait] = [effect for effect in other.effects if isinstance(effect, Wait)]
    other.machine.receive(Settled(wait.number))
    assert other.closed is not None
    assert other.kinds() == ""
    [aside] = [effect for effect in talk.did() if isinstance(effect, SendAside)]
    assert aside.data == CancelRequest(4711, b"bkey").encode()
    assert aside.done is wait.awaitable
    assert talk.woken == 1


def test_the_backends_own_key_opens_nothing(talk: Transcript) -> None:
    talk.client(query("SELECT slow"))
    other = Transcript(gate=talk.gate, cancels=talk.cancels)
    other.client(CancelRequest(4711, b"bkey").encode())
    assert talk.did() == []


# ---------------------------------------------------------------- peers that break the protocol


@pytest.mark.parametrize(
    "hostile",
    [
        message(b"Q", b"SELECT 1"),
        message(b"Q", b"SELECT 1\0; DELETE t\0"),
        message(b"Q"),
        message(b"B", b"\0\0\0\x01\0\x07"),
        message(b"P", b"a\0b\0\xff\xff"),
        message(b"Z", b"I"),
        message(b"R", b"\0\0\0\0"),
        message(b"p", b"again\0"),
        b"Q\0\0\0\x03",
        b"Q\xff\xff\xff\xff",
        b"\0\0\0\x08\x04\xd2\x16\x2f",
        message(b"D", b"Xname\0"),
        message(b"S", b"x"),
    ],
)
def test_a_client_that_breaks_the_protocol_is_told_and_left(talk: Transcript, hostile: bytes) -> None:
    talk.client(hostile)
    assert talk.closed is not None
    assert talk.closed.reason is EndReason.PROTOCOL
    assert said(talk.to_client()[-1])["C"] == "08P01"
    assert talk.sent() in {"X", ""}


@pytest.mark.parametrize(
    "hostile",
    [
        result("x"),
        ready(),
        error(),
        PARSED,
        message(b"K", b"\0\0\0\x01abcd"),
        message(b"R", b"\0\0\0\x03"),
        message(b"V", b"\0\0\0\0"),
        message(b"W", b"\0\0\0"),
        b"Q\0\0\0\x04",
        message(b"S", b"client_encoding\0SJIS\0"),
        message(b"S", b"standard_conforming_strings\0off\0"),
        b"D\xff\xff\xff\xff",
    ],
)
def test_a_backend_that_answers_what_nobody_asked_ends_the_session(talk: Transcript, hostile: bytes) -> None:
    talk.backend(hostile)
    assert talk.closed is not None
    assert talk.closed.reason is EndReason.BACKEND
    assert talk.to_client()[-1][:1] == b"E"


def test_a_message_made_to_fail_must_fail(talk: Transcript) -> None:
    talk.client(query("SELECT 1"), query("DELETE t"))
    talk.backend(result("1"), ready(), done("DELETE 5"))
    assert talk.closed is not None


def test_names_of_our_own_are_not_for_clients(talk: Transcript) -> None:
    talk.client(parse("SELECT 1", "_tollhouse"), SYNC)
    assert talk.sent() == "S"
    assert said(talk.to_client()[0])["C"] == "42602"


def test_function_calls_are_refused_in_words(talk: Transcript) -> None:
    """Whatever the server says the oid is, it must be one of the functions on large objects."""
    talk.client(frontend.FunctionCall(2923, (), (), 0).encode())
    assert talk.answer_looks() == 1
    assert talk.sent() == ""
    [refusal, end] = talk.to_client()
    assert "FunctionCall" in said(refusal)["M"]
    assert end == ready()


def test_a_backend_that_dies_is_passed_on_and_what_ran_is_lost(talk: Transcript) -> None:
    talk.client(query("SELECT 1"))
    talk.backend(error("57P01", "terminating connection", severity="FATAL"))
    assert talk.kinds() == "E"
    assert talk.closed is not None
    assert [one.outcome for one in talk.gate.sessions[0].done] == [Outcome.LOST]


def test_asynchronous_messages_come_through_at_any_time(talk: Transcript) -> None:
    from tollhouse_proxy.protocols.postgres.wire.backend import NotificationResponse, ParameterStatus

    talk.backend(NotificationResponse(1, "news", "hi").encode(), ParameterStatus("TimeZone", "UTC").encode())
    assert talk.kinds() == "AS"
    talk.client(query("SELECT 1"))
    talk.backend(NotificationResponse(1, "news", "hi").encode(), result("1"), ready())
    assert talk.kinds() == "ATDCZ"


async def test_a_client_is_read_while_people_think_but_not_without_end(talk: Transcript) -> None:
    thinking = asyncio.get_running_loop().create_future()
    talk.gate.deciding = lambda judge, operation: thinking if operation.action == "ASK" else None
    talk.client(query("ASK people"))
    talk.chunk = 0
    talk.client(message(b"Q", b"x" * 400_000 + b"\0"))
    assert talk.machine.outbox.hungry
    assert talk.closed is None
    talk.client(message(b"Q", b"x" * 5_000_000 + b"\0"))
    assert talk.closed is not None
    assert any(isinstance(effect, Forget) for effect in talk.effects)


def test_a_long_message_is_read_to_its_end(talk: Transcript) -> None:
    talk.chunk = 0
    bind = frontend.Bind("", "", values=(b"y" * 1_000_000,)).encode()
    talk.client(bind[:700_000])
    assert talk.machine.outbox.hungry
    assert talk.closed is None

"""What one session does to the catalog is known to all others of the proxy at once."""

from __future__ import annotations

import pytest

from kit.wire_transcript import (
    BOUND,
    CLOSED,
    PARSED,
    Transcript,
    bind,
    done,
    error,
    execute,
    message,
    parse,
    query,
    ready,
    result,
    said,
)
from tollhouse_proxy.exchange import ClientGone, EndReason, Woken
from tollhouse_proxy.protocols.postgres.shelf import CatalogShelf
from tollhouse_proxy.protocols.postgres.wire import frontend
from tollhouse_proxy.protocols.postgres.wire.frontend import FunctionCall


@pytest.fixture
def mover() -> Transcript:
    return Transcript(shelf=CatalogShelf()).log_in()


@pytest.fixture
def other(mover: Transcript) -> Transcript:
    talk = Transcript(shelf=mover.shelf).log_in()
    assert asked_first(talk, query("SELECT 0")) == 0
    talk.backend(result("0"), ready())
    talk.to_client()
    return talk


def asked_first(talk: Transcript, message: bytes, status: str = "I") -> int:
    """How many questions of ours go before the message; it has been sent then."""
    talk.client(message)
    sent = talk.to_backend()
    if message in sent:
        return 0
    talk.machine.outbox.backend[:0] = sent
    return talk.answer_looks(status)


def in_transaction(talk: Transcript, *, queried: bool) -> None:
    talk.client(query("BEGIN"))
    talk.backend(done("BEGIN"), ready("T"))
    if queried:
        talk.client(query("SELECT 1"))
        talk.backend(result("1"), ready("T"))
    talk.to_backend(), talk.to_client()


def test_a_change_is_looked_for_when_it_is_sent_and_again_when_it_is_done(
    mover: Transcript, other: Transcript
) -> None:
    mover.client(query("DDL view"))
    assert asked_first(other, query("SELECT 1")) == 1
    other.backend(result("1"), ready())
    assert asked_first(other, query("SELECT 2")) == 0
    other.backend(result("2"), ready())
    mover.backend(done("DDL"), ready())
    assert asked_first(other, query("SELECT 3")) == 1


def test_a_change_in_a_transaction_is_looked_for_when_it_is_committed(
    mover: Transcript, other: Transcript
) -> None:
    mover.client(query("BEGIN"))
    mover.backend(done("BEGIN"), ready("T"))
    mover.client(query("DDL view"))
    mover.backend(done("DDL"), ready("T"))
    mover.answer_looks("T")
    assert asked_first(other, query("SELECT 1")) == 1
    other.backend(result("1"), ready())
    mover.client(query("COMMIT"))
    mover.backend(done("COMMIT"), ready())
    assert asked_first(other, query("SELECT 2")) == 1
    other.backend(result("2"), ready())
    mover.client(query("SELECT 1"))
    mover.answer_looks()
    mover.backend(result("1"), ready())
    assert asked_first(other, query("SELECT 3")) == 0


def test_a_session_that_leaves_while_its_change_is_under_way_is_looked_after(
    mover: Transcript, other: Transcript
) -> None:
    mover.client(query("DDL view"))
    assert asked_first(other, query("SELECT 1")) == 1
    other.backend(result("1"), ready())
    mover.machine.receive(ClientGone())
    assert asked_first(other, query("SELECT 2")) == 1


def test_a_session_within_a_transaction_looks_too(mover: Transcript, other: Transcript) -> None:
    in_transaction(other, queried=True)
    mover.client(query("DDL view"))
    mover.backend(done("DDL"), ready())
    assert asked_first(other, query("SELECT 2"), "T") == 1
    other.backend(result("2"), ready("T"))
    assert asked_first(other, query("SELECT 3"), "T") == 0


def test_a_statement_that_names_nothing_stays_the_first_of_its_transaction(
    mover: Transcript, other: Transcript
) -> None:
    in_transaction(other, queried=False)
    mover.client(query("DDL view"))
    mover.backend(done("DDL"), ready())
    assert asked_first(other, query("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"), "T") == 0
    other.backend(done("SET"), ready("T"))
    assert asked_first(other, query("SELECT 2"), "T") == 1


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_a_transaction_that_cannot_see_the_change_must_begin_anew(
    mover: Transcript, other: Transcript, level: str
) -> None:
    in_transaction(other, queried=True)
    other.isolation = level
    mover.client(query("DDL view"))
    mover.backend(done("DDL"), ready())
    assert asked_first(other, query("SELECT 2"), "T") == 1
    other.backend(error("42601"), ready("E"))
    [refusal, _] = other.to_client()
    assert said(refusal)["C"] == "40001"
    assert "catalog has changed" in said(refusal)["M"]
    assert asked_first(other, query("ROLLBACK"), "E") == 0


def test_a_transaction_that_cannot_see_the_change_may_still_commit(
    mover: Transcript, other: Transcript
) -> None:
    in_transaction(other, queried=True)
    other.isolation = "serializable"
    mover.client(query("DDL view"))
    assert asked_first(other, query("COMMIT"), "T") == 0


def test_what_a_session_changes_itself_never_ends_its_own_transaction(mover: Transcript) -> None:
    in_transaction(mover, queried=True)
    mover.isolation = "serializable"
    mover.client(query("DDL table"))
    mover.backend(done("DDL"), ready("T"))
    mover.to_client()
    assert asked_first(mover, query("SELECT 1"), "T") == 1
    mover.backend(result("1"), ready("T"))
    assert mover.kinds() == "TDCZ"


def test_a_rollback_without_changes_disturbs_nobody(mover: Transcript, other: Transcript) -> None:
    in_transaction(mover, queried=True)
    mover.client(query("ROLLBACK"))
    mover.backend(done("ROLLBACK"), ready())
    assert asked_first(other, query("SELECT 1")) == 0


def test_a_parse_looks_like_a_query_does(mover: Transcript, other: Transcript) -> None:
    mover.client(query("DDL view"))
    mover.backend(done("DDL"), ready())
    assert asked_first(other, parse("SELECT 1", "s")) == 1


def test_a_transaction_that_has_begun_to_read_is_looked_after_every_second(other: Transcript) -> None:
    in_transaction(other, queried=True)
    other.clock.time += 5
    assert asked_first(other, query("SELECT 2"), "T") == 1
    other.backend(result("2"), ready("T"))
    other.clock.time += 5
    other.fingerprint = "f2"
    assert asked_first(other, query("SELECT 2"), "T") == 4


def test_a_rollback_in_the_middle_of_a_pipeline_is_not_preceded_by_questions_that_must_fail(
    mover: Transcript,
) -> None:
    in_transaction(mover, queried=True)
    mover.client(query("DDL view"))
    mover.backend(error("22012"), ready("E"))
    mover.client(parse("ROLLBACK"))
    mover.backend(message(b"1"))
    mover.client(bind(), execute(), parse("SELECT 1"))
    mover.backend(message(b"2"))
    assert execute() in mover.to_backend()
    mover.backend(done("ROLLBACK"))
    assert mover.answer_looks("I", synced=False) > 0, "behind it the catalog is another"


def test_a_backend_that_answers_our_question_with_no_row_is_left(
    mover: Transcript, other: Transcript
) -> None:
    mover.client(query("DDL x"))
    other.client(query("SELECT 1"))
    asked = [one for one in other.to_backend() if one[:1] == b"P"]
    assert asked
    nothing = b"".join((CLOSED, PARSED, BOUND, done("SELECT 0"), CLOSED, CLOSED))
    other.backend(nothing * len(asked), ready())
    assert other.closed is not None
    assert other.closed.reason is EndReason.BACKEND


def refuses_to_read(talk: Transcript, code: str, status: str = "I") -> None:
    """The backend stops at the first question of ours that is under way."""
    assert any(one[:1] == b"P" for one in talk.to_backend())
    talk.backend(message(b"3"), error(code), ready(status))


def goes_back(talk: Transcript) -> None:
    """To the savepoint before the questions."""
    texts = [one.text for one in map(frontend.Parse.parse, bodies(talk, b"P"))]
    assert [text.split()[0] for text in texts] == [b"ROLLBACK", b"RELEASE"]
    one = PARSED + BOUND + done("ROLLBACK") + CLOSED + CLOSED
    talk.backend(CLOSED, CLOSED, one, one, ready("T"))


def bodies(talk: Transcript, kind: bytes) -> list[bytes]:
    return [one[5:] for one in talk.to_backend() if one[:1] == kind]


@pytest.mark.parametrize("code", ["XX000", "55P03"])
def test_something_dropped_while_it_was_read_is_read_past(
    mover: Transcript, other: Transcript, code: str
) -> None:
    mover.client(query("DDL view"))
    other.client(query("SELECT 1"))
    refuses_to_read(other, code)
    assert other.answer_looks() == 1
    other.backend(result("1"), ready())
    assert other.kinds() == "TDCZ"


def test_it_is_not_tried_for_ever(mover: Transcript, other: Transcript) -> None:
    mover.client(query("DDL view"))
    other.client(query("SELECT 1"))
    for _ in range(6):
        refuses_to_read(other, "XX000")
    [refusal, _] = other.to_client()
    assert said(refusal)["C"] == "40001"
    assert "while it was read" in said(refusal)["M"]


def test_nor_is_a_transaction_lost_by_it(mover: Transcript, other: Transcript) -> None:
    in_transaction(other, queried=True)
    mover.client(query("DDL view"))
    other.client(query("SELECT 1"))
    refuses_to_read(other, "XX000", "E")
    goes_back(other)
    assert other.answer_looks("T") == 1
    other.backend(result("1"), ready("T"))
    assert other.kinds() == "TDCZ"


def test_a_transaction_that_was_lost_by_it_is_told_to_begin_anew(
    mover: Transcript, other: Transcript
) -> None:
    in_transaction(other, queried=True)
    mover.client(query("DDL view"))
    other.client(query("SELECT 1"))
    refuses_to_read(other, "XX000", "E")
    refuses_to_read(other, "25P02", "E")
    other.backend(error("42601"), ready("E"))
    assert said(other.to_client()[0])["C"] == "40001"


def test_whom_nothing_binds_goes_on_with_what_his_transaction_sees(
    mover: Transcript, other: Transcript
) -> None:
    in_transaction(other, queried=True)
    other.isolation = "serializable"
    other.gate.unbound = True
    mover.client(query("DDL view"))
    mover.backend(done("DDL"), ready())
    assert asked_first(other, query("SELECT 2"), "T") == 1
    other.backend(result("2"), ready("T"))
    assert other.kinds() == "TDCZ"
    assert asked_first(other, query("COMMIT"), "T") == 0
    other.backend(done("COMMIT"), ready())
    assert asked_first(other, query("SELECT 3")) == 1, "what it saw is not what the next transaction sees"


def test_what_a_call_by_number_stands_for_is_asked_again_when_the_catalog_moves_meanwhile(
    mover: Transcript, other: Transcript
) -> None:
    other.client(FunctionCall(952, (), (), 0).encode())
    mover.client(query("DDL view"))
    mover.backend(done("DDL"), ready())
    other.fingerprint = "f2"
    asked_what_it_is, looked = 2, 3
    assert other.answer_looks() == asked_what_it_is + looked
    assert other.kinds() == "EZ"


def test_a_text_that_nobody_has_judged_is_read_anew_when_the_catalog_moves(
    mover: Transcript, other: Transcript, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it runs is gone, so the catalog is looked at once more, and has moved again by then."""
    other.client(query("PREPARE p FLEETING x"))
    other.backend(done("PREPARE"), ready())
    other.to_backend(), other.to_client()
    mover.client(query("DDL view"))
    mover.backend(done("DDL"), ready())
    answer, looks = other._answer, iter(("f2", "f3"))

    def moves(text: str) -> tuple[str, ...]:
        other.fingerprint = next(looks, "f3") if text == "signs?" else other.fingerprint
        return answer(text)

    monkeypatch.setattr(other, "_answer", moves)
    other.client(query("EXECUTE p"))
    while other.answer_looks() or other.woken:
        other.woken = 0
        other.machine.receive(Woken())
    assert other.fingerprint == "f3"
    assert said(other.to_client()[0])["C"] == "42P01"

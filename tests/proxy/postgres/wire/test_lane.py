"""What closes the fast lane, one thing at a time, and that the careful path then does what it must."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from kit.lane_world import ALICE, ALLOW, BOB, DDL, House, Talk
from kit.wire_transcript import FLUSH, SYNC, bind, execute, parse, query, said
from tollhouse_proxy.exchange import EndNow, EndReason, EndWhenIdle
from tollhouse_proxy.protocols.postgres.decisions import MAX_TEXT
from tollhouse_proxy.protocols.postgres.wire import backend, frontend
from tollhouse_proxy.protocols.postgres.wire.backend import CommandComplete, ParameterStatus, ReadyForQuery
from tollhouse_proxy.protocols.postgres.wire.body import message

TEXT = "SELECT id FROM products WHERE id = {}"
KNOWN = query(TEXT.format(7))
DESCRIBE = frontend.Describe("P", "").encode()
BATCH = parse(TEXT.format("$1")) + bind(values=(b"5",)) + DESCRIBE + execute() + SYNC
BOUND = bind("s1", values=(b"5",)) + execute() + SYNC
WAYS = {"query": KNOWN, "batch": BATCH, "prepared": BOUND}
PACE = {"name": "pace", "limit": {"queries": 12, "per": "1m"}}


def knowing(*rules: Mapping[str, Any]) -> Talk:
    """A session in which all three ways are known, and pass."""
    talk = Talk(House(*rules))
    talk.ask(parse(TEXT.format("$1"), "s1"), SYNC)
    for way in WAYS.values():
        talk.ask(way), talk.ask(way)
    assert all(passes(talk, way) for way in WAYS.values())
    return talk


def passes(talk: Talk, sent: bytes) -> bool:
    """Whether the lane takes this, and the answer to it."""
    before = talk.passed
    talk.ask(sent)
    return talk.passed == before + 2


def test_a_text_that_differs_in_constants_alone_passes_in_its_own_words() -> None:
    talk = knowing()
    for number in (0, 12, 99999):
        assert passes(talk, query(TEXT.format(number)))
        assert talk.server.ran[-1] == TEXT.format(number)
        decided, completed = talk.house.world.sink.events[-2:]
        assert decided.data["text"] == TEXT.format(number)
        assert completed.data["operation"] == decided.data["operation"]
    assert talk.sent.endswith(query(TEXT.format(99999)))


def test_parameters_are_in_the_record_as_they_were_bound() -> None:
    talk = knowing()
    for value in (b"1", None, "ü".encode(), b"\xff"):
        assert passes(talk, bind("s1", values=(value,)) + execute() + SYNC)
        shown = {b"1": "1", None: None, b"\xff": "\\xff"}.get(value, "ü")
        assert list(talk.house.world.sink.events[-2].data["parameters"]) == [shown]  # type: ignore[call-overload]


def elsewhere(talk: Talk) -> None:
    talk.house.shelf.moved()


CLOSING: dict[str, Callable[[Talk], object]] = {
    "a second has passed": lambda talk: talk.house.world.clock.forward(1.01),
    "another session moved the catalog": elsewhere,
    "another policy": lambda talk: talk.house.apply(ALLOW),
    "a transaction is open": lambda talk: talk.ask(query("BEGIN")),
    "a transaction has failed": lambda talk: (talk.ask(query("BEGIN")), talk.ask(query("SELECT 'fail'"))),
    "another search path": lambda talk: talk.ask(query("SET search_path TO priv, public")),
    "a search path that was only told": lambda talk: talk.tell(
        ParameterStatus("search_path", "priv").encode()
    ),
    "the catalog was changed": lambda talk: talk.ask(query("CREATE TABLE made (id int)")),
    "answers are owed": lambda talk: talk.ask(KNOWN, answered=False),
    "a pipeline is open": lambda talk: talk.ask(parse("SELECT 1", "s9"), FLUSH),
    "a batch has failed": lambda talk: talk.ask(parse("SELECT 'fail'"), bind(), execute(), FLUSH),
    "half a message": lambda talk: talk.ask(KNOWN[:9]),
    "half an answer": lambda talk: talk.tell(backend.Report("N", {"S": "N", "M": "x"}).encode()[:7]),
    "a portal is suspended": lambda talk: talk.suspend(),
    "the audit takes nothing": lambda talk: setattr(talk.house.world.sink, "broken", True),
    "the proxy drains": lambda talk: (talk.ask(query("BEGIN")), talk.machine.receive(EndWhenIdle("drain"))),
    "the session is over": lambda talk: talk.machine.receive(EndNow(EndReason.IDLE, "idle")),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("closing", CLOSING)
def test_the_lane_is_closed_when(closing: str, way: str) -> None:
    talk = knowing(ALLOW, DDL)
    CLOSING[closing](talk)
    before = talk.passed
    talk.machine.client_data(WAYS[way])
    assert talk.passed == before


@pytest.mark.parametrize("way", WAYS)
def test_what_closed_it_is_over_and_it_opens_again(way: str) -> None:
    talk = knowing(ALLOW, DDL)
    for closing in ("a second has passed", "another session moved the catalog", "another policy"):
        CLOSING[closing](talk)
        assert not passes(talk, WAYS[way])
        assert passes(talk, WAYS[way])
    talk.ask(query("BEGIN"))
    assert not passes(talk, WAYS[way])
    assert passes(talk, WAYS[way])
    talk.ask(query("COMMIT"))
    assert not passes(talk, BOUND)
    assert passes(talk, WAYS[way])


NOT_TAKEN = {
    "a text that was never judged": query("SELECT title FROM products"),
    "two queries at once": KNOWN + KNOWN,
    "a query and the beginning of another": KNOWN + KNOWN[:3],
    "two statements": query(TEXT.format(1) + ";" + TEXT.format(2)),
    "a longer integer": query(TEXT.format(2**31)),
    "a string for a number": query(TEXT.format("'7'")),
    "a comment": query(TEXT.format(7) + " -- x"),
    "a constant that names a column": query("SELECT title FROM products ORDER BY 1"),
    "another spelling": query(TEXT.format(7).lower()),
    "a batch without its end": BATCH[: -len(SYNC)],
    "a batch with a named portal": bind("s1", "p", values=(b"1",)) + execute("p") + SYNC,
    "a batch that wants some rows only": bind("s1", values=(b"1",)) + execute(rows=5) + SYNC,
    "a batch with two Syncs": BOUND + SYNC,
    "a Parse with a name": parse(TEXT.format("$1"), "s2") + bind("s2", values=(b"5",)) + execute() + SYNC,
    "a statement that is not there": bind("nobody", values=(b"5",)) + execute() + SYNC,
}


@pytest.mark.parametrize("what", NOT_TAKEN)
def test_the_lane_does_not_take(what: str) -> None:
    talk = knowing()
    before = talk.passed
    talk.machine.client_data(NOT_TAKEN[what])
    assert talk.passed == before


BROKEN = {
    "a NUL inside": b"Q\0\0\0\x2a"
    + TEXT.format(7).encode()[:20]
    + b"\0"
    + TEXT.format(7).encode()[20:]
    + b"\0",
    "a length of one too many": KNOWN[:4] + bytes([KNOWN[4] + 1]) + KNOWN[5:],
    "a length of one too few": KNOWN[:4] + bytes([KNOWN[4] - 1]) + KNOWN[5:],
    "a Bind whose value is too long": message(b"B", b"\0s1\0\0\0\0\1\0\0\0\x09x\0\0") + execute() + SYNC,
    "a Bind with a strange format": message(b"B", b"\0s1\0\0\1\0\2\0\1\0\0\0\1x\0\0") + execute() + SYNC,
    "a Bind with too many formats": message(b"B", b"\0s1\0\0\2\0\0\0\0\0\1\0\0\0\1x\0\0") + execute() + SYNC,
    "a Bind with bytes behind it": message(b"B", b"\0s1\0\0\0\0\1\0\0\0\1x\0\0!") + execute() + SYNC,
    "a Bind with a strange result format": message(b"B", b"\0s1\0\0\0\0\0\0\1\0\2") + execute() + SYNC,
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_not_well_formed_ends_the_session_as_ever(what: str) -> None:
    talk, other = knowing(), Talk(House(lane=False, cache=False))
    other.ask(parse(TEXT.format("$1"), "s1"), SYNC)
    before = talk.passed
    assert talk.ask(BROKEN[what]) == other.ask(BROKEN[what])
    assert talk.passed == before


ROW = message(b"D", b"\0\1\0\0\0\1x")
DONE, READY = CommandComplete("SELECT 1").encode(), ReadyForQuery("I").encode()
ODD_ANSWERS = {
    "half of it": ROW + DONE,
    "rows without an end": ROW + READY,
    "an error": backend.Report("E", {"S": "ERROR", "V": "ERROR", "C": "22012", "M": "x"}).encode() + READY,
    "a notice before it": backend.Report("N", {"S": "N", "V": "N", "C": "0", "M": "x"}).encode()
    + DONE
    + READY,
    "a setting behind it": DONE + ParameterStatus("TimeZone", "UTC").encode() + READY,
    "a transaction that nobody began": DONE + ReadyForQuery("T").encode(),
    "more than one end": DONE + DONE + READY,
    "an end with bytes behind its tag": message(b"C", b"SELECT 1\0x\0") + READY,
    "an end without its NUL": message(b"C", b"SELECT 1") + READY,
    "more than was asked": DONE + READY + DONE,
    "the beginning of something else": DONE + READY + b"N\0\0",
    "an unknown message": message(b"!", b"") + DONE + READY,
    "a status of two bytes": DONE + message(b"Z", b"II"),
    "a status that is none": DONE + message(b"Z", b"X"),
    "COPY data": message(b"d", b"x") + DONE + READY,
}


@pytest.mark.parametrize("odd", ODD_ANSWERS)
def test_an_answer_out_of_the_ordinary_is_the_careful_paths(odd: str) -> None:
    seen = []
    for lane in (True, False):
        talk = Talk(House(lane=lane))
        talk.ask(KNOWN)
        talk.machine.client_data(KNOWN)
        talk.machine.outbox.backend.clear()
        assert talk.machine.busy
        assert talk.passed == lane
        said_now = talk.tell(ODD_ANSWERS[odd])
        assert talk.passed == lane
        seen.append((said_now, talk.over, talk.house.audit()))
    assert seen[0] == seen[1]


def test_a_policy_that_comes_while_a_statement_runs_meets_its_answer() -> None:
    talk = knowing()
    talk.machine.client_data(KNOWN)
    before = talk.passed
    nobody = {**ALLOW, "when": "identity.name == 'carol'"}
    talk.house.apply(nobody)
    talk.settle()
    assert talk.passed == before
    refused = said(talk.ask(KNOWN)[: -len(READY)])
    assert refused["C"] == "42501"


def test_a_view_that_moved_is_looked_at_before_a_batch_that_only_binds() -> None:
    deny = {"name": "no", "deny": {"sql": {"access": ["Select"], "tables": ["orders"]}}}
    talk = Talk(House(ALLOW, deny))
    talk.ask(parse("SELECT contact FROM customers_v", "s1"), SYNC)
    batch = bind("s1") + DESCRIBE + execute() + SYNC
    talk.ask(batch)
    assert passes(talk, batch)
    talk.server.redefine_the_view()
    talk.house.world.clock.forward(1.01)
    ran = len(talk.server.ran)
    assert b"C42501\0" in talk.ask(batch)
    assert not any("customers_v" in text for text in talk.server.ran[ran:])


def test_a_cancel_reaches_what_the_lane_has_sent() -> None:
    talk = knowing()
    talk.machine.client_data(KNOWN)
    talk.machine.cancel()
    talk.settle()
    assert [type(effect).__name__ for effect in talk.effects][-1] == "SendAside"


def test_limits_on_queries_count_what_passes_and_refuse_in_time() -> None:
    talk = knowing(ALLOW, PACE)
    left = 12 - len([one for one in talk.house.world.sink.events if one.kind == "OperationDecided"])
    for _ in range(left):
        assert passes(talk, KNOWN)
    for way in WAYS.values():
        ran = len(talk.server.ran)
        answer = talk.ask(way)
        assert b"C53400\0" in answer, answer
        assert answer.endswith(READY)
        assert len(talk.server.ran) <= ran + 1
    talk.house.world.clock.forward(61)
    talk.ask(KNOWN)
    assert passes(talk, KNOWN)


@pytest.mark.parametrize(
    "rule",
    [
        {"name": "rows", "limit": {"rows": 1000000, "per": "1m"}},
        {"name": "bytes", "limit": {"bytes": 1000000, "per": "1m"}},
    ],
    ids=lambda rule: str(rule["name"]),
)
def test_answers_that_limits_count_are_walked_carefully(rule: Mapping[str, Any]) -> None:
    talk = Talk(House(ALLOW, rule))
    talk.ask(KNOWN)
    before = talk.passed
    talk.ask(KNOWN)
    assert talk.passed == before + 1


def test_a_masked_text_is_known_by_its_bytes_alone_and_its_columns_are_looked_at() -> None:
    mask = {"name": "mask", "mask": {"columns": ["customers.email"], "with": {"redact": {}}}}
    talk = Talk(House(ALLOW, mask))
    text = "SELECT email FROM customers WHERE id = {}"
    talk.ask(query(text.format(1)))
    before = talk.passed
    talk.ask(query(text.format(1)))
    assert talk.passed == before + 1
    assert "[redacted]" in talk.server.ran[-1]
    talk.ask(query(text.format(2)))
    assert talk.passed == before + 1
    assert "id = 2" in talk.server.ran[-1]


def test_content_masks_keep_a_statement_off_the_lane() -> None:
    talk = Talk(House(ALLOW, {"name": "c", "mask": {"content": ["Email"], "with": {"redact": {}}}}))
    for _ in range(3):
        talk.ask(KNOWN)
    assert talk.passed == 0


def test_what_is_known_for_one_is_not_for_another() -> None:
    house = House({**ALLOW, "when": "identity.name == 'alice'"})
    alice = Talk(house, ALICE)
    alice.ask(KNOWN)
    assert passes(alice, KNOWN)
    same = Talk(house, ALICE)
    assert passes(same, KNOWN)
    bob = Talk(house, BOB)
    assert said(bob.ask(KNOWN)[: -len(READY)])["C"] == "42501"
    assert bob.passed == 0


def test_decisions_that_read_time_or_text_are_not_kept() -> None:
    for condition in ("now.getHours() >= 0", "operation.text != ''"):
        talk = Talk(House({**ALLOW, "when": condition}))
        for _ in range(3):
            talk.ask(KNOWN)
        assert talk.passed == 0


def test_a_text_that_is_too_long_is_not_kept() -> None:
    talk = Talk(House())
    long = query(TEXT.format(7) + " " * MAX_TEXT)
    talk.ask(long)
    assert not passes(talk, long)
    assert len(talk.house.decisions) == 1


def test_a_rule_that_warns_is_heard_every_time() -> None:
    warns = {"name": "w", "deny": {"sql": {"access": ["Select"], "tables": ["*"]}}, "mode": "Warn"}
    talk = Talk(House(ALLOW, warns))
    answers = {talk.ask(KNOWN) for _ in range(3)}
    assert all(answer.startswith(b"N") for answer in answers)
    assert talk.passed == 0


@pytest.mark.parametrize(
    "text",
    [
        "SELECT id, title FROM products ORDER BY {}",
        "SELECT title FROM products WHERE id = (SELECT count(*) FROM products GROUP BY {})",
        "UPDATE products SET price = 1 WHERE id = 2 AND {} = 1",
        "SELECT relname FROM pg_class WHERE relpages = {}",
    ],
)
def test_a_text_whose_constants_may_matter_is_known_by_its_bytes_alone(text: str) -> None:
    talk = Talk(House())
    for number in (1, 2):
        assert not passes(talk, query(text.format(number)))
        assert passes(talk, query(text.format(number)))


def lanes_and_not(*steps: bytes) -> list[tuple[bytes, list[bytes]]]:
    """What a client reads and what is recorded, with the lane and without."""
    seen = []
    for lane in (True, False):
        talk = Talk(House(lane=lane))
        for step in steps:
            talk.ask(step)
        assert bool(talk.passed) is lane
        seen.append((bytes(talk.said), talk.house.audit()))
    return seen


def test_in_a_transaction_the_portal_stays_as_the_server_keeps_it() -> None:
    one, other = lanes_and_not(query("BEGIN"), BATCH, BATCH, execute() + SYNC, DESCRIBE + SYNC)
    assert one == other
    assert b"C34000" not in one[0]


def test_what_a_batch_has_parsed_can_be_bound_again() -> None:
    again = bind(values=(b"9",)) + execute() + SYNC
    one, other = lanes_and_not(BATCH, BATCH, parse("SELECT 1") + SYNC, BATCH, again)
    assert one == other
    assert b'"parameters":["9"]' in one[1][-2]


def test_behind_a_statement_of_its_own_no_transaction_counts_as_begun() -> None:
    talk = knowing()
    for way in WAYS.values():
        assert passes(talk, way)
        assert talk.machine._session is not None
        assert not talk.machine._session.queried

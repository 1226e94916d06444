"""Rows that are masked take turns with everything else, whatever chunks they come in."""

from __future__ import annotations

from struct import pack
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tollhouse_core.decision import RuleRef
from tollhouse_core.masks import Detector, DetectorName, Redact
from tollhouse_proxy.exchange import Outbox, Settled, Wait
from tollhouse_proxy.kits.content import ContentScanner
from tollhouse_proxy.ports.aside import TooHard
from tollhouse_proxy.ports.judging import Overrun
from tollhouse_proxy.protocols.postgres.content import ContentHeld, mask_rows
from tollhouse_proxy.protocols.postgres.ledger import Kind, Owed, Run
from tollhouse_proxy.protocols.postgres.server_side import ServerSide
from tollhouse_proxy.protocols.postgres.sql.statement import SessionEffect
from tollhouse_proxy.protocols.postgres.sql_dialect import Scanners
from tollhouse_proxy.protocols.postgres.state import SessionState
from tollhouse_proxy.protocols.postgres.wire.backend import (
    CommandComplete,
    DataRow,
    Field,
    ReadyForQuery,
    RowDescription,
)
from tollhouse_proxy.protocols.postgres.wire.errors import ProtocolError


class Judge:
    """Counts rows and completions."""

    def __init__(self) -> None:
        self.rows = 0
        self.most = 10_000
        self.completed_with: list[Any] = []

    def spent(self, _operation: int, rows: int, _size: int) -> Any:
        self.rows += rows
        return Overrun("enough", "Wait.", None, RuleRef(), "") if self.rows > self.most else None

    def completed(self, completion: Any) -> None:
        self.completed_with.append(completion)


class Session:
    """A server side whose statement answers under content masks."""

    def __init__(self, mask_apart: Any = None) -> None:
        self.judge = Judge()
        self.woken = 0
        self.state = SessionState(Outbox(), cast(Any, self.judge))
        self.state.ledger.push(self.owed())
        self.side = ServerSide(self.state, lambda: None, self._wake, mask_apart)

    @staticmethod
    def owed() -> Owed:
        scanner = Scanners.of([ContentScanner([Detector(name) for name in DetectorName], Redact("[x]"))])
        return Owed(Kind.QUERY, runs=[Run(1, SessionEffect(), scan=scanner)])

    def _wake(self) -> None:
        self.woken += 1

    def said(self) -> bytes:
        return b"".join(self.state.outbox.client)


COLUMNS = RowDescription((Field(b"j", 0, 0, 114, -1, -1, 0),)).encode()


def answer(rows: int) -> tuple[bytes, bytes]:
    """What the backend says, and what the client should read."""
    hard, masked = b'{"to": "a@b.co"}', b'{"to": "[x]"}'
    end = CommandComplete(f"SELECT {rows}").encode()
    shown = COLUMNS + DataRow((masked,)).encode() * rows + end
    return COLUMNS + DataRow((hard,)).encode() * rows + end, shown


def test_rows_that_must_be_looked_at_closely_take_turns_and_the_backend_waits() -> None:
    session, (said, shown) = Session(), answer(1500)
    session.side.feed(said)
    turns = 0
    while session.side.resting:
        assert not session.state.outbox.thirsty
        assert session.woken == turns + 1
        before = len(session.said())
        session.side.go_on()
        turns += 1
        assert len(session.said()) - before < 40_000
    assert turns > 3
    assert session.state.outbox.thirsty
    assert session.said() == shown
    assert session.judge.rows == 1500
    assert len(session.judge.completed_with) == 1


def test_what_comes_while_rows_wait_for_their_turn_is_kept_in_its_order() -> None:
    session, (said, shown) = Session(), answer(900)
    middle = len(said) // 2
    session.side.feed(said[:middle])
    assert session.side.resting
    written = len(session.said())
    session.side.feed(said[middle:])
    assert len(session.said()) == written
    while session.side.resting:
        session.side.go_on()
    assert session.said() == shown


def test_a_turn_that_is_not_ones_own_changes_nothing() -> None:
    session = Session()
    session.side.go_on()
    assert session.said() == b""
    assert session.state.outbox.thirsty


@settings(deadline=None, max_examples=20)
@given(cuts=st.lists(st.integers(0, 20_000), max_size=6), rows=st.integers(0, 450))
def test_any_chunks_give_the_same(cuts: list[int], rows: int) -> None:
    session, (said, shown) = Session(), answer(rows)
    at = 0
    for cut in [*sorted(cuts), len(said)]:
        session.side.feed(said[at:cut])
        at = max(at, min(cut, len(said)))
        if cut % 3:
            while session.side.resting:
                session.side.go_on()
    while session.side.resting:
        session.side.go_on()
    assert session.said() == shown
    assert session.judge.rows == rows


def test_a_row_that_is_not_as_described_ends_it_before_any_row_of_its_piece_goes() -> None:
    session = Session()
    broken = b"D" + pack("!i", 6) + b"\0\x02"
    with pytest.raises(ProtocolError, match="2 columns where 1 were described"):
        session.side.feed(COLUMNS + DataRow((b'{"to": "a@b.co"}',)).encode() + broken)
    assert b"[x]" not in session.said()


class Elsewhere:
    """Masks apart what it is given, when it is told to."""

    def __init__(self) -> None:
        self.given: list[tuple[Any, ...]] = []

    async def mask(self, *given: Any) -> Any:
        self.given.append(given)
        rows, ways, scanner, _ = given
        return mask_rows(rows, 0, len(rows), ways, scanner)


def long_answer() -> tuple[bytes, bytes]:
    """Rows among which one is too long for a turn."""
    sizes = (1, 3, 6000, 1, 1)
    rows = [b'["' + b"a@b.co " * size + b'"]' for size in sizes]
    shown = [row.replace(b"a@b.co", b"[x]") for row in rows]
    end = CommandComplete(f"SELECT {len(rows)}").encode()
    return tuple(COLUMNS + b"".join(DataRow((one,)).encode() for one in each) + end for each in (rows, shown))  # type: ignore[return-value]


async def settle(session: Session) -> None:
    """Does what the session waits for, until it waits for nothing."""
    effects = session.state.outbox.effects
    while session.side.resting:
        waits = [effect for effect in effects if isinstance(effect, Wait)]
        effects.clear()
        for wait in waits:
            assert wait.number < 0
            session.side.settle(Settled(wait.number, await wait.awaitable))
        if not waits:
            session.side.go_on()


@pytest.mark.parametrize("piece", [1 << 20, 1000, 37])
async def test_a_row_that_is_too_long_for_a_turn_is_masked_apart_in_its_place(piece: int) -> None:
    elsewhere = Elsewhere()
    session, (said, shown) = Session(elsewhere.mask), long_answer()
    for at in range(0, len(said), piece):
        session.side.feed(said[at : at + piece])
        await settle(session)
    assert session.said() == shown
    assert session.judge.rows == 5
    assert len(elsewhere.given) == 1
    assert session.state.outbox.thirsty


def dense(size: int) -> tuple[bytes, bytes]:
    """A row full of what must be looked at, and what the client should read."""
    pieces = size // len(b'"a@b.co",')
    made = [b"[" + b",".join([word] * pieces) + b"]" for word in (b'"a@b.co"', b'"[x]"')]
    return DataRow((made[0],)).encode(), DataRow((made[1],)).encode()


async def test_a_row_of_any_length_that_needs_many_close_looks_is_masked_apart() -> None:
    elsewhere = Elsewhere()
    session, (row, shown) = Session(elsewhere.mask), dense(4000)
    end = CommandComplete("SELECT 9").encode()
    session.side.feed(COLUMNS + row * 9 + end)
    assert session.said() == COLUMNS
    await settle(session)
    assert session.said() == COLUMNS + shown * 9 + end
    assert session.judge.rows == 9
    assert len(elsewhere.given) > 1
    assert all(len(rows) < 16_000 + 2 * len(row) for rows, *_ in elsewhere.given)


async def test_rows_that_need_many_close_looks_only_together_take_turns_here() -> None:
    elsewhere = Elsewhere()
    session, (row, shown) = Session(elsewhere.mask), dense(300)
    end = CommandComplete("SELECT 40").encode()
    session.side.feed(COLUMNS + row * 40 + end)
    turns = 0
    while session.side.resting:
        session.side.go_on()
        turns += 1
    assert session.said() == COLUMNS + shown * 40 + end
    assert session.judge.rows == 40
    assert turns > 5
    assert not elsewhere.given


async def test_nothing_goes_on_while_a_row_is_masked_apart_and_no_other_answer_is_taken_for_it() -> None:
    session, (said, shown) = Session(Elsewhere().mask), long_answer()
    session.side.feed(said[:-10])
    [wait] = [effect for effect in session.state.outbox.effects if isinstance(effect, Wait)]
    written = session.said()
    assert not session.state.outbox.thirsty
    session.side.feed(said[-10:])
    session.side.go_on()
    session.side.settle(Settled(wait.number - 1, (0, None)))
    assert session.said() == written
    assert session.judge.rows < 3
    session.side.settle(Settled(wait.number, await wait.awaitable))
    await settle(session)
    assert session.said() == shown


async def test_what_was_masked_apart_for_a_statement_that_a_limit_has_stopped_is_never_anothers() -> None:
    session = Session(Elsewhere().mask)
    session.judge.most = 0
    long = DataRow((b'["' + b"a@b.co " * 60_000 + b'"]',)).encode()
    plenty = DataRow((b"x" * 2000,)).encode() * 3
    session.side.feed(COLUMNS + plenty + long + CommandComplete("SELECT 4").encode())
    session.state.ledger.push(session.owed())
    await settle(session)
    session.judge.most = 10_000
    session.side.feed(ReadyForQuery("I").encode())
    before = len(session.said())
    said, shown = answer(3)
    session.side.feed(said)
    await settle(session)
    assert session.said()[before:] == shown


async def test_a_row_that_cannot_be_looked_into_ends_the_session_before_it_leaves() -> None:
    session, (said, _) = Session(Elsewhere().mask), long_answer()
    session.side.feed(said)
    [wait] = [effect for effect in session.state.outbox.effects if isinstance(effect, Wait)]
    await wait.awaitable
    written = session.said()
    with pytest.raises(ContentHeld, match="too large to be looked into"):
        session.side.settle(Settled(wait.number, error=TooHard("too hard")))
    assert session.said() == written

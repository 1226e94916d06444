"""Long texts are read in a process of their own: the session waits, the others do not."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from kit import wait
from kit.postgres import Postgres
from kit.wire_world import ScriptedJudge, WireWorld, refused
from tollhouse_core.decision import ColumnMask, ContentMask, Obligations, RuleRef, Verdict
from tollhouse_core.masks import Detector, DetectorName, Redact
from tollhouse_core.operation import Operation
from tollhouse_proxy.adapters.aside.workers import Workers
from tollhouse_proxy.ports.aside import Shared, TooHard
from tollhouse_proxy.ports.judging import Outcome
from tollhouse_proxy.protocols.postgres.apart import LONG_TEXT

pytestmark = pytest.mark.postgres
Serve = Callable[[WireWorld], WireWorld]

LONG_LIST = f"SELECT name FROM customers WHERE id IN ({', '.join(['1', '3'] * LONG_TEXT)}) ORDER BY id"
MASKED = Obligations(
    columns=(ColumnMask(("public", "customers"), "email", Redact(), RuleRef("support", "hide")),)
)


class Held:
    """The real workers behind a door that a test can close."""

    def __init__(self) -> None:
        self.workers: Workers | None = None
        self.door: asyncio.Event | None = None
        self.asked: list[bytes] = []
        self.loop: asyncio.AbstractEventLoop | None = None
        self.closed = False
        self.failing: Exception | None = None
        self.given_up = threading.Event()

    async def ask(self, request: bytes, shared: Shared, *, patient: bool = False) -> bytes:
        if self.workers is None:
            self.workers, self.loop, self.door = Workers(), asyncio.get_running_loop(), asyncio.Event()
            if not self.closed:
                self.door.set()
        assert self.door is not None
        self.asked.append(request)
        try:
            await self.door.wait()
        except asyncio.CancelledError:
            self.given_up.set()
            raise
        if self.failing:
            raise self.failing
        return await self.workers.ask(request, shared, patient=patient)

    def open(self) -> None:
        assert self.loop is not None
        assert self.door is not None
        self.loop.call_soon_threadsafe(self.door.set)

    def end(self) -> None:
        if self.workers is not None:
            assert self.loop is not None
            asyncio.run_coroutine_threadsafe(self.workers.close(), self.loop).result(20)


@pytest.fixture
def aside(postgres: Postgres) -> Iterator[Held]:
    """(Wants the server, so that what serves is ended first.)"""
    return Held()


@pytest.fixture
def world(postgres: Postgres, shop: str, serve: Serve, aside: Held) -> Iterator[WireWorld]:
    yield serve(WireWorld(postgres, shop, aside=aside))
    aside.end()


def connect(world: WireWorld, **options: object) -> psycopg.Connection:
    return psycopg.connect(world.dsn(**options), autocommit=True)


def test_short_texts_are_read_at_once_and_long_ones_apart(world: WireWorld, aside: Held) -> None:
    with connect(world) as client:
        assert client.execute("SELECT name FROM customers WHERE id = 1").fetchall() == [("ann",)]
        assert aside.asked == []
        assert client.execute(LONG_LIST).fetchall() == [("ann",), ("cyd",)]
        assert len(aside.asked) == 1
        assert client.execute(LONG_LIST.replace("(1,", "(%s,", 1), (2,)).fetchall() == [
            ("ann",),
            ("bob",),
            ("cyd",),
        ]
    read = [one for one in world.gate.sessions[0].judged if "IN (" in one.text]
    assert {access.object for one in read for access in one.accesses} == {"public.customers"}
    assert {one.outcome for one in world.gate.sessions[0].done} == {Outcome.COMPLETED}


def test_what_is_rewritten_apart_is_masked_all_the_same(world: WireWorld, aside: Held) -> None:
    world.gate.obligations = MASKED
    text = LONG_LIST.replace("name", "email")
    with connect(world) as client:
        short = client.execute("SELECT email FROM customers WHERE id IN (1, 3) ORDER BY id").fetchall()
        assert aside.asked == []
        assert client.execute(text).fetchall() == short
        assert client.execute(text.replace("(1,", "(%s,", 1), (1,), prepare=True).fetchall() == short
        client.execute(f"PREPARE long AS {text}")
        assert client.execute("EXECUTE long").fetchall() == short
        client.execute("BEGIN")
        client.execute(f"DECLARE c CURSOR FOR {text}")
        assert client.execute("FETCH ALL FROM c").fetchall() == short
        client.execute("COMMIT")
    assert short[0][0] != "ann@shop.example"
    assert len(aside.asked) >= 8


def test_a_short_statement_with_many_places_to_mask_is_rewritten_apart(world: WireWorld, aside: Held) -> None:
    world.gate.obligations = MASKED
    many = ", ".join(f"customers c{number}" for number in range(6))
    with connect(world) as client:
        assert client.execute(f"SELECT c5.email FROM {many} LIMIT 1").fetchone() != ("ann@shop.example",)
        assert len(aside.asked) == 1


def test_statements_of_one_text_keep_their_order_and_their_meaning(world: WireWorld, aside: Held) -> None:
    filler = "; ".join(["SELECT 1"] * 200)
    with connect(world) as client:
        cursor = client.execute(
            f"CREATE TABLE made (id int); {filler}; INSERT INTO made VALUES (7); SELECT id FROM made"
        )
        while cursor.nextset():
            pass
        assert cursor.fetchall() == [(7,)]
        client.execute("DROP TABLE made")
    assert aside.asked


def test_others_are_served_and_messages_behind_it_wait_while_a_text_is_read(
    world: WireWorld, aside: Held
) -> None:
    aside.closed = True
    with connect(world) as long, connect(world) as other, ThreadPoolExecutor(1) as pool, long.pipeline():
        first = long.execute(LONG_LIST)
        second = long.execute("SELECT 2")

        def read_on() -> list[object]:
            return [first.fetchall(), second.fetchall()]

        reading = pool.submit(read_on)
        wait.until(lambda: aside.asked, what="the text is being read")
        for _ in range(20):
            assert other.execute("SELECT 1").fetchone() == (1,)
        assert not reading.done()
        aside.open()
        assert reading.result(10) == [[("ann",), ("cyd",)], [(2,)]]


def test_a_cancel_ends_the_waiting_and_the_session_goes_on(world: WireWorld, aside: Held) -> None:
    aside.closed = True
    with connect(world) as client, ThreadPoolExecutor(1) as pool:
        asking = pool.submit(client.execute, LONG_LIST)
        wait.until(lambda: aside.asked, what="the text is being read")
        client.cancel_safe()
        with pytest.raises(psycopg.errors.QueryCanceled):
            asking.result(10)
        aside.open()
        assert client.execute("SELECT 1").fetchone() == (1,)
    assert aside.given_up.wait(5)


def test_a_client_that_leaves_meanwhile_is_missed_by_nobody(world: WireWorld, aside: Held) -> None:
    aside.closed = True
    client = connect(world)
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(client.execute, LONG_LIST)
        wait.until(lambda: aside.asked, what="the text is being read")
        with socket.socket(fileno=os.dup(client.pgconn.socket)) as plain:
            plain.shutdown(socket.SHUT_RDWR)
        with pytest.raises(psycopg.OperationalError):
            asking.result(10)
    client.close()
    assert aside.given_up.wait(5)
    wait.until(lambda: world.gate.sessions[0].closed, what="the session is over")


def test_a_text_that_cannot_be_read_is_refused_and_recorded(world: WireWorld, aside: Held) -> None:
    aside.failing = TooHard("the statement takes too much time")
    with connect(world) as client:
        with pytest.raises(psycopg.errors.StatementTooComplex, match="takes too much time"):
            client.execute(LONG_LIST)
        with pytest.raises(psycopg.errors.StatementTooComplex):
            client.execute(LONG_LIST.replace("(1,", "(%s,", 1), (1,))
        aside.failing = None
        assert client.execute("SELECT 1").fetchone() == (1,)
    assert [one.action for one in world.gate.sessions[0].judged] == ["OPAQUE", "OPAQUE", "SELECT"]


def test_a_permitted_statement_that_cannot_be_rewritten_is_ended_in_the_records(
    world: WireWorld, aside: Held
) -> None:
    def failing(judge: ScriptedJudge, operation: Operation) -> Verdict | None:
        aside.failing = TooHard("the statement takes too much time")
        return None

    world.gate.obligations = MASKED
    world.gate.deciding = failing
    with connect(world) as client:
        for parameters in (None, (1,)):
            aside.failing = None
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="takes too much time"):
                client.execute(LONG_LIST.replace("(1,", "(%s,", 1) if parameters else LONG_LIST, parameters)
    judge = world.gate.sessions[0]
    permitted = {one.operation_id for one in judge.done}
    assert permitted == set(range(1, len(permitted) + 1))


def test_long_refused_texts_say_why_and_where(world: WireWorld, aside: Held) -> None:
    padding = " " * LONG_TEXT
    with connect(world) as client:
        with pytest.raises(psycopg.errors.SyntaxError) as found:
            client.execute(f"SELECT {padding} FROMM customers x y")
        assert int(found.value.diag.statement_position or 0) > LONG_TEXT
        with pytest.raises(psycopg.errors.UndefinedTable):
            client.execute(f"SELECT {padding} 1 FROM nowhere")
        world.gate.deciding = lambda judge, operation: refused()
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="Ask somebody else"):
            client.execute(LONG_LIST)


def test_a_text_of_too_many_statements_is_refused(world: WireWorld, aside: Held) -> None:
    with connect(world) as client, pytest.raises(psycopg.errors.StatementTooComplex, match="1001"):
        client.execute(";".join(["SELECT 1"] * 1001))


def test_long_values_are_searched_apart_in_rows_and_copies(world: WireWorld, aside: Held) -> None:
    world.gate.obligations = Obligations(
        content=(ContentMask((Detector(DetectorName.EMAIL),), Redact("[x]"), RuleRef("support", "content")),)
    )
    unit, times = "some words and no addresses, but for one; ", 8_000
    masked = unit * times + "[x]"
    with connect(world) as client:
        assert client.execute("SELECT 'a@b.co'").fetchone() == ("[x]",)
        assert aside.asked == []
        for binary in (False, True):
            text = f"SELECT n, repeat('{unit}', {times} * n) || 'a@b.co' FROM generate_series(0, 2) AS n"
            found = client.cursor(binary=binary).execute(text).fetchall()
            assert found == [(0, "[x]"), (1, masked), (2, unit * times + masked)]
        assert len(aside.asked) == 4
        with client.cursor().copy(f"COPY (SELECT repeat('{unit}', {times}) || 'a@b.co') TO STDOUT") as copy:
            assert b"".join(copy) == masked.encode() + b"\n"
        assert len(aside.asked) == 5
        aside.failing = TooHard("too hard")
        with pytest.raises(psycopg.OperationalError, match="too large to be looked into"):
            client.execute(f"SELECT repeat('{unit}', {times})")

"""A view that one session makes anew while another reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import LiteralString

import psycopg
import pytest

from kit.postgres import Postgres
from kit.wait import until
from kit.wire_world import RULE, ScriptedJudge, WireWorld
from tollhouse_core.decision import ColumnMask, Obligations, Verdict
from tollhouse_core.masks import Nullify
from tollhouse_core.operation import Operation

pytestmark = pytest.mark.postgres

CUSTOMERS = ("public", "customers")
MASKED = Obligations(columns=(ColumnMask(CUSTOMERS, "email", Nullify(), RULE),))
HARMLESS: LiteralString = "CREATE OR REPLACE VIEW shown AS SELECT id, body FROM notes"
UNCOVERING: LiteralString = "CREATE OR REPLACE VIEW shown AS SELECT id, email AS body FROM customers"
READ: LiteralString = "SELECT body FROM shown ORDER BY id LIMIT 1"


def masks_customers(judge: ScriptedJudge, operation: Operation) -> Verdict:
    touched = any(one.path == CUSTOMERS for one in operation.resources)
    return judge.permit(operation, MASKED if touched and operation.action == "SELECT" else Obligations())


@pytest.fixture
def world(postgres: Postgres, shop: str, serve: Callable[[WireWorld], WireWorld]) -> WireWorld:
    found = WireWorld(postgres, shop)
    found.gate.deciding = masks_customers
    return serve(found)


@pytest.fixture
def reader(world: WireWorld) -> Iterator[psycopg.Connection]:
    with psycopg.connect(world.dsn(), autocommit=True) as reader:
        yield reader


@pytest.fixture
def maker(world: WireWorld) -> Iterator[psycopg.Connection]:
    with psycopg.connect(world.dsn(), autocommit=True) as maker:
        maker.execute(HARMLESS)
        yield maker


def body(reader: psycopg.Connection) -> str | None:
    row = reader.execute(READ).fetchone()
    assert row is not None
    return None if row[0] is None else str(row[0])


def test_it_is_masked_in_the_very_next_statement(
    reader: psycopg.Connection, maker: psycopg.Connection
) -> None:
    for _ in range(3):
        maker.execute(HARMLESS)
        assert "card" in str(body(reader))
        maker.execute(UNCOVERING)
        assert body(reader) is None


def test_it_is_masked_within_a_transaction(reader: psycopg.Connection, maker: psycopg.Connection) -> None:
    with reader.transaction():
        reader.execute("SELECT 1")
        maker.execute(UNCOVERING)
        assert body(reader) is None


def test_it_is_masked_once_the_change_is_committed(
    reader: psycopg.Connection, maker: psycopg.Connection
) -> None:
    with maker.transaction():
        maker.execute(UNCOVERING)
        reader.execute("SELECT 1")
    assert body(reader) is None


def test_a_statement_prepared_before_is_masked(reader: psycopg.Connection, maker: psycopg.Connection) -> None:
    cursor = reader.cursor()
    cursor.execute(READ, prepare=True)
    maker.execute(UNCOVERING)
    cursor.execute(READ, prepare=True)
    assert cursor.fetchone() == (None,)


def test_a_transaction_that_cannot_see_it_is_told_to_begin_anew(
    reader: psycopg.Connection, maker: psycopg.Connection
) -> None:
    reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    reader.autocommit = False
    reader.execute("SELECT 1")
    maker.execute(UNCOVERING)
    with pytest.raises(psycopg.errors.SerializationFailure):
        body(reader)
    reader.rollback()
    assert body(reader) is None


def test_a_view_that_is_gone_does_not_hold_up_a_transaction_that_still_sees_it(
    world: WireWorld, reader: psycopg.Connection, maker: psycopg.Connection
) -> None:
    world.gate.deciding, world.gate.unbound = None, True
    reader.execute("SELECT 1")
    with psycopg.connect(world.server.dsn(world.database), autocommit=True) as direct:
        direct.execute("CREATE VIEW fleeting AS SELECT id FROM notes")
        reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
        direct.execute("DROP VIEW fleeting")
        maker.execute(UNCOVERING)
        assert reader.execute("SELECT count(*) FROM customers").fetchone() == (3,)
        with pytest.raises(psycopg.errors.LockNotAvailable, match="fleeting"):
            reader.execute("SELECT * FROM fleeting")
        reader.execute("ROLLBACK")


def test_a_view_that_the_server_cannot_print_is_not_asked_for_without_end(
    postgres: Postgres, serve: Callable[[WireWorld], WireWorld]
) -> None:
    database = postgres.create_database(sql="CREATE VIEW broken AS SELECT 1 AS a, 2 AS b")
    with psycopg.connect(postgres.dsn(database), autocommit=True) as damaging:
        damaging.execute("SET allow_system_table_mods = on")
        damaging.execute("DELETE FROM pg_attribute WHERE attrelid = 'broken'::regclass AND attnum = 1")
    world = serve(WireWorld(postgres, database))
    with pytest.raises(psycopg.OperationalError, match="the catalog has changed while it was read"):
        psycopg.connect(world.dsn())


def masks_them_elsewhere(judge: ScriptedJudge, operation: Operation) -> Verdict:
    touched = any(one.path == CUSTOMERS for one in operation.resources)
    return judge.permit(operation, replace(MASKED if touched else Obligations(), elsewhere=True))


TOGETHER: tuple[LiteralString, ...] = (
    READ,
    "SELECT s.body FROM public.shown AS s JOIN notes USING (id) WHERE s.body LIKE '%'",
    "WITH w AS (TABLE shown) SELECT body FROM w",
    "SELECT (SELECT body FROM above LIMIT 1)",
    "UPDATE shown SET id = id WHERE body LIKE 'c%' RETURNING body",
    "DECLARE c CURSOR FOR SELECT body FROM shown; FETCH ALL FROM c",
)


@pytest.mark.parametrize("sql", TOGETHER)
def test_one_made_anew_between_two_statements_of_one_text_is_not_read(
    sql: LiteralString, world: WireWorld, maker: psycopg.Connection, reader: psycopg.Connection
) -> None:
    world.gate.deciding = masks_them_elsewhere
    maker.execute("CREATE OR REPLACE VIEW above AS SELECT id, body FROM shown")
    with psycopg.connect(world.server.dsn(world.database), autocommit=True) as dba:
        assert reader.execute(f"BEGIN; {sql}; COMMIT").rowcount >= -1
        dba.execute("SELECT pg_advisory_lock(77)")
        with ThreadPoolExecutor(1) as pool:
            read = pool.submit(reader.execute, f"BEGIN; SELECT pg_advisory_lock(77); {sql}")
            waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            try:
                until(lambda: dba.execute(waiting).fetchone() == (1,), what="the reader waits")
                dba.execute(UNCOVERING)
            finally:
                dba.execute("SELECT pg_advisory_unlock(77)")
            with pytest.raises(psycopg.errors.SerializationFailure, match="a view has changed"):
                read.result(10)
        reader.execute("ROLLBACK; SELECT pg_advisory_unlock_all()")
        assert body(reader) is None


def test_views_that_stay_as_they_are_show_what_they_always_do(
    world: WireWorld, maker: psycopg.Connection, reader: psycopg.Connection
) -> None:
    world.gate.deciding = masks_them_elsewhere
    with psycopg.connect(world.server.dsn(world.database)) as direct:
        for sql in (
            READ,
            "SELECT * FROM shown",
            "SELECT public.shown.id FROM shown",
            "SELECT s.x FROM shown s (x) FOR UPDATE",
            "UPDATE shown SET id = id RETURNING *",
        ):
            assert reader.execute(sql.encode()).fetchall() == direct.execute(sql.encode()).fetchall()
            direct.rollback()

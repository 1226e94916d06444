"""A view that one session makes anew while another reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import LiteralString

import psycopg
import pytest

from kit.postgres import Postgres
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

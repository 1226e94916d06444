"""psql through the proxy, unmodified."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kit.postgres import Postgres
from kit.wire_world import TOKEN, WireWorld, running

pytestmark = pytest.mark.postgres


@pytest.fixture
def world(postgres: Postgres) -> Iterator[WireWorld]:
    database = postgres.create_database(sql="CREATE TABLE t (id int, name text); INSERT INTO t VALUES (1,'a'),(2,'b')")
    with running(WireWorld(postgres, database)) as made:
        yield made


def psql(world: WireWorld, sql: str, check: bool = True, **more: str) -> str:
    done = world.server.psql(
        sql, database=world.database, user="triage", password=TOKEN, host=world.host, port=world.port, check=check,
        environment={"PGSSLMODE": "disable", **more},
    )
    return (done.stdout if check else done.stdout + done.stderr).strip()


def test_psql_runs_a_select(world: WireWorld) -> None:
    assert psql(world, "SELECT id, name FROM t ORDER BY id") == "1|a\n2|b"


def test_psql_runs_a_transaction_with_bound_parameters(world: WireWorld) -> None:
    said = psql(world, "BEGIN; INSERT INTO t VALUES (3,'c');\nSELECT $1::int + count(*) FROM t \\bind 10 \\g\nROLLBACK;")
    assert said == "13"
    assert psql(world, "SELECT count(*) FROM t") == "2"

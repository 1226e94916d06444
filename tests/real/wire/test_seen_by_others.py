"""Sessions that count on what others have seen of the catalog read names as the server does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import psycopg
import pytest

from kit.postgres import Postgres
from kit.wire_world import WireWorld

pytestmark = pytest.mark.postgres

SECONDS = 60
SCHEMAS = """
CREATE SCHEMA closed; CREATE TABLE closed.t AS SELECT 1 AS n;
CREATE TABLE public.t AS SELECT 2 AS n;
CREATE ROLE seen_app LOGIN PASSWORD 'pw';
ALTER ROLE seen_app SET search_path = closed, public;
GRANT SELECT ON closed.t, public.t TO seen_app;
"""


@pytest.fixture
def admin(postgres: Postgres) -> Iterator[psycopg.Connection]:
    database = postgres.create_database(sql=SCHEMAS)
    with psycopg.connect(postgres.dsn(database), autocommit=True) as made:
        try:
            yield made
        finally:
            made.execute("DROP OWNED BY seen_app; DROP ROLE seen_app")


@pytest.fixture
def world(
    postgres: Postgres, admin: psycopg.Connection, serve: Callable[[WireWorld], WireWorld]
) -> WireWorld:
    return serve(WireWorld(postgres, admin.info.dbname, username="seen_app", password="pw"))


@pytest.mark.parametrize(
    ("change", "after"),
    [
        ("GRANT USAGE ON SCHEMA closed TO seen_app", 1),
        ("ALTER ROLE seen_app SUPERUSER", 1),
        ("ALTER SCHEMA closed RENAME TO other; ALTER SCHEMA public RENAME TO closed", 2),
    ],
)
def test_what_others_change_is_known_to_all_sessions(
    admin: psycopg.Connection, world: WireWorld, change: str, after: int
) -> None:
    with (
        psycopg.connect(world.dsn(), autocommit=True) as first,
        psycopg.connect(world.dsn(), autocommit=True) as second,
    ):
        assert [read(one) for one in (first, second)] == [2, 2]
        admin.execute(change.encode())
        until = time.monotonic() + SECONDS
        while True:
            assert [read(one) for one in (first, second)] == [after, after]
            tables = {session.judged[-1].accesses[0].path for session in world.gate.sessions[-2:]}
            if tables == {("closed", "t")}:
                break
            assert time.monotonic() < until, tables


def read(client: psycopg.Connection) -> int:
    row = client.execute("SELECT n FROM t").fetchone()
    assert row is not None
    return int(row[0])

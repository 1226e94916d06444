"""What other sessions lock does not stop a session that does not touch it."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from kit import wait
from kit.postgres import Postgres
from kit.wire_world import WireWorld

pytestmark = pytest.mark.postgres

WORK = """
CREATE TABLE held (id int DEFAULT 1 + 1, twice int GENERATED ALWAYS AS (id * 2) STORED);
INSERT INTO held VALUES (DEFAULT);
CREATE VIEW held_seen AS SELECT id FROM held;
"""


@pytest.fixture
def holder(postgres: Postgres, shop: str) -> Iterator[psycopg.Connection]:
    """A session beside the proxy that holds the table `held` exclusively until it ends its transaction."""
    with psycopg.connect(postgres.dsn(shop), autocommit=True) as connection:
        connection.execute(WORK)
        connection.execute("BEGIN")
        connection.execute("LOCK TABLE held IN ACCESS EXCLUSIVE MODE")
        yield connection
        connection.execute("ROLLBACK")
        connection.execute("DROP TABLE held CASCADE")


def test_a_session_begins_and_works_while_another_holds_a_table(
    world: WireWorld, holder: psycopg.Connection
) -> None:
    with psycopg.connect(world.dsn(connect_timeout=5), autocommit=True) as client:
        client.execute("SET statement_timeout = 5000")
        assert client.execute("SELECT count(*) FROM customers").fetchone() == (3,)
        client.execute("CREATE TEMP TABLE mine (id int)")
        assert client.execute("SELECT count(*) FROM mine").fetchone() == (0,)
        with pytest.raises(psycopg.errors.LockNotAvailable, match="Run it again"):
            client.execute("SELECT * FROM held_seen")


def test_what_was_held_is_read_once_it_is_free(world: WireWorld, holder: psycopg.Connection) -> None:
    with psycopg.connect(world.dsn(connect_timeout=5), autocommit=True) as client:
        with pytest.raises(psycopg.errors.LockNotAvailable):
            client.execute("SELECT * FROM held_seen")
        holder.execute("ROLLBACK")

        def seen() -> bool:
            try:
                return client.execute("SELECT id FROM held_seen").fetchone() == (2,)
            except psycopg.errors.LockNotAvailable:
                return False

        wait.until(seen, within=10)


@pytest.mark.parametrize("setting", ["lock_timeout", "statement_timeout"])
def test_the_clients_own_time_limits_are_what_they_were(world: WireWorld, setting: str) -> None:
    with psycopg.connect(world.dsn(), autocommit=True) as client:
        client.execute(f"SET {setting} = '7s'")
        with client.transaction(force_rollback=True):
            client.execute(f"SET LOCAL {setting} = '8s'")
            client.execute("CREATE TEMP TABLE passing (id int)")
            client.execute("SELECT count(*) FROM passing")
            assert client.execute(f"SHOW {setting}").fetchone() == ("8s",)
        client.execute("SELECT count(*) FROM customers")
        assert client.execute(f"SHOW {setting}").fetchone() == ("7s",)


def test_an_open_transaction_holds_no_lock_on_what_only_the_proxy_read(
    world: WireWorld, postgres: Postgres, shop: str
) -> None:
    with (
        psycopg.connect(postgres.dsn(shop), autocommit=True) as direct,
        psycopg.connect(world.dsn()) as waiting,
        psycopg.connect(world.dsn(), autocommit=True) as other,
    ):
        try:
            other.execute("CREATE TABLE beside (id int)")
            waiting.execute("SELECT count(*) FROM customers")
            other.execute("CREATE VIEW beside_seen AS SELECT id FROM beside")
            assert waiting.execute("SELECT 1").fetchone() == (1,)
            held = "SELECT count(*) FROM pg_locks WHERE relation = 'beside'::regclass"
            assert direct.execute(held).fetchone() == (0,)
            assert waiting.execute("SELECT count(*) FROM beside_seen").fetchone() == (0,)
        finally:
            waiting.rollback()
            direct.execute("DROP TABLE IF EXISTS beside CASCADE")

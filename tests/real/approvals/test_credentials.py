"""A rule names a stronger credential: the database itself cannot be asked for more without an approval."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from kit import wait
from kit.approving import Approving, deletes_need
from kit.openbao import OpenBao
from kit.postgres import Postgres
from kit.secret_store import MemorySecrets
from kit.wire_world import WireWorld, running
from tollhouse_core.api.credentials import Credentials
from tollhouse_proxy.adapters.clock import SystemClock
from tollhouse_proxy.adapters.credentials.factory import source_for
from tollhouse_proxy.adapters.credentials.settings import CredentialSettings
from tollhouse_proxy.ports.credentials import CredentialSource

pytestmark = [pytest.mark.postgres, pytest.mark.openbao]
SHOP = """
CREATE TABLE orders (id int PRIMARY KEY, total int, made timestamptz);
INSERT INTO orders SELECT n, n * 10, '2030-01-02 03:04:05+00' FROM generate_series(1, 50) AS n;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
"""
PLAIN = "DELETE FROM orders WHERE id = 7"


@dataclass
class Shop:
    """`mount` is where leases of the stronger credential are; the ordinary role may only read orders."""

    asking: Approving
    openbao: OpenBao
    mount: str
    reader: str
    pool: ThreadPoolExecutor

    def leases(self) -> list[str]:
        return self.openbao.leases(self.mount)

    def rows(self, where: str = "true") -> int:
        world = self.asking.world
        return int(world.server.value(f"SELECT count(*) FROM orders WHERE {where}", database=world.database))

    def start(self, client: psycopg.Connection[Any], sql: str, *parameters: object) -> Future[Any]:
        return self.pool.submit(client.execute, sql, parameters or None)  # type: ignore[arg-type]

    def left(self) -> list[str]:
        """Leases still there once there was time to end them (a busy OpenBao is left to it after 5 s)."""
        wait.until(lambda: not self.leases(), what="no lease is left")
        return self.leases()

    def approved(self, client: psycopg.Connection[Any], sql: str, *parameters: object) -> Any:
        """What the statement gives once it is approved."""
        waits = self.start(client, sql, *parameters)
        assert self.asking.vote(self.asking.asked().name, "alice", "managers") == ""
        return waits.result(60)


def stronger(**more: Any) -> dict[str, Any]:
    return deletes_need(sql={"access": ["Delete", "Truncate"], "tables": ["*"]}, credential="eraser", **more)


@pytest.fixture
def shop(postgres: Postgres, openbao: OpenBao, tmp_path: Path) -> Iterator[Shop]:
    database = postgres.create_database(sql=SHOP)
    reader, password = postgres.create_role(f"reader_{database}")
    postgres.psql(f"GRANT SELECT ON orders TO {reader}", database=database)
    grants = 'GRANT SELECT, DELETE, TRUNCATE ON orders TO "{{name}}"'
    mount, role = openbao.database_role(postgres, database, grants=grants)
    secrets = MemorySecrets({"vault": {"token": openbao.root_token}})
    token = {"tokenRef": {"secret": "vault", "key": "token"}}
    vault = {"address": openbao.address, "auth": token, "database": {"mount": mount, "role": role}}
    asked = {"vault": vault}

    def source() -> CredentialSource:
        credentials = Credentials.model_validate(asked)
        return source_for(credentials, secrets, CredentialSettings(), SystemClock())

    world = WireWorld(postgres, database, username=reader, password=password, stronger={"eraser": source})
    made = Approving(tmp_path, world, stronger={"eraser": asked})
    made.policy(stronger())
    with running(world), ThreadPoolExecutor() as pool:
        yield Shop(made, openbao, mount, reader, pool)


def test_what_the_ordinary_role_cannot_do_works_once_it_is_approved_and_leaves_no_lease(shop: Shop) -> None:
    shop.asking.policy({"name": "all", "allow": {"sql": {"access": ["Delete"], "tables": ["*"]}}})
    with shop.asking.connect() as client:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
            client.execute("DELETE FROM orders WHERE id = 7")
        shop.asking.policy(stronger())
        waits = shop.start(client, "DELETE FROM orders WHERE id = 7")
        request = shop.asking.asked()
        assert request.spec.credential == "eraser"
        assert shop.leases() == []  # nothing is fetched before people have agreed
        shop.asking.vote(request.name, "alice", "managers")
        assert waits.result(60).rowcount == 1
        assert shop.left() == []
        assert shop.rows() == 49
        [decided] = [one.data for one in shop.asking.sink.events if one.data.get("credential") == "eraser"]
        assert (decided["decision"], decided["request"]) == ("allow", request.name)
        # The same again is another request, and the session's own role is what it was.
        again = shop.start(client, "DELETE FROM orders WHERE id = 8")
        shop.asking.vote(shop.asking.asked().name, "bob", "managers", decision="Denied")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="is denied"):
            again.result(60)
        assert client.execute("SELECT current_user").fetchone() == (shop.reader,)
        assert shop.rows() == 49
    assert shop.left() == []


@pytest.mark.parametrize("prepare", [False, True])
def test_parameters_rows_and_formats_are_those_of_the_clients_own_session(shop: Shop, prepare: bool) -> None:
    with shop.asking.connect(prepare_threshold=0 if prepare else None) as client:
        client.execute("SET TimeZone = 'Asia/Tokyo'")
        client.execute("SET DateStyle = 'SQL, DMY'")
        sql = "DELETE FROM orders WHERE id = %s RETURNING id, total, made::text"
        found = shop.approved(client, sql, 9)
        assert found.fetchall() == [(9, 90, "02/01/2030 12:04:05 JST")]
        assert shop.left() == []
        with client.cursor(binary=True) as cursor:
            waits = shop.pool.submit(cursor.execute, "DELETE FROM orders WHERE id = %s RETURNING total", [10])
            shop.asking.vote(shop.asking.asked().name, "alice", "managers")
            assert waits.result(60).fetchall() == [(100,)]
        assert client.execute("SELECT count(*) FROM orders").fetchone() == (48,)
    assert shop.left() == []


def test_an_error_of_the_statement_is_the_clients_and_the_session_goes_on(shop: Shop) -> None:
    with shop.asking.connect() as client:
        for parameters in ((), (0,)):
            # (A constant division would fail at Bind already, before anybody is asked.)
            sql = f"DELETE FROM orders WHERE id = 1 / (id - id + {'%s' if parameters else '0'})"
            waits = shop.start(client, sql, *parameters)
            shop.asking.vote(shop.asking.asked().name, "alice", "managers")
            with pytest.raises(psycopg.errors.DivisionByZero):
                waits.result(60)
            assert client.execute("SELECT 1").fetchone() == (1,)
    assert shop.rows() == 50
    assert shop.left() == []


def test_in_a_transaction_or_beside_others_nobody_is_even_asked(shop: Shop) -> None:
    with shop.asking.connect() as client:
        client.execute("BEGIN")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="stands in a transaction block"):
            client.execute("DELETE FROM orders WHERE id = 7")
        client.execute("ROLLBACK")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="among other statements"):
            client.execute("SELECT 1; DELETE FROM orders WHERE id = 7")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="for this session alone"):
            client.execute("PREPARE gone AS DELETE FROM orders WHERE id = 7")
    assert shop.asking.all() == []
    assert shop.rows() == 50


def test_a_name_that_the_stronger_role_would_read_otherwise_is_refused(shop: Shop) -> None:
    world = shop.asking.world
    sql = f"""
    CREATE SCHEMA mine; CREATE TABLE mine.orders (LIKE orders); INSERT INTO mine.orders VALUES (7, 70);
    GRANT USAGE ON SCHEMA mine TO {shop.reader}; GRANT SELECT ON mine.orders TO {shop.reader};
    """
    world.server.psql(sql, database=world.database)
    with shop.asking.connect() as client:
        client.execute("SET search_path = mine, public")
        waits = shop.start(client, "DELETE FROM orders WHERE id = 7")
        shop.asking.vote(shop.asking.asked().name, "alice", "managers")
        with pytest.raises(psycopg.OperationalError, match="needs USAGE on those schemas"):
            waits.result(60)
    assert shop.rows() == 50
    assert shop.left() == []


@pytest.mark.parametrize(
    ("made", "sql"),
    [
        ("CREATE TRIGGER mine BEFORE DELETE ON orders FOR EACH ROW EXECUTE FUNCTION mine.steal()", PLAIN),
        ("GRANT TRIGGER ON orders TO {reader}", PLAIN),
        ("ALTER TABLE orders OWNER TO {reader}", PLAIN),
        ("ALTER TABLE orders ADD CHECK (mine.checks(id))", PLAIN),
        ("", "DELETE FROM orders WHERE id = 7::mine.checked"),
    ],
    ids=["trigger", "may make triggers", "owner", "constraint", "domain"],
)
def test_code_of_the_sessions_own_role_is_not_run_with_the_stronger_one(
    shop: Shop, made: str, sql: str
) -> None:
    world = shop.asking.world
    own = f"""
    CREATE SCHEMA mine; GRANT USAGE ON SCHEMA mine TO PUBLIC;
    CREATE FUNCTION mine.steal() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END';
    ALTER FUNCTION mine.steal OWNER TO {shop.reader};
    CREATE FUNCTION mine.checks(int) RETURNS bool LANGUAGE sql AS 'SELECT true';
    ALTER FUNCTION mine.checks OWNER TO {shop.reader};
    CREATE DOMAIN mine.checked AS int CHECK (mine.checks(VALUE));
    ALTER DOMAIN mine.checked OWNER TO {shop.reader};
    {made.format(reader=shop.reader)}
    """
    world.server.psql(own, database=world.database)
    functions = {"name": "functions", "allow": {"sql": {"functions": ["mine.*"]}}}
    shop.asking.policy(stronger(), functions)
    with shop.asking.connect() as client:
        waits = shop.start(client, sql)
        shop.asking.vote(shop.asking.asked().name, "alice", "managers")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="code of its own run by it"):
            waits.result(60)
    assert shop.rows() == 50
    assert shop.left() == []


def test_a_client_that_cancels_or_leaves_while_it_runs_leaves_neither_lease_nor_statement(shop: Shop) -> None:
    slow = "DELETE FROM orders WHERE id = 7 AND pg_sleep(60) IS NOT NULL"
    shop.asking.policy(
        stronger(), {"name": "sleep", "allow": {"sql": {"functions": ["pg_catalog.pg_sleep"]}}}
    )
    running_now = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DELETE%' AND state = 'active'"

    def runs() -> bool:
        return shop.asking.world.server.value(running_now) == "1"

    with shop.asking.connect() as client:
        waits = shop.start(client, slow)
        shop.asking.vote(shop.asking.asked().name, "alice", "managers")
        wait.until(runs, what="the statement runs")
        assert len(shop.leases()) == 1
        client.cancel_safe()
        with pytest.raises(psycopg.errors.QueryCanceled):
            waits.result(60)
        assert shop.left() == []
        waits = shop.start(client, slow)
        shop.asking.vote(shop.asking.asked().name, "alice", "managers")
        wait.until(runs, what="the statement runs")
        terminate(client)
        wait.until(lambda: not shop.leases(), what="the lease is given back")
        wait.until(lambda: not runs(), what="the statement is stopped")
        with pytest.raises(psycopg.OperationalError):
            waits.result(60)
    assert shop.rows() == 50


def terminate(client: psycopg.Connection[Any]) -> None:
    """The client's end of the connection is gone, whatever waits on it."""
    with socket.socket(fileno=client.fileno()) as link:
        link.shutdown(socket.SHUT_RDWR)
        link.detach()


def test_nothing_is_fetched_for_what_is_denied_expires_or_is_given_up(shop: Shop) -> None:
    with shop.asking.connect() as client:
        waits = shop.start(client, "DELETE FROM orders WHERE id = 7")
        shop.asking.vote(shop.asking.asked().name, "alice", "managers", decision="Denied")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            waits.result(60)
        waits = shop.start(client, "DELETE FROM orders WHERE id = 7")
        shop.asking.asked()
        client.cancel_safe()
        with pytest.raises(psycopg.errors.QueryCanceled):
            waits.result(60)
        shop.asking.policy(stronger(expiresAfter="1s"))
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="expired"):
            client.execute("DELETE FROM orders WHERE id = 7")
    assert shop.left() == []
    assert shop.rows() == 50

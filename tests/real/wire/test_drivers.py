"""What honest clients do on the wire and a proxy easily misses, each with a client that does it."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import asyncpg
import pg8000.native
import psycopg
import psycopg2
import psycopg2.extensions
import psycopg2.extras
import pytest

from kit import wait
from kit.postgres import Postgres
from kit.wire_world import TOKEN, WireWorld

pytestmark = pytest.mark.postgres

Serve = Callable[[WireWorld], WireWorld]
STARTUP_KEYS = {
    "search_path": "public, pg_catalog",
    "jit": "off",
    "statement_timeout": "1min",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "1h",
    "extra_float_digits": "2",
    "TimeZone": "Europe/Berlin",
    "DateStyle": "ISO, DMY",
}
PG_ADMIN = """
SET DateStyle=ISO; SET client_min_messages=notice;
SELECT set_config('bytea_output','hex',false) FROM pg_show_all_settings() WHERE name = 'bytea_output';
SET client_encoding='UTF8'
"""


async def through_asyncpg(world: WireWorld, **options: object) -> asyncpg.Connection:
    given: dict[str, object] = {
        "host": world.host,
        "port": world.port,
        "user": "triage",
        "database": world.database,
        "password": TOKEN,
        "ssl": False,
    }
    return await asyncpg.connect(**{**given, **options})


@contextmanager
def through_pg8000(world: WireWorld) -> Iterator[pg8000.native.Connection]:
    client = pg8000.native.Connection(
        "triage", host=world.host, port=world.port, database=world.database, password=TOKEN
    )
    try:
        yield client
    finally:
        client.close()


def program(server: Postgres, name: str, *words: str, host: str, port: int) -> str:
    """A client program of the server's own release, through the proxy."""
    command = [str(server.bin / name), "-h", host, "-p", str(port), "-U", server.superuser, *words]
    environment = {**os.environ, "PGPASSWORD": TOKEN, "PGSSLMODE": "disable"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_startup_keys_of_drivers_hold_and_are_what_reset_comes_back_to(world: WireWorld) -> None:
    client = await through_asyncpg(world, server_settings=STARTUP_KEYS)
    try:
        for _ in range(2):
            for name, value in STARTUP_KEYS.items():
                assert await client.fetchval(f"SHOW {name}") == value
            await client.execute("SET jit = on; RESET ALL")
    finally:
        await client.close()


def test_a_cancel_in_plain_text_counts_though_the_session_has_tls(
    postgres: Postgres, shop: str, serve: Serve, tls_dir: Path
) -> None:
    world = serve(WireWorld(postgres, shop, tls_dir=tls_dir, requires_tls=True))
    environment = {**os.environ, "PGPASSWORD": TOKEN, "PGSSLMODE": "require"}
    command = [world.server.psql_program, "-X", "-h", world.host, "-p", str(world.port), "-U", "triage"]
    psql = subprocess.Popen(
        [*command, "-c", "SELECT pg_sleep(60)", shop],
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    wait.until(lambda: world.gate.sessions and world.gate.sessions[-1].judged, within=30)
    psql.send_signal(signal.SIGINT)  # libpq's PQcancel, which speaks no TLS
    _, said = psql.communicate(timeout=30)
    assert "canceling statement due to user request" in said


@pytest.mark.parametrize(("most", "spoken"), [("3.0", 30000), ("3.2", 30002), ("latest", 30002)])
def test_libpq_18_speaks_3_2_and_cancels_with_its_long_key(world: WireWorld, most: str, spoken: int) -> None:
    with psycopg.connect(world.dsn(max_protocol_version=most), autocommit=True) as client:
        assert client.pgconn.full_protocol_version == spoken
        timer = threading.Timer(0.5, client.cancel_safe)
        timer.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            client.execute("SELECT pg_sleep(30)")
        timer.join()
        assert client.execute("SELECT pg_backend_pid()").fetchone() == (client.info.backend_pid,)


async def test_a_wrong_token_is_a_wrong_password(world: WireWorld) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await through_asyncpg(world, password="not one of ours")
    with pytest.raises(pg8000.native.DatabaseError) as refused:
        pg8000.native.Connection("triage", host=world.host, port=world.port, password="wrong")
    assert refused.value.args[0]["C"] == "28P01"


def test_a_logical_replication_connection_is_refused_in_words(world: WireWorld) -> None:
    factory = psycopg2.extras.LogicalReplicationConnection
    with pytest.raises(psycopg2.OperationalError, match="replication connections are not served"):
        psycopg2.connect(world.dsn(), connection_factory=factory)


def test_pg8000_prepares_binds_and_copies(world: WireWorld) -> None:
    """It waits for the answers to Parse and Describe with a Flush, and never sends a Sync before."""
    with through_pg8000(world) as client:
        statement = client.prepare("SELECT id, name FROM customers WHERE id = :id")
        assert statement.run(id=2) == [[2, "bob"]]
        assert statement.run(id=1) == [[1, "ann"]]
        statement.close()
        client.run("BEGIN")
        client.run("COPY customers (id, name) FROM STDIN", stream=BytesIO(b"31\tx\n32\ty\n"))
        copied = BytesIO()
        client.run("COPY (SELECT name FROM customers WHERE id > 30) TO STDOUT", stream=copied)
        assert copied.getvalue() == b"x\ny\n"
        client.run("ROLLBACK")
        assert client.run("") is None
        with pytest.raises(pg8000.native.DatabaseError) as failed:
            client.run("SELECT nope FROM customers")
        assert failed.value.args[0]["P"] == "8"


async def test_rows_asked_for_one_by_one_and_in_both_formats(world: WireWorld) -> None:
    """fetchval leaves a suspended portal; aclitem has no binary form, so one Bind asks for both formats."""
    client = await through_asyncpg(world)
    try:
        assert await client.fetchval("SELECT n FROM numbers ORDER BY n") == 1
        row = await client.fetchrow("SELECT n, '=r/postgres'::aclitem AS acl, 1.5::float8 AS f FROM numbers")
        assert (row["acl"], row["f"]) == ("=r/postgres", 1.5)
        async with client.transaction():
            walk = await client.cursor("SELECT n FROM numbers ORDER BY n")
            first = await walk.fetch(2)
            assert await client.fetchval("SELECT count(*) FROM customers") == 3
            assert [one["n"] for one in first + await walk.fetch(2)] == [1, 2, 3, 4]
    finally:
        await client.close()


async def test_every_select_as_a_binary_copy(world: WireWorld) -> None:
    client = await through_asyncpg(world)
    try:
        got = BytesIO()
        query = "SELECT id, name FROM customers WHERE id = $1"
        assert await client.copy_from_query(query, 2, output=got, format="binary") == "COPY 1"
        assert got.getvalue().startswith(b"PGCOPY\n")
        assert b"bob" in got.getvalue()
    finally:
        await client.close()


def test_texts_of_several_statements_as_tools_send_them(world: WireWorld) -> None:
    with psycopg.connect(world.dsn(), autocommit=True) as client:
        client.execute(PG_ADMIN)
        client.execute("SELECT pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; RESET ALL;")
        cursor = client.execute(
            "BEGIN; DECLARE tableau CURSOR FOR SELECT n FROM numbers ORDER BY n; FETCH 2 FROM tableau"
        )
        assert cursor.nextset()
        assert cursor.nextset()
        assert cursor.fetchall() == [(1,), (2,)]
        assert client.execute("FETCH 1 FROM tableau").fetchall() == [(3,)]
        client.execute("ROLLBACK")


def test_functions_with_effects_inside_a_select(world: WireWorld) -> None:
    kysely = "WITH off AS (SELECT set_config('jit', 'off', false) AS was) SELECT was FROM off"
    with psycopg.connect(world.dsn(), autocommit=True) as client:
        assert client.execute(kysely).fetchone() == ("off",)
        assert client.execute("SHOW jit").fetchone() == ("off",)
        assert client.execute("SELECT pg_try_advisory_lock(4242)").fetchone() == (True,)
        assert client.execute("SELECT pg_advisory_unlock(4242)").fetchone() == (True,)
        django = "SELECT setval(pg_get_serial_sequence('\"notes\"', 'id'), coalesce(max(id), 1)) FROM notes"
        assert client.execute(django).fetchone() == (1,)


def test_pg_dump_with_two_workers_shares_a_snapshot(postgres: Postgres, serve: Serve, tmp_path: Path) -> None:
    database = postgres.create_database(
        sql="CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TABLE a (id serial PRIMARY KEY, m mood, l int[]);"
        "CREATE TABLE b (id int REFERENCES a); CREATE VIEW v AS SELECT m FROM a;"
        "INSERT INTO a (m, l) VALUES ('sad', '{1,2}'); INSERT INTO b VALUES (1)"
    )
    world = serve(WireWorld(postgres, database))
    reach = {"host": world.host, "port": world.port}
    program(postgres, "pg_dump", "-Fd", "-j", "2", "-f", str(tmp_path / "dump"), database, **reach)
    listed = subprocess.run(
        [postgres.bin / "pg_restore", "-l", tmp_path / "dump"], capture_output=True, text=True, check=True
    ).stdout
    for entry in ("TYPE public mood", "TABLE DATA public a", "TABLE DATA public b", "VIEW public v"):
        assert entry in listed


def test_other_databases_are_made_and_dropped_by_their_programs(postgres: Postgres, serve: Serve) -> None:
    """createdb and dropdb log in to `postgres` first, whatever they are about."""
    world = serve(WireWorld(postgres, postgres.create_database(), databases=("postgres", "template1")))
    reach = {"host": world.host, "port": world.port}
    program(postgres, "createdb", "made_by_createdb", **reach)
    assert "made_by_createdb" in program(postgres, "psql", "-d", "template1", "-Atc", "\\l", **reach)
    program(postgres, "dropdb", "made_by_createdb", **reach)

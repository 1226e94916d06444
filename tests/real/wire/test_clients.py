"""Unmodified clients under a policy that allows everything: nothing may be different."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable
from contextlib import suppress

import asyncpg
import psycopg
import pytest

from kit import wait
from kit.postgres import Postgres
from kit.wire_world import TOKEN, WireWorld

pytestmark = pytest.mark.postgres


def connect(world: WireWorld, **options: object) -> psycopg.Connection:
    return psycopg.connect(world.dsn(**options), autocommit=True)


async def connect_asyncpg(world: WireWorld) -> asyncpg.Connection:
    return await asyncpg.connect(
        host=world.host, port=world.port, user="triage", database=world.database, password=TOKEN, ssl=False
    )


def psql(world: WireWorld, sql: str, *, check: bool = True) -> str:
    done = world.server.psql(
        sql,
        database=world.database,
        user="triage",
        password=TOKEN,
        host=world.host,
        port=world.port,
        check=check,
        environment={"PGSSLMODE": "prefer"},
    )
    return (done.stdout if check else done.stdout + done.stderr).strip()


def test_psql_runs_statements_and_a_transaction(world: WireWorld) -> None:
    assert psql(world, "SELECT id, name FROM customers ORDER BY id") == "1|ann\n2|bob\n3|cyd"
    said = psql(
        world, "BEGIN;\nINSERT INTO customers VALUES (9, 'zoe');\nSELECT count(*) FROM customers;\nROLLBACK;"
    )
    assert said == "4"
    assert psql(world, "SELECT count(*) FROM customers") == "3"


def test_psql_describes_a_table(world: WireWorld) -> None:
    assert "email|text" in psql(world, "\\d customers")


def test_several_statements_in_one_query_are_one_transaction(world: WireWorld) -> None:
    with connect(world) as client:
        with pytest.raises(psycopg.errors.DivisionByZero):
            client.execute("INSERT INTO customers VALUES (50, 'x'); SELECT 1/0")
        assert client.execute("SELECT count(*) FROM customers").fetchone() == (3,)


def test_psycopg_binds_text_and_binary(world: WireWorld) -> None:
    with connect(world) as client:
        rows = client.execute("SELECT name FROM customers WHERE id = %s", (1,)).fetchall()
        rows += client.execute("SELECT name FROM customers WHERE id = %b", (2,), binary=True).fetchall()
        assert rows == [("ann",), ("bob",)]


def test_psycopg_prepares_by_itself_and_keeps_many_statements(world: WireWorld) -> None:
    with connect(world) as client:
        client.prepare_threshold = 0
        for turn in range(150):
            found = client.execute(f"SELECT %s::int + {turn % 120}", (1,)).fetchone()
            assert found == (1 + turn % 120,)


def test_psycopg_pipelines(world: WireWorld) -> None:
    with connect(world) as client, client.pipeline():
        cursors = [client.execute("SELECT %s::int", (turn,)) for turn in range(40)]
        assert [cursor.fetchone() for cursor in cursors] == [(turn,) for turn in range(40)]


def test_an_error_in_a_pipeline_skips_to_the_next_sync(world: WireWorld) -> None:
    with connect(world) as client:
        with pytest.raises(psycopg.errors.DivisionByZero), client.pipeline() as pipeline:  # noqa: PT012
            client.execute("INSERT INTO customers VALUES (60, 'x')")
            client.execute("SELECT 1/0")
            pipeline.sync()
        assert client.execute("SELECT count(*) FROM customers").fetchone() == (3,)


def test_server_side_cursors_and_row_limited_execution(world: WireWorld) -> None:
    with connect(world) as client, client.transaction(), client.cursor("walk") as cursor:
        cursor.execute("SELECT n FROM numbers ORDER BY n")
        assert cursor.fetchmany(3) == [(1,), (2,), (3,)]
        assert len(cursor.fetchall()) == 4997


def test_copy_with_a_program_of_the_server_answers_like_any_command(world: WireWorld) -> None:
    with psycopg.connect(world.dsn(), autocommit=True) as client:
        client.execute("CREATE TEMP TABLE copied (id int)")
        made = client.execute("COPY copied FROM PROGRAM 'printf \"1\\n2\\n\"'")
        assert made.statusmessage == "COPY 2"
        assert client.execute("SELECT sum(id) FROM copied").fetchone() == (3,)


def test_copy_in_and_out(world: WireWorld) -> None:
    with connect(world) as client, client.transaction(force_rollback=True):
        with client.cursor().copy("COPY customers (id, name) FROM STDIN") as copy:
            for number in range(100, 400):
                copy.write_row((number, "many"))
        with client.cursor().copy("COPY (SELECT id FROM customers ORDER BY id) TO STDOUT") as copy:
            assert len(list(copy.rows())) == 303
        with client.cursor().copy("COPY customers TO STDOUT (FORMAT binary)") as copy:
            assert b"PGCOPY" in b"".join(copy)


def test_a_copy_that_fails_leaves_the_session_in_sync(world: WireWorld) -> None:
    with connect(world) as client:
        with (  # noqa: PT012
            pytest.raises(psycopg.errors.InvalidTextRepresentation),
            client.cursor().copy("COPY customers (id, name) FROM STDIN") as copy,
        ):
            for _ in range(2000):
                copy.write("not a number\tx\n")
        with (  # noqa: PT012
            pytest.raises(ZeroDivisionError),
            client.cursor().copy("COPY customers (id, name) FROM STDIN") as copy,
        ):
            copy.write_row((700, "x"))
            raise ZeroDivisionError
        assert client.execute("SELECT count(*) FROM customers").fetchone() == (3,)


def test_notifications_carry_the_pid_the_client_was_given(world: WireWorld) -> None:
    with connect(world) as client:
        client.execute("LISTEN news")
        client.execute("NOTIFY news, 'hello'")
        said = next(client.notifies(timeout=5))
        assert (said.payload, said.pid) == ("hello", client.info.backend_pid)
        assert client.execute("SELECT pg_backend_pid()").fetchone() == (client.info.backend_pid,)


@pytest.mark.parametrize("empty", ["", ";", "-- ping", " ; ;"])
def test_empty_queries_are_answered(world: WireWorld, empty: str) -> None:
    with connect(world) as client:
        assert client.execute(empty).statusmessage in {None, ""}
        assert client.execute("SELECT 1").fetchone() == (1,)


def test_long_rows_pass_in_pieces(world: WireWorld) -> None:
    with connect(world) as client:
        long = client.execute("SELECT repeat('x', 3000000)").fetchone()
        assert long is not None
        assert len(long[0]) == 3_000_000
        assert client.execute("SELECT sum(length(label)) FROM numbers").fetchone() is not None


def test_error_positions_point_into_what_the_client_wrote(world: WireWorld) -> None:
    with connect(world) as client:
        with pytest.raises(psycopg.errors.UndefinedColumn) as found:
            client.execute("/* a */  SELECT nope FROM customers")
        assert found.value.diag.statement_position == "17"


def test_tables_made_in_the_session_are_known_at_once(world: WireWorld) -> None:
    with connect(world) as client:
        with client.transaction(force_rollback=True):
            client.execute("CREATE TABLE fresh (id int)")
            client.execute("INSERT INTO fresh VALUES (%s)", (4,))
            assert client.execute("SELECT id FROM fresh").fetchall() == [(4,)]
        with pytest.raises(psycopg.errors.UndefinedTable):
            client.execute("SELECT id FROM fresh")
        client.execute("CREATE TEMP TABLE mine (id int)")
        assert client.execute("SELECT count(*) FROM mine").fetchone() == (0,)


def test_tables_made_and_used_in_one_pipeline(world: WireWorld) -> None:
    with connect(world) as client:
        with client.pipeline():
            client.execute("CREATE TABLE piped (id int)")
            client.execute("INSERT INTO piped VALUES (1)")
            rows = client.execute("SELECT id FROM piped")
            assert rows.fetchall() == [(1,)]
        client.execute("DROP TABLE piped")


def test_tables_made_and_used_in_one_text(world: WireWorld) -> None:
    with connect(world) as client:
        made = "CREATE TABLE at_once (id int); INSERT INTO at_once VALUES (1), (2)"
        text = f"{made}; SELECT id FROM at_once ORDER BY id"
        cursor = client.execute(text)
        assert cursor.nextset()
        assert cursor.rowcount == 2
        assert cursor.nextset()
        assert cursor.fetchall() == [(1,), (2,)]
        with pytest.raises(psycopg.errors.DivisionByZero):
            client.execute("CREATE TABLE never (id int); INSERT INTO never VALUES (1/0); SELECT 1")
        with pytest.raises(psycopg.errors.UndefinedTable) as found:
            client.execute("CREATE TABLE never (id int); SELECT 1 FROM nowhere")
        assert found.value.diag.statement_position == "44"
        assert client.execute("SELECT to_regclass('never') IS NULL").fetchone() == (True,)
        client.execute("BEGIN; CREATE TABLE never (id int); INSERT INTO never VALUES (1); ROLLBACK")
        assert client.info.transaction_status.name == "IDLE"
        client.execute("DROP TABLE at_once")


def test_custom_types_are_found_by_drivers_that_look_them_up(world: WireWorld) -> None:
    async def ask() -> list[object]:
        client = await connect_asyncpg(world)
        try:
            row = await client.fetchrow(
                "SELECT 'sad'::mood AS m, ROW(1, 'x')::pair AS p, ARRAY['sad']::mood[] AS l"
            )
            return [row["m"], tuple(row["p"]), row["l"]]
        finally:
            await client.close()

    with connect(world) as client:
        client.execute("CREATE TYPE mood AS ENUM ('sad', 'ok')")
        client.execute("CREATE TYPE pair AS (a int, b text)")
        try:
            assert asyncio.run(ask()) == ["sad", (1, "x"), ["sad"]]
        finally:
            client.execute("DROP TYPE mood")
            client.execute("DROP TYPE pair")


def test_another_sessions_table_becomes_known(world: WireWorld) -> None:
    with connect(world) as one, connect(world) as other:
        assert other.execute("SELECT 1").fetchone() == (1,)
        one.execute("CREATE TABLE elsewhere (id int)")
        try:
            found = wait.until(
                lambda: other.execute("SELECT count(*) FROM elsewhere").fetchone(), within=30, every=0.1
            )
            assert found == (0,)
        finally:
            one.execute("DROP TABLE elsewhere")


def test_our_own_looks_do_not_fix_a_transactions_snapshot(world: WireWorld) -> None:
    with connect(world) as client, client.transaction():
        client.execute("SET LOCAL search_path = public")
        client.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        assert client.execute("SHOW transaction_isolation").fetchone() == ("repeatable read",)


def test_search_path_follows_set_and_rollback(world: WireWorld) -> None:
    with connect(world) as client:
        client.execute("CREATE SCHEMA IF NOT EXISTS side; CREATE TABLE IF NOT EXISTS side.only_here (id int)")
        with client.transaction(force_rollback=True):
            client.execute("SET search_path = side")
            assert client.execute("SELECT count(*) FROM only_here").fetchone() == (0,)
        with pytest.raises(psycopg.errors.UndefinedTable):
            client.execute("SELECT count(*) FROM only_here")
    with connect(world, options="-csearch_path=side") as client:
        assert client.execute("SELECT count(*) FROM only_here").fetchone() == (0,)


def test_prepare_and_execute_in_sql_share_names_with_the_protocol(world: WireWorld) -> None:
    with connect(world) as client:
        client.execute("PREPARE p (int) AS SELECT name FROM customers WHERE id = $1")
        assert client.execute("EXECUTE p(2)").fetchall() == [("bob",)]
        client.execute("BEGIN; DECLARE c CURSOR FOR SELECT id FROM customers ORDER BY id; FETCH 2 FROM c")
        assert client.execute("FETCH ALL FROM c").fetchall() == [(3,)]
        client.execute("COMMIT")
        client.execute("DEALLOCATE ALL")
        with pytest.raises(psycopg.errors.InvalidSqlStatementName):
            client.execute("EXECUTE p(2)")
        with pytest.raises(psycopg.errors.InvalidCursorName):
            client.execute("FETCH ALL FROM c")


def test_large_objects_are_refused_and_the_session_goes_on(world: WireWorld) -> None:
    with connect(world) as client:
        with pytest.raises(psycopg.Error):
            client.execute("SELECT lo_get(424242)")
        assert client.execute("SELECT 1").fetchone() == (1,)


async def test_asyncpg_fetches_copies_and_resets(world: WireWorld) -> None:
    client = await connect_asyncpg(world)
    try:
        assert await client.fetchval("SELECT name FROM customers WHERE id = $1", 2) == "bob"
        assert (await client.fetchrow("SELECT extra, tags FROM notes"))["tags"] == ["x", "4111111111111111"]
        async with client.transaction():
            cursor = await client.cursor("SELECT n FROM numbers ORDER BY n")
            assert [row["n"] for row in await cursor.fetch(3)] == [1, 2, 3]
        transaction = client.transaction()
        await transaction.start()
        await client.executemany(
            "INSERT INTO customers (id, name) VALUES ($1, $2)", [(n, "x") for n in range(10, 60)]
        )
        await client.copy_records_to_table("customers", records=[(99, "y")], columns=["id", "name"])
        assert await client.fetchval("SELECT count(*) FROM customers") == 54
        await transaction.rollback()
        await client.reset()
        with pytest.raises(asyncio.TimeoutError):
            await client.fetch("SELECT pg_sleep(30)", timeout=0.3)
        assert await client.fetchval("SELECT count(*) FROM customers") == 3
    finally:
        await client.close()


async def test_asyncpg_prepares_anew_what_another_session_has_changed(world: WireWorld) -> None:
    """The server refuses the old plan at Bind; what waits behind it is skipped, not answered in its place."""
    client, other = await connect_asyncpg(world), await connect_asyncpg(world)
    try:
        await client.execute("CREATE TABLE moved (a int, b int); INSERT INTO moved VALUES (1, 2)")
        statement = await client.prepare("SELECT * FROM moved")
        assert tuple(await client.fetchrow("SELECT * FROM moved")) == (1, 2)
        await other.execute("ALTER TABLE moved ALTER COLUMN b TYPE text")
        with pytest.raises(asyncpg.InvalidCachedStatementError):
            await statement.fetchrow()
        assert tuple(await client.fetchrow("SELECT * FROM moved")) == (1, "2")
        assert await client.fetchval("SELECT 1") == 1
    finally:
        await client.execute("DROP TABLE moved")
        await client.close()
        await other.close()


@pytest.mark.parametrize("milliseconds", [5, 20])
def test_the_clients_statement_timeout_is_not_for_our_own_questions(
    world: WireWorld, milliseconds: int
) -> None:
    """Reading a catalog may take longer than what a client grants its statements (to take that away is under
    it yet, and takes a fraction of a millisecond where the server is not busy)."""
    options = f"'-c statement_timeout={milliseconds}'"
    with connect(world, options=options) as client:
        assert client.execute("SHOW statement_timeout").fetchone() == (f"{milliseconds}ms",)
        with client.transaction(force_rollback=True):
            client.execute("SET LOCAL statement_timeout = 30000; CREATE TABLE slowly (id int)")
            client.execute(f"SET LOCAL statement_timeout = {milliseconds}")
            client.execute("INSERT INTO slowly VALUES (1)")
            assert client.execute("SHOW statement_timeout").fetchone() == (f"{milliseconds}ms",)
        with pytest.raises(psycopg.errors.QueryCanceled):
            client.execute("SELECT pg_sleep(5)")
        assert client.execute("SHOW statement_timeout").fetchone() == (f"{milliseconds}ms",)


async def test_a_cancel_never_hits_the_statement_behind_it(world: WireWorld) -> None:
    """asyncpg goes on when the connection that carried the cancel is closed: it has done its work by then."""
    client = await connect_asyncpg(world)
    try:
        with pytest.raises(asyncio.TimeoutError):
            await client.fetch("SELECT pg_sleep(60)", timeout=0.04)
        for _ in range(20):
            with suppress(asyncio.TimeoutError):  # nearly always; a busy machine may be late
                await client.fetch("SELECT pg_sleep(0.05)", timeout=0.04)
            assert await client.fetchval("SELECT 7 FROM pg_sleep(0.01)") == 7
    finally:
        await client.close()


@pytest.mark.parametrize("unbound", [True, False])
async def test_what_fails_at_a_sync_is_told_whole_only_where_nothing_binds(
    world: WireWorld, unbound: bool
) -> None:
    """A deferred constraint: of which statement of the pipeline nobody says."""
    world.gate.unbound = unbound
    client = await connect_asyncpg(world)
    try:
        await client.execute("CREATE TEMP TABLE late (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)")
        with pytest.raises(asyncpg.UniqueViolationError) as failed:
            await client.fetch("INSERT INTO late VALUES ($1), ($1)", 1)
    finally:
        await client.close()
    assert ("(id)=(1)" in str(failed.value.detail)) is unbound


async def test_several_commands_are_refused_as_such_before_their_names_are_looked_up(
    world: WireWorld,
) -> None:
    client = await connect_asyncpg(world)
    try:
        with pytest.raises(asyncpg.PostgresSyntaxError, match="cannot insert multiple commands"):
            await client.execute("CREATE TABLE two (a int); INSERT INTO two VALUES ($1)", 1)
    finally:
        await client.close()


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_pgbench_runs_in_every_mode(
    postgres: Postgres, serve: Callable[[WireWorld], WireWorld], mode: str
) -> None:
    database = postgres.create_database()
    program = str(postgres.pgbench_program)
    direct = ["-h", postgres.host, "-p", str(postgres.port), "-U", "postgres", database]
    environment = {**os.environ, "PGPASSWORD": postgres.password}
    subprocess.run(
        [program, "-i", "-s", "1", "-q", *direct],
        env=environment,
        check=True,
        capture_output=True,
        timeout=60,
    )
    world = serve(WireWorld(postgres, database))
    through = ["-h", world.host, "-p", str(world.port), "-U", "triage", database]
    environment = {**os.environ, "PGPASSWORD": TOKEN, "PGSSLMODE": "disable"}
    done = subprocess.run(
        [program, "-n", "-M", mode, "-c", "3", "-t", "20", *through],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "actually processed: 60/60" in done.stdout

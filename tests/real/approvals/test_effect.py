"""What people are told of a statement's effect, and that its real run is held to it; on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest

from kit import wait
from kit.approving import Approving, approving, deletes_need
from kit.postgres import Postgres
from tollhouse_core.api.approval_request import ApprovalRequest, Effect
from tollhouse_proxy.protocols.postgres import preview

pytestmark = pytest.mark.postgres
SHOP = """
CREATE TABLE orders (id int PRIMARY KEY, tenant int, total int);
INSERT INTO orders SELECT n, n % 2, n * 10 FROM generate_series(1, 50) AS n;
CREATE TABLE watched (id int PRIMARY KEY);
INSERT INTO watched SELECT generate_series(1, 20);
CREATE TABLE seen (id int);
CREATE FUNCTION watching() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN INSERT INTO seen VALUES (OLD.id); RETURN OLD; END';
CREATE TRIGGER watch BEFORE DELETE ON watched FOR EACH ROW EXECUTE FUNCTION watching();
CREATE TABLE customers (id int PRIMARY KEY);
CREATE TABLE letters (id serial, customer int REFERENCES customers ON DELETE CASCADE);
INSERT INTO customers VALUES (1);
INSERT INTO letters (customer) SELECT 1 FROM generate_series(1, 30);
CREATE TABLE late (id int, CONSTRAINT pair UNIQUE (id) DEFERRABLE INITIALLY DEFERRED);
INSERT INTO late VALUES (1), (2);
CREATE SEQUENCE drawn;
CREATE DOMAIN numbered AS int DEFAULT nextval('drawn');
CREATE DOMAIN renumbered AS numbered;
CREATE TABLE tickets (id int, number renumbered);
CREATE FUNCTION peek() RETURNS int STABLE LANGUAGE plpgsql AS
  'BEGIN PERFORM nextval(''drawn''); RETURN 1; END';
CREATE TABLE logged (id int);
CREATE RULE also AS ON DELETE TO logged DO ALSO DELETE FROM seen;
CREATE VIEW logged_v AS SELECT * FROM logged;
ANALYZE;
"""


@pytest.fixture(scope="module")
def database(postgres: Postgres) -> str:
    return postgres.create_database(sql=SHOP)


@pytest.fixture
def asking(postgres: Postgres, database: str, tmp_path: Path) -> Iterator[Approving]:
    postgres.psql("DELETE FROM orders", database=database)
    postgres.psql(
        "INSERT INTO orders SELECT n, n % 2, n * 10 FROM generate_series(1, 50) AS n", database=database
    )
    with approving(tmp_path, postgres, database) as made:
        made.policy(deletes_need(preview="Execute"))
        yield made


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as made:
        yield made


def admin(asking: Approving) -> psycopg.Connection[Any]:
    return psycopg.connect(asking.world.server.dsn(asking.world.database), autocommit=True)


def value(asking: Approving, sql: str) -> int:
    with admin(asking) as connection:
        found = connection.execute(sql.encode()).fetchone()
    assert found is not None
    return int(found[0])


@pytest.fixture
def held(asking: Approving, monkeypatch: pytest.MonkeyPatch) -> Iterator[psycopg.Connection[Any]]:
    """Somebody holds a row that the run needs, and the run may wait for it long."""
    monkeypatch.setattr(preview, "LOCK_MILLISECONDS", 60_000)
    monkeypatch.setattr(preview, "RUN_MILLISECONDS", 60_000)
    with psycopg.connect(asking.world.server.dsn(asking.world.database)) as other:
        other.execute("SELECT FROM orders WHERE id = 45 FOR UPDATE")
        yield other
        other.rollback()


_READS_CLOSED = "not run beforehand: it reads what is not open without an approval"
WAITERS = "FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


def run_waits(asking: Approving) -> None:
    wait.until(
        lambda: value(asking, f"SELECT count(*) {WAITERS}") == 1, within=30, what="the run waits for the lock"
    )


def orders(asking: Approving) -> int:
    return value(asking, "SELECT count(*) FROM orders")


def start(
    pool: ThreadPoolExecutor, client: psycopg.Connection[Any], sql: LiteralString, *parameters: object
) -> Future[Any]:
    return pool.submit(client.execute, sql, parameters or None)


def error_of(running: Future[Any]) -> psycopg.Error:
    with pytest.raises(psycopg.Error) as caught:
        running.result(15)
    return caught.value


def effect_of(request: ApprovalRequest) -> Effect:
    assert request.spec.effect is not None
    return request.spec.effect


def approve(asking: Approving, request: ApprovalRequest) -> None:
    assert asking.vote(request.name, "alice", "managers") == ""


def completed(asking: Approving, outcome: str) -> list[dict[str, Any]]:
    return [
        dict(event.data)
        for event in asking.sink.events
        if event.kind.value == "OperationCompleted" and event.data["outcome"] == outcome
    ]


SIMPLE = ("DELETE FROM orders WHERE total > 400", ())
EXTENDED = ("DELETE FROM orders WHERE total > %s", (400,))
BOTH = pytest.mark.parametrize(("sql", "parameters"), [SIMPLE, EXTENDED], ids=["simple", "extended"])
"""Ten orders."""


@BOTH
def test_people_read_how_many_rows_it_wrote_when_it_was_run_and_rolled_back(
    asking: Approving, pool: ThreadPoolExecutor, sql: LiteralString, parameters: tuple[object, ...]
) -> None:
    with asking.connect() as client:
        running = start(pool, client, sql, *parameters)
        request = asking.asked()
        told = effect_of(request)
        assert (told.counted_rows, told.max_rows, told.relations) == (10, 20, ("public.orders",))
        assert told.rows is not None
        assert told.note is None
        assert orders(asking) == 50
        approve(asking, request)
        assert running.result(15).rowcount == 10
    assert orders(asking) == 40
    asked = next(event for event in asking.sink.events if event.kind.value == "ApprovalRequested")
    assert dict(asked.data)["effect"] == {
        "rows": told.rows,
        "relations": ["public.orders"],
        "countedRows": 10,
        "maxRows": 20,
    }


@BOTH
def test_no_lock_is_held_while_people_think(
    asking: Approving, pool: ThreadPoolExecutor, sql: LiteralString, parameters: tuple[object, ...]
) -> None:
    with asking.connect() as client:
        running = start(pool, client, sql, *parameters)
        request = asking.asked()
        exclusively = "BEGIN; SET LOCAL lock_timeout = '1s'; LOCK TABLE orders; COMMIT"
        asking.world.server.psql(exclusively, database=asking.world.database)
        open_ones = "SELECT count(*) FROM pg_stat_activity WHERE xact_start IS NOT NULL AND state <> 'active'"
        assert value(asking, open_ones) == 0
        approve(asking, request)
        assert running.result(15).rowcount == 10


@BOTH
def test_more_rows_than_were_approved_are_rolled_back_and_refused_with_both_figures(
    asking: Approving, pool: ThreadPoolExecutor, sql: LiteralString, parameters: tuple[object, ...]
) -> None:
    with asking.connect() as client:
        running = start(pool, client, sql, *parameters)
        request = asking.asked()
        asking.world.server.psql("UPDATE orders SET total = 500", database=asking.world.database)
        approve(asking, request)
        error = error_of(running)
        assert error.sqlstate == "42501"
        assert f"it wrote 50 rows, and approval {request.name} allows at most 20" in str(error)
        assert "10 were counted beforehand" in str(error)
        assert orders(asking) == 50
        assert client.execute("SELECT count(*) FROM orders").fetchone() == (50,)
    [record] = completed(asking, "RolledBack")
    assert (record["tag"], record["errorCode"]) == ("DELETE 50", "42501")
    assert "it wrote 50 rows" in record["message"]


@BOTH
def test_rows_that_are_returned_are_withheld_until_it_is_known_that_they_may_be(
    asking: Approving, pool: ThreadPoolExecutor, sql: LiteralString, parameters: tuple[object, ...]
) -> None:
    asking.policy(deletes_need(maxRows=10))
    with asking.connect() as client:
        running = start(pool, client, sql + " RETURNING id", *parameters)
        request = asking.asked()
        assert (effect_of(request).counted_rows, effect_of(request).max_rows) == (None, 10)
        approve(asking, request)
        assert sorted(running.result(15).fetchall()) == [(n,) for n in range(41, 51)]
        asking.world.server.psql("UPDATE orders SET total = 500", database=asking.world.database)
        running = start(pool, client, sql + " RETURNING id", *parameters)
        approve(asking, asking.asked())
        assert "it wrote 40 rows" in str(error_of(running))
    assert orders(asking) == 40
    assert [one["rows"] for one in completed(asking, "RolledBack")] == [0]


@BOTH
def test_in_a_transaction_the_preview_leaves_it_open_and_the_limit_aborts_it(
    asking: Approving, pool: ThreadPoolExecutor, sql: LiteralString, parameters: tuple[object, ...]
) -> None:
    with asking.connect() as client:
        client.execute("BEGIN")
        client.execute("UPDATE orders SET total = 0 WHERE id = 1")
        running = start(pool, client, sql, *parameters)
        request = asking.asked()
        assert effect_of(request).counted_rows == 10
        approve(asking, request)
        assert running.result(15).rowcount == 10
        assert client.execute("SELECT total FROM orders WHERE id = 1").fetchone() == (0,)
        client.execute("SAVEPOINT before")
        asking.policy(deletes_need(maxRows=3))
        running = start(pool, client, "DELETE FROM orders WHERE total > 300")
        approve(asking, asking.asked())
        assert "it wrote 10 rows" in str(error_of(running))
        assert client.info.transaction_status is psycopg.pq.TransactionStatus.INERROR
        client.execute("ROLLBACK TO SAVEPOINT before")
        client.execute("COMMIT")
    assert orders(asking) == 40
    assert value(asking, "SELECT total FROM orders WHERE id = 1") == 0


def test_only_rows_inside_the_filter_are_counted(asking: Approving, pool: ThreadPoolExecutor) -> None:
    only = {"name": "own", "filter": {"tables": ["orders"], "where": "tenant = 1"}}
    asking.policy(deletes_need(preview="Execute"), only)
    for sql, parameters in (SIMPLE, EXTENDED):
        with asking.connect() as client:
            running = start(pool, client, sql, *parameters)
            request = asking.asked()
            assert effect_of(request).counted_rows == 5
            asking.vote(request.name, "alice", "managers", decision="Denied")
            error_of(running)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("DELETE FROM watched", "watched has the trigger watch"),
        ("DELETE FROM customers", "foreign keys have the server write to public.letters as well"),
        ("DELETE FROM orders WHERE pg_try_advisory_lock(7)", "it calls pg_try_advisory_lock"),
        ("DELETE FROM orders WHERE id = 1; DELETE FROM orders WHERE id = 2", "behind other statements"),
        ("WITH a AS (DELETE FROM orders RETURNING 1) DELETE FROM watched", "writes in several places"),
        ("TRUNCATE orders", "only INSERT, UPDATE, DELETE and MERGE are"),
    ],
)
def test_what_has_other_effects_is_not_run_and_people_are_told_why(
    asking: Approving, pool: ThreadPoolExecutor, sql: LiteralString, words: str
) -> None:
    rule = deletes_need(preview="Execute", sql={"access": ["Delete", "Truncate"], "tables": ["*"]})
    asking.policy(rule)
    with asking.connect() as client:
        running = start(pool, client, sql)
        request = asking.asked()
        told = effect_of(request)
        assert (told.counted_rows, told.max_rows) == (None, None)
        assert told.note is not None
        assert told.note.startswith("not run beforehand: ")
        assert words in told.note
        asking.vote(request.name, "alice", "managers", decision="Denied")
        error_of(running)
    assert (orders(asking), value(asking, "SELECT count(*) FROM seen")) == (50, 0)
    assert value(asking, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0


def test_rows_numbered_from_a_sequence_are_not_made_beforehand(
    asking: Approving, pool: ThreadPoolExecutor
) -> None:
    rule = deletes_need(preview="Execute", sql={"access": ["Insert"], "tables": ["*"]})
    asking.policy(rule)
    before = value(asking, "SELECT last_value FROM letters_id_seq")
    with asking.connect() as client:
        running = start(pool, client, "INSERT INTO letters (customer) VALUES (1)")
        request = asking.asked()
        assert "letters numbers its rows from a sequence" in (effect_of(request).note or "")
        asking.vote(request.name, "alice", "managers", decision="Denied")
        error_of(running)
        running = start(pool, client, "INSERT INTO seen SELECT generate_series(1, 7)")
        request = asking.asked()
        assert effect_of(request).counted_rows == 7
        asking.vote(request.name, "alice", "managers", decision="Denied")
        error_of(running)
    assert value(asking, "SELECT last_value FROM letters_id_seq") == before


def test_nor_by_a_domain_and_no_function_runs_for_the_estimate(
    asking: Approving, pool: ThreadPoolExecutor
) -> None:
    tables = deletes_need(preview="Execute", sql={"access": ["Insert"], "tables": ["*"]})
    functions = {"sql": {"functions": ["public.peek"]}, "approvers": [{"group": "managers"}]}
    asking.policy(tables, {"name": "functions", "requireApproval": functions})
    drawn = "SELECT last_value + is_called::int FROM drawn"
    before = value(asking, drawn)
    with asking.connect() as client:
        for sql in ("INSERT INTO tickets (id) VALUES (1)", "SELECT * FROM orders WHERE id = peek()"):
            running = start(pool, client, sql)
            request = asking.asked()
            assert value(asking, drawn) == before
            asking.vote(request.name, "alice", "managers", decision="Denied")
            error_of(running)
    assert value(asking, drawn) == before


def test_what_reads_a_table_that_is_not_open_is_not_run_before_people_agree(
    asking: Approving, pool: ThreadPoolExecutor
) -> None:
    reads = {"sql": {"access": ["Select"], "tables": ["watched"]}, "approvers": [{"group": "managers"}]}
    closed = {**reads, "preview": "Execute"}
    asking.policy(deletes_need(preview="Execute"), {"name": "closed", "requireApproval": closed})
    with asking.connect() as client:
        running = start(pool, client, "DELETE FROM orders WHERE EXISTS (SELECT 1 FROM watched WHERE id = 1)")
        request = asking.asked()
        told = effect_of(request)
        asking.vote(request.name, "alice", "managers", decision="Denied")
        error_of(running)
    assert told.counted_rows is None
    assert told.note == _READS_CLOSED


def test_nor_is_what_compares_rows_that_may_be_written_to_and_not_read(
    asking: Approving, pool: ThreadPoolExecutor
) -> None:
    writes = {"sql": {"access": ["Delete"], "tables": ["orders"]}, "approvers": [{"group": "managers"}]}
    asking.policy({"name": "deletes", "requireApproval": {**writes, "preview": "Execute"}}, opens=False)
    with asking.connect() as client:
        for sql, note, counted in (
            ("DELETE FROM orders WHERE CASE WHEN total = 70 THEN true END", _READS_CLOSED, None),
            ("DELETE FROM orders", None, 50),
        ):
            running = start(pool, client, sql)
            request = asking.asked()
            told = effect_of(request)
            asking.vote(request.name, "alice", "managers", decision="Denied")
            error_of(running)
            assert (told.note, told.counted_rows) == (note, counted)


def test_a_rule_on_estimated_rows_has_no_function_computed_that_needs_an_approval(
    asking: Approving,
) -> None:
    big = {"name": "big", "when": "operation.estimatedRows > 1000000"}
    functions = {"sql": {"functions": ["public.peek"]}, "approvers": [{"group": "managers"}]}
    failing = {"whileWaiting": "FailFast", **functions}
    asking.policy(
        {**big, "deny": {"sql": {"access": ["Select"], "tables": ["*"]}}},
        {"name": "functions", "requireApproval": failing},
    )
    drawn = "SELECT last_value + is_called::int FROM drawn"
    before = value(asking, drawn)
    with asking.connect() as client:
        with pytest.raises(psycopg.Error):
            client.execute("SELECT * FROM orders WHERE id = peek()")
        assert client.execute("SELECT count(*) FROM orders").fetchone() == (50,)
    assert value(asking, drawn) == before


def test_a_run_beforehand_that_fails_in_a_transaction_leaves_it_as_it_was(
    asking: Approving, pool: ThreadPoolExecutor
) -> None:
    with asking.connect() as client, client.transaction():
        client.execute("SELECT 1")
        running = start(pool, client, "DELETE FROM orders WHERE total / (id % 2) >= 0 AND id = 2")
        request = asking.asked()
        asking.vote(request.name, "alice", "managers", decision="Denied")
        error = error_of(running)
    assert "denied by alice" in str(error)
    note = effect_of(request).note or ""
    assert note.startswith("not run beforehand: it failed when it was run"), note


def test_what_writes_no_rows_itself_is_not_said_to_be_held_to_a_number(
    asking: Approving, pool: ThreadPoolExecutor
) -> None:
    terms = {"sql": {"functions": ["public.peek"]}, "approvers": [{"group": "managers"}], "maxRows": 10}
    asking.policy({"name": "functions", "requireApproval": terms})
    with asking.connect() as client:
        running = start(pool, client, "SELECT peek()")
        request = asking.asked()
        asking.vote(request.name, "alice", "managers", decision="Denied")
        error_of(running)
    assert request.spec.effect is None or request.spec.effect.max_rows is None


def test_a_cursor_is_read_under_an_approval(asking: Approving, pool: ThreadPoolExecutor) -> None:
    reads = {"sql": {"access": ["Select"], "tables": ["watched"]}, "approvers": [{"group": "managers"}]}
    commands = {"name": "commands", "allow": {"sql": {"commands": ["*"]}}}
    asking.policy({"name": "reads", "requireApproval": reads}, commands)
    with asking.connect() as client, client.transaction():
        for sql in ("DECLARE c CURSOR FOR SELECT id FROM watched", "FETCH 3 FROM c"):
            running = start(pool, client, sql)
            approve(asking, asking.asked())
            found = running.result(15)
        assert len(found.fetchall()) == 3


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("DELETE FROM logged_v", "a rule changes what writing to public.logged means"),
        ("DO 'BEGIN DELETE FROM orders; END'", "what a DO writes is not counted"),
    ],
)
def test_what_nobody_can_count_is_refused_under_a_limit(
    asking: Approving, sql: LiteralString, words: str
) -> None:
    code = deletes_need(maxRows=10, sql={"commands": ["DO"]})
    asking.policy(deletes_need(maxRows=10), {**code, "name": "code"})
    with asking.connect() as client, pytest.raises(psycopg.errors.InsufficientPrivilege, match=words):
        client.execute(sql)
    assert asking.all() == []


def test_a_run_that_fails_is_told_by_its_code_and_not_by_its_values(
    asking: Approving, pool: ThreadPoolExecutor
) -> None:
    asking.policy(deletes_need(preview="Execute", sql={"access": ["Insert"], "tables": ["*"]}))
    with asking.connect() as client:
        running = start(pool, client, "INSERT INTO orders VALUES (7, 1, 1)")
        request = asking.asked()
        note = effect_of(request).note or ""
        assert note == "not run beforehand: it failed when it was run, a unique key is violated (23505)"
        asking.vote(request.name, "alice", "managers", decision="Denied")
        error_of(running)


@BOTH
def test_a_lock_that_another_holds_bounds_the_run(
    asking: Approving, pool: ThreadPoolExecutor, sql: LiteralString, parameters: tuple[object, ...]
) -> None:
    server = asking.world.server
    with psycopg.connect(server.dsn(asking.world.database)) as other, asking.connect() as client:
        other.execute("SELECT FROM orders WHERE id = 45 FOR UPDATE")
        running = start(pool, client, sql, *parameters)
        request = asking.asked()
        assert "a lock is not available (55P03)" in (effect_of(request).note or "")
        other.rollback()
        approve(asking, request)
        assert running.result(15).rowcount == 10


@pytest.mark.parametrize("block", [False, True], ids=["alone", "in a transaction"])
@BOTH
def test_a_cancel_ends_the_run_and_nobody_is_asked(
    asking: Approving,
    pool: ThreadPoolExecutor,
    held: psycopg.Connection[Any],
    sql: LiteralString,
    parameters: tuple[object, ...],
    block: bool,
) -> None:
    with asking.connect() as client:
        if block:
            client.execute("BEGIN")
        running = start(pool, client, sql, *parameters)
        run_waits(asking)
        client.cancel_safe()
        assert error_of(running).sqlstate == "57014"
        assert asking.all() == []
        held.rollback()
        if block:
            assert client.info.transaction_status is psycopg.pq.TransactionStatus.INERROR
            client.execute("ROLLBACK")
        assert client.execute("SELECT count(*) FROM orders").fetchone() == (50,)


def test_a_backend_that_dies_in_the_midst_of_the_run_leaves_no_request_behind(
    asking: Approving, pool: ThreadPoolExecutor, held: psycopg.Connection[Any]
) -> None:
    with asking.connect() as client:
        running = start(pool, client, EXTENDED[0], *EXTENDED[1])
        run_waits(asking)
        with admin(asking) as connection:
            connection.execute(f"SELECT pg_terminate_backend(pid) {WAITERS}".encode())
        assert isinstance(error_of(running), psycopg.OperationalError)
        assert asking.all() == []
    assert orders(asking) == 50


def test_every_use_of_a_grant_is_held_to_the_limit(asking: Approving, pool: ThreadPoolExecutor) -> None:
    asking.policy(deletes_need(maxRows=5, grant={"session": {}, "covers": "Template"}))
    with asking.connect() as client:
        running = start(pool, client, "DELETE FROM orders WHERE id < 4")
        name = asking.asked().name
        asking.vote(name, "alice", "managers")
        assert running.result(15).rowcount == 3
        assert client.execute("DELETE FROM orders WHERE id < 9").rowcount == 5
        with pytest.raises(psycopg.Error, match=f"it wrote 6 rows, and approval {name} allows at most 5"):
            client.execute("DELETE FROM orders WHERE id < 15")
        assert client.execute("DELETE FROM orders WHERE id < 10").rowcount == 1
        assert len(asking.all()) == 1
    assert orders(asking) == 41


@pytest.mark.parametrize("sql", ["TRUNCATE orders", "DELETE FROM customers", "EXPLAIN DELETE FROM orders"])
def test_what_cannot_be_counted_is_refused_under_a_limit_and_nobody_is_asked(
    asking: Approving, sql: LiteralString
) -> None:
    asking.policy(deletes_need(maxRows=5, sql={"access": ["Delete", "Truncate"], "tables": ["*"]}))
    with asking.connect() as client:
        with pytest.raises(psycopg.Error, match="it limits the rows written") as refused:
            client.execute(sql)
        assert refused.value.sqlstate == "42501"
        assert refused.value.diag.message_hint is not None
        assert asking.all() == []


def test_a_text_of_several_statements_is_undone_as_a_whole(
    asking: Approving, pool: ThreadPoolExecutor
) -> None:
    asking.policy(deletes_need(maxRows=5))
    text: LiteralString = (
        "UPDATE orders SET total = 1 WHERE id = 1; DELETE FROM orders WHERE id > {}; SELECT 7"
    )
    with asking.connect() as client:
        running = start(pool, client, text.format(40))
        approve(asking, asking.asked())
        assert "it wrote 10 rows" in str(error_of(running))
        assert value(asking, "SELECT count(*) FROM orders WHERE total = 1") == 0
        running = start(pool, client, text.format(46))
        approve(asking, asking.asked())
        cursor = running.result(15)
        tags = [cursor.statusmessage]
        while cursor.nextset():
            tags.append(cursor.statusmessage)
        assert tags == ["UPDATE 1", "DELETE 4", "SELECT 1"]
    assert orders(asking) == 46


@pytest.mark.parametrize("parameters", [(), (2,)], ids=["simple", "extended"])
def test_a_commit_that_fails_is_an_error_and_the_session_goes_on(
    asking: Approving, pool: ThreadPoolExecutor, parameters: tuple[object, ...]
) -> None:
    asking.policy(deletes_need(maxRows=5, sql={"access": ["Insert"], "tables": ["*"]}))
    sql: LiteralString = "INSERT INTO late VALUES (%s)" if parameters else "INSERT INTO late VALUES (2)"
    with asking.connect() as client:
        running = start(pool, client, sql, *parameters)
        approve(asking, asking.asked())
        assert error_of(running).sqlstate == "23505"
        assert client.execute("SELECT count(*) FROM late").fetchone() == (2,)

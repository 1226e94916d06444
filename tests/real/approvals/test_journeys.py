"""Statements that wait for people, on a real PostgreSQL: none runs that must not."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.pq import DiagnosticField

from kit import wait
from kit.approving import Approving, approving, deletes_need
from kit.postgres import Postgres

pytestmark = pytest.mark.postgres
SHOP = """
CREATE TABLE orders (id int PRIMARY KEY, total int);
INSERT INTO orders SELECT n, n * 10 FROM generate_series(1, 50) AS n;
CREATE VIEW big AS SELECT * FROM orders WHERE total > 100;
"""


@pytest.fixture
def shop(postgres: Postgres) -> str:
    return postgres.create_database(sql=SHOP)


@pytest.fixture
def asking(postgres: Postgres, shop: str, tmp_path: Path) -> Iterator[Approving]:
    with approving(tmp_path, postgres, shop) as made:
        made.policy(deletes_need())
        yield made


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as made:
        yield made


def rows(asking: Approving, where: str = "true") -> int:
    """How many orders there are in truth."""
    found = f"SELECT count(*) FROM orders WHERE {where}"
    return int(asking.world.server.value(found, database=asking.world.database))


def redefine(asking: Approving) -> None:
    """Another definition of the view, made around the proxy."""
    text = "CREATE OR REPLACE VIEW big AS SELECT * FROM orders WHERE total > 0"
    asking.world.server.psql(text, database=asking.world.database)


def start(
    pool: ThreadPoolExecutor, client: psycopg.Connection[Any], sql: str, *parameters: object
) -> Future[Any]:
    return pool.submit(client.execute, sql, parameters or None)  # type: ignore[arg-type]


def error_of(running: Future[Any]) -> psycopg.Error:
    with pytest.raises(psycopg.Error) as caught:
        running.result(60)
    return caught.value


def test_two_of_two_must_agree_and_one_alone_opens_nothing(
    asking: Approving, pool: ThreadPoolExecutor
) -> None:
    asking.policy(deletes_need(approvers=[{"group": "managers", "count": 2}, {"user": "carol"}]))
    with asking.connect() as client:
        running = start(pool, client, "DELETE FROM orders WHERE id = 7")
        name = asking.asked().name
        assert asking.vote(name, "alice", "managers") == ""
        assert "has voted already" in asking.vote(name, "alice", "managers")
        assert asking.vote(name, "carol") == ""
        assert not running.done()
        assert rows(asking) == 50
        assert asking.vote(name, "bob", "managers") == ""
        assert running.result(60).rowcount == 1
    assert rows(asking) == 49
    assert asking.phase(name) == "Used"


def test_directors_may_decide_once_it_has_waited_and_not_before(
    asking: Approving, pool: ThreadPoolExecutor
) -> None:
    step = {"after": "2s", "approvers": [{"group": "directors"}]}
    asking.policy(deletes_need(escalation=[step]))
    with asking.connect() as client:
        running = start(pool, client, "DELETE FROM orders WHERE id = 7")
        name = asking.asked().name
        assert "is not an approver" in asking.vote(name, "dora", "directors")
        wait.until(lambda: asking.vote(name, "dora", "directors") == "", within=60, what="dora may vote")
        assert running.result(60).rowcount == 1


def test_a_request_that_nobody_answers_ends_the_statement_with_an_error(
    asking: Approving, pool: ThreadPoolExecutor
) -> None:
    asking.policy(deletes_need(expiresAfter="2s"))
    with asking.connect() as client:
        error = error_of(start(pool, client, "DELETE FROM orders WHERE id = 7"))
        assert error.sqlstate == "42501"
        assert "nobody decided in time" in str(error)
        assert client.execute("SELECT 1").fetchone() == (1,)
    assert rows(asking) == 50


def test_a_denial_by_one_ends_it_with_its_reason(asking: Approving, pool: ThreadPoolExecutor) -> None:
    asking.policy(deletes_need(approvers=[{"group": "managers", "count": 2}]))
    with asking.connect() as client:
        running = start(pool, client, "DELETE FROM orders WHERE id = 7")
        name = asking.asked().name
        assert asking.vote(name, "alice", "managers") == ""
        assert asking.vote(name, "bob", "managers", decision="Denied") == ""
        assert "denied by bob: because" in str(error_of(running))
    assert rows(asking) == 50


TWO_RULES = pytest.mark.parametrize("first", ["deletes", "emptying"])
"""Whose request is answered first, of the two that ask."""


def both_asked(asking: Approving) -> dict[str, str]:
    """By rule: the names of the two requests."""
    return {one.spec.policy.rule: one.name for one in (asking.asked(), asking.asked())}


@TWO_RULES
def test_where_two_rules_ask_a_denial_of_either_ends_both(
    asking: Approving, pool: ThreadPoolExecutor, first: str
) -> None:
    asking.policy(deletes_need(), {**deletes_need(), "name": "emptying"})
    with asking.connect() as client:
        running = start(pool, client, "DELETE FROM orders WHERE id = 7")
        named = both_asked(asking)
        try:
            assert asking.vote(named.pop(first), "alice", "managers", decision="Denied") == ""
            assert "denied by alice: because" in str(error_of(running))
            assert [asking.phase(name) for name in named.values()] == ["Withdrawn"]
        finally:
            client.cancel_safe(timeout=10)
    assert rows(asking) == 50


@TWO_RULES
def test_where_two_rules_ask_both_must_be_approved_in_whatever_order(
    asking: Approving, pool: ThreadPoolExecutor, first: str
) -> None:
    asking.policy(deletes_need(), {**deletes_need(), "name": "emptying"})
    with asking.connect() as client:
        running = start(pool, client, "DELETE FROM orders WHERE id = 7")
        named = both_asked(asking)
        assert asking.vote(named.pop(first), "alice", "managers") == ""
        assert not running.done()
        assert rows(asking) == 50
        (other,) = named.values()
        assert asking.vote(other, "bob", "managers") == ""
        assert running.result(60).rowcount == 1
    assert rows(asking) == 49


def test_a_client_that_leaves_takes_its_question_along(asking: Approving) -> None:
    client = asking.connect()
    client.pgconn.send_query(b"DELETE FROM orders WHERE id = 7")
    name = asking.asked().name
    client.close()
    wait.until(lambda: asking.phase(name) == "Withdrawn", within=60, what="it is withdrawn")
    assert "too late to vote" in asking.vote(name, "alice", "managers")
    assert rows(asking) == 50


def test_an_approval_is_used_once(asking: Approving, pool: ThreadPoolExecutor) -> None:
    with asking.connect() as client:
        running = start(pool, client, "DELETE FROM orders WHERE id = 7")
        asking.vote(asking.asked().name, "alice", "managers")
        running.result(60)
        client.execute("INSERT INTO orders VALUES (7, 70)")
        again = start(pool, client, "DELETE FROM orders WHERE id = 7")
        second = asking.asked()
        assert not again.done()
        asking.vote(second.name, "alice", "managers", decision="Denied")
        error_of(again)
    assert rows(asking) == 50


@pytest.mark.parametrize(
    ("approved", "sent"),
    [
        (("DELETE FROM orders WHERE id = %s", 7), ("DELETE FROM orders WHERE id = %s", 8)),
        (("DELETE FROM orders WHERE id = 7",), ("DELETE FROM orders WHERE id = 8",)),
        (("DELETE FROM orders WHERE id = 7",), ("DELETE FROM orders WHERE id = 7 OR true",)),
    ],
    ids=["parameter", "literal", "statement"],
)
def test_what_is_approved_opens_nothing_else(
    asking: Approving, approved: tuple[Any, ...], sent: tuple[Any, ...]
) -> None:
    asking.policy(deletes_need(whileWaiting="FailFast"))
    with asking.connect() as client:
        with pytest.raises(psycopg.Error) as pending:
            client.execute(approved[0], approved[1:] or None)
        assert pending.value.sqlstate == "TH001"
        asking.vote(asking.asked().name, "alice", "managers")
        with pytest.raises(psycopg.Error) as other:
            client.execute(sent[0], sent[1:] or None)
        assert other.value.sqlstate == "TH001"
        assert rows(asking) == 50
        assert len(asking.all()) == 2
        assert client.execute(approved[0], approved[1:] or None).rowcount == 1
    assert rows(asking) == 49


def test_an_approval_passes_on_a_new_connection_of_the_same_identity(asking: Approving) -> None:
    asking.policy(deletes_need(whileWaiting="FailFast"))
    with asking.connect() as client, pytest.raises(psycopg.Error):
        client.execute("DELETE FROM orders WHERE id = 7")
    asking.vote(asking.asked().name, "alice", "managers")
    with asking.connect() as client:
        assert client.execute("DELETE FROM orders WHERE id = 7").rowcount == 1


DUE = "DELETE FROM due WHERE day < '01/02/2026'"
DUE_ROWS = """
CREATE TABLE due AS SELECT DATE '2026-01-01' + n AS day FROM generate_series(0, 50) AS n;
GRANT ALL ON due TO pg_monitor;
CREATE FUNCTION shift() RETURNS text LANGUAGE sql AS $$SELECT set_config('DateStyle', 'ISO, DMY', false)$$
"""
"""Under MDY one of them is before that day, under DMY 31."""


@pytest.mark.parametrize(
    "otherwise",
    [
        ["SET DateStyle = 'ISO, DMY'", DUE],
        ["SELECT set_config('DateStyle', 'ISO, DMY', false)", DUE],
        [f"SET DateStyle = 'ISO, DMY'; {DUE}"],
        [f"SELECT set_config('DateStyle', 'ISO, DMY', false); {DUE}"],
        ["SET TimeZone = 'Asia/Tokyo'", DUE],
        ["SET IntervalStyle = 'sql_standard'", DUE],
        ["BEGIN", "SET LOCAL DateStyle = 'ISO, DMY'", DUE],
        ["SET ROLE pg_monitor", DUE],
        ["SET SESSION AUTHORIZATION pg_monitor", DUE],
        ["SELECT shift()", DUE],
        [f"SELECT shift(); {DUE}"],
    ],
    ids=lambda texts: "; ".join(texts)[:40],
)
def test_an_approval_does_not_open_words_that_are_read_otherwise(
    asking: Approving, otherwise: list[str]
) -> None:
    due_is_approved(asking)
    with asking.connect() as client, psycopg.ClientCursor(client) as cursor:
        for text in otherwise[:-1]:
            cursor.execute(text.encode())
        with pytest.raises(psycopg.Error) as pending:
            cursor.execute(otherwise[-1].encode())
        assert pending.value.sqlstate == "TH001", pending.value
    nothing_was_due(asking)


def test_nor_a_statement_that_was_prepared_while_they_were_read_otherwise(asking: Approving) -> None:
    due_is_approved(asking)
    with asking.connect() as client:
        client.execute("SET DateStyle = 'ISO, DMY'")
        client.pgconn.prepare(b"p", DUE.encode())
        client.execute("SET DateStyle = 'ISO, MDY'")
        result = client.pgconn.exec_prepared(b"p", [])
        assert result.error_field(DiagnosticField.SQLSTATE) == b"TH001"
    nothing_was_due(asking)


def test_nor_in_a_pipeline_where_the_server_has_not_told_of_it_yet(asking: Approving) -> None:
    due_is_approved(asking)
    with asking.connect() as client:
        with pytest.raises(psycopg.Error) as pending:
            at_once(client, "SET DateStyle = 'ISO, DMY'", DUE)
        assert pending.value.sqlstate == "TH001", pending.value
    nothing_was_due(asking)


def at_once(client: psycopg.Connection[Any], *texts: str) -> None:
    """Without a Sync in between."""
    with client.pipeline():
        for text in texts:
            client.execute(text.encode())


def due_is_approved(asking: Approving) -> None:
    """Under MDY, as the server reads it unless it is told otherwise."""
    asking.world.server.psql(DUE_ROWS, database=asking.world.database)
    roles = {"name": "roles", "allow": {"sql": {"commands": ["SET ROLE", "SET SESSION AUTHORIZATION"]}}}
    functions = {"name": "functions", "allow": {"sql": {"functions": ["shift"]}}}
    asking.policy(roles, functions, deletes_need(whileWaiting="FailFast"))
    with asking.connect() as client, pytest.raises(psycopg.Error):
        client.execute(DUE.encode())
    asking.vote(asking.asked().name, "alice", "managers")


def nothing_was_due(asking: Approving) -> None:
    """It was asked anew instead."""
    assert len(asking.all()) == 2
    left = asking.world.server.value("SELECT count(*) FROM due", database=asking.world.database)
    assert int(left) == 51


def test_words_that_are_read_alike_are_open_on_any_connection_however_they_came_there(
    asking: Approving,
) -> None:
    asking.world.server.psql(DUE_ROWS, database=asking.world.database)
    asking.policy(deletes_need(whileWaiting="FailFast"))
    with asking.connect() as client, psycopg.ClientCursor(client) as cursor:
        cursor.execute("SET DateStyle = 'ISO, DMY'")
        with pytest.raises(psycopg.Error):
            cursor.execute(DUE.encode())
    asking.vote(asking.asked().name, "alice", "managers")
    with asking.connect() as client, psycopg.ClientCursor(client) as cursor:
        for text in ("SET TimeZone = 'Asia/Tokyo'", "RESET TimeZone", "SET DateStyle = 'ISO, DMY'"):
            cursor.execute(text.encode())
        assert cursor.execute(DUE.encode()).rowcount == 31


@pytest.mark.parametrize("sent", [("DELETE FROM big WHERE id = 20",), ("DELETE FROM big WHERE id = %s", 20)])
def test_a_view_redefined_while_people_think_is_asked_about_anew(
    asking: Approving, pool: ThreadPoolExecutor, sent: tuple[Any, ...]
) -> None:
    with asking.connect() as client:
        running = start(pool, client, *sent)
        name = asking.asked().name
        redefine(asking)
        asking.vote(name, "alice", "managers")
        assert error_of(running).sqlstate == "40001"
    assert rows(asking) == 50


def test_an_approval_does_not_open_the_same_words_on_a_view_redefined_meanwhile(asking: Approving) -> None:
    asking.policy(deletes_need(whileWaiting="FailFast"))
    with asking.connect() as client, pytest.raises(psycopg.Error):
        client.execute("DELETE FROM big WHERE id = 20")
    asking.vote(asking.asked().name, "alice", "managers")
    redefine(asking)
    with asking.connect() as client, pytest.raises(psycopg.Error) as pending:
        client.execute("DELETE FROM big WHERE id = 20")
    assert pending.value.sqlstate == "TH001"
    assert len(asking.all()) == 2
    assert rows(asking) == 50


def test_a_changed_rule_voids_what_waits_and_an_unrelated_policy_does_not(
    asking: Approving, pool: ThreadPoolExecutor
) -> None:
    other = {"name": "other", "deny": {"sql": {"access": ["Select"], "tables": ["nothing"]}}}
    with asking.connect() as client:
        running = start(pool, client, "DELETE FROM orders WHERE id = 7")
        first = asking.asked().name
        asking.policy(deletes_need(), other)
        asking.vote(first, "alice", "managers")
        assert running.result(60).rowcount == 1
        running = start(pool, client, "DELETE FROM orders WHERE id = 8")
        second = asking.asked().name
        asking.policy(deletes_need(approvers=[{"group": "managers"}, {"user": "carol"}]))
        asking.vote(second, "alice", "managers")
        assert "no longer fits" in str(error_of(running))
    assert rows(asking) == 49


def test_a_grant_opens_other_values_of_the_same_statement_and_is_counted(
    asking: Approving, pool: ThreadPoolExecutor
) -> None:
    asking.policy(deletes_need(grant={"session": {}, "covers": "Template", "uses": 3}))
    with asking.connect() as client:
        running = start(pool, client, "DELETE FROM orders WHERE id = 7")
        name = asking.asked().name
        asking.vote(name, "alice", "managers")
        running.result(60)
        assert client.execute("DELETE FROM orders WHERE id = 8").rowcount == 1
        other = start(pool, client, "DELETE FROM orders WHERE id = 9 OR id = 10")
        asking.vote(asking.asked().name, "alice", "managers", decision="Denied")
        error_of(other)
        assert client.execute("DELETE FROM orders WHERE id = 9").rowcount == 1
        assert asking.phase(name) == "Used"
    assert rows(asking) == 47

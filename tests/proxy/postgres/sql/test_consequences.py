"""Whether an answer tells how many rows were written, and what a write does besides."""

from __future__ import annotations

import pytest

from tollhouse_proxy.protocols.postgres.sql import Catalog, Consequences, consequences, understand
from tollhouse_proxy.protocols.postgres.sql.statement import SessionSettings, Statement
from tollhouse_proxy.protocols.postgres.sql.understand import Plan


def read(sql: str, catalog: Catalog) -> Statement:
    [statement] = understand(sql, catalog, SessionSettings())
    return statement


def of(sql: str, catalog: Catalog) -> Consequences:
    plan = read(sql, catalog).plan
    assert isinstance(plan, Plan)
    return consequences(plan.kind, plan.body, plan.found, catalog)


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO products VALUES (1)",
        "INSERT INTO products VALUES (1) ON CONFLICT (id) DO UPDATE SET title = 'x' RETURNING *",
        "UPDATE products SET title = 'x' FROM orders WHERE orders.id = products.id",
        "DELETE FROM events WHERE id = $1",
        "WITH a AS (SELECT 1) DELETE FROM events",
        "MERGE INTO products p USING orders o ON o.id = p.id WHEN MATCHED THEN DELETE",
        "UPDATE customers_v SET name = 'x'",
        "SELECT * FROM orders",
        "CREATE TABLE t AS SELECT * FROM orders",
        "PREPARE p AS DELETE FROM events",
    ],
)
def test_a_plain_write_tells_how_many_rows_it_wrote(sql: str, catalog: Catalog) -> None:
    assert read(sql, catalog).operation.uncounted == ""


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("TRUNCATE products", "TRUNCATE does not tell"),
        ("COPY products FROM STDIN", "COPY streams"),
        ("EXPLAIN ANALYZE DELETE FROM products", "EXPLAIN does not tell"),
        ("WITH a AS (DELETE FROM products RETURNING *) SELECT * FROM a", "the rows that come back"),
        ("WITH a AS (DELETE FROM products RETURNING *) DELETE FROM products", "in several places"),
        ("WITH a AS (DELETE FROM products RETURNING *) INSERT INTO products SELECT * FROM a", "several"),
    ],
)
def test_what_else_writes_is_said_not_to(sql: str, words: str, catalog: Catalog) -> None:
    assert words in read(sql, catalog).operation.uncounted


def test_what_a_prepared_statement_writes_is_told_of_what_it_holds(catalog: Catalog) -> None:
    inner = read("PREPARE p AS WITH a AS (DELETE FROM products) SELECT 1", catalog).effect.inner
    assert inner is not None
    assert inner.operation.uncounted


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT 1", "only INSERT, UPDATE, DELETE and MERGE are"),
        ("DELETE FROM products WHERE pg_catalog.pg_advisory_lock(1) IS NULL", "it calls pg_advisory_lock"),
        ("DELETE FROM products WHERE setseed(0.5) IS NULL", "it calls setseed"),
        ("UPDATE products SET id = nextval('newsletter_id_seq')", "it calls nextval"),
        ("WITH a AS (DELETE FROM products) DELETE FROM events", "several places"),
    ],
)
def test_what_could_leave_something_behind_is_not_run(sql: str, words: str, catalog: Catalog) -> None:
    assert words in of(sql, catalog).reason


def test_the_server_is_asked_about_all_that_is_written_with_partitions_and_what_lies_beneath_views(
    catalog: Catalog,
) -> None:
    def oid(name: str) -> str:
        found = catalog.find_relation("public", name)
        assert found is not None
        return str(found.oid)

    asked = of("DELETE FROM events", catalog)
    assert asked.reason == ""
    assert all(oid(name) in asked.question for name in ("events", "events_t7", "events_t9"))
    assert "sequence" not in asked.question
    view = of("UPDATE customers_v SET name = 'x'", catalog)
    assert all(oid(name) in view.question for name in ("customers_v", "customers"))
    assert "sequence" in of("INSERT INTO newsletter (email) VALUES ('x')", catalog).question
    assert "sequence" in of("UPDATE products SET id = DEFAULT", catalog).question

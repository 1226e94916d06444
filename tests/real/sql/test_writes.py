"""Writes under row filters and column masks, on real servers."""

from __future__ import annotations

from typing import LiteralString

import psycopg
import pytest

from kit.sql_shop import CUSTOMERS, HIDE, ORDERS, RULE, Session, mask, row_filter
from tollhouse_core.decision import Obligations, RowFilter, WriteCheck
from tollhouse_core.masks import Redact
from tollhouse_proxy.protocols.postgres.sql import OUTSIDE_FILTER

pytestmark = pytest.mark.postgres

TENANT = Obligations(filters=(row_filter("tenant_id = $1", "7"),))
SSN = Obligations(columns=(mask("ssn", Redact()),))

INSIDE = [
    ("INSERT INTO orders (id, tenant_id) VALUES (50, 7)", "INSERT 0 1"),
    ("INSERT INTO orders (id, tenant_id, note) VALUES (50, 7, DEFAULT), (51, '7', 'a, b) (')", "INSERT 0 2"),
    ("INSERT INTO orders VALUES (50, 7, 1, 2.5, 'n', '2026-02-03') RETURNING *", "INSERT 0 1"),
    ("INSERT INTO orders (id, tenant_id) SELECT 50, 7", "INSERT 0 1"),
    ("INSERT INTO orders (id, tenant_id) (SELECT id + 100, tenant_id FROM orders ORDER BY id)", "INSERT 0 5"),
    ("INSERT INTO orders (id, tenant_id) WITH x AS (SELECT 50 AS i) SELECT i, 7 FROM x", "INSERT 0 1"),
    ("INSERT INTO orders AS o (id, tenant_id) VALUES (50, 7) RETURNING o.id", "INSERT 0 1"),
    ("INSERT INTO orders (id, tenant_id) OVERRIDING USER VALUE VALUES (50, 7)", "INSERT 0 1"),
    ("INSERT INTO orders (id, tenant_id) VALUES (2, 7) ON CONFLICT DO NOTHING", "INSERT 0 0"),
    (
        "INSERT INTO orders (id, tenant_id) VALUES (2, 7) ON CONFLICT (id)"
        " DO UPDATE SET note = excluded.note",
        "INSERT 0 1",
    ),
    (
        "INSERT INTO orders (id, tenant_id) VALUES (2, 7)"
        " ON CONFLICT (id) DO UPDATE SET tenant_id = excluded.tenant_id, note = 'x' WHERE orders.id = 2",
        "INSERT 0 1",
    ),
    ("UPDATE orders SET note = 'x', tenant_id = 7 WHERE id = 2", "UPDATE 1"),
    ("UPDATE orders SET note = 'x' -- why\n", "UPDATE 5"),
    ("UPDATE orders SET tenant_id = (SELECT 7) WHERE id = 2", "UPDATE 1"),
    (
        "UPDATE orders o SET note = note || '!', tenant_id = o.tenant_id + p.id - p.id FROM products p"
        " WHERE p.id = o.id",
        "UPDATE 5",
    ),
    ("UPDATE orders SET (tenant_id, note) = (3 + 4, 'x') WHERE id = 2", "UPDATE 1"),
    ("UPDATE orders SET amount = 1, (note, tenant_id) = ROW(note || 'x', '7') WHERE id = 2", "UPDATE 1"),
    (
        "UPDATE orders SET (tenant_id, note) = (SELECT tenant_id, name FROM customers c"
        " WHERE c.id = customer_id) WHERE id = 2",
        "UPDATE 1",
    ),
    ("UPDATE orders SET (note, amount) = (SELECT name, 5 FROM customers LIMIT 1) WHERE id = 2", "UPDATE 1"),
    ("UPDATE events SET tenant_id = DEFAULT WHERE id = 1", "UPDATE 0"),
    (
        "INSERT INTO orders (id, tenant_id) VALUES (2, 7) ON CONFLICT (id)"
        " DO UPDATE SET tenant_id = excluded.tenant_id + 0, note = DEFAULT",
        "INSERT 0 1",
    ),
    ("INSERT INTO orders SELECT * FROM orders WHERE false", "INSERT 0 0"),
    ("INSERT INTO orders SELECT 50, o.* FROM (SELECT 7) o", "INSERT 0 1"),
    ("INSERT INTO orders TABLE orders LIMIT 0", "INSERT 0 0"),
    ("SELECT id FROM orders o WHERE o.id = 2 FOR UPDATE OF o SKIP LOCKED", "SELECT 1"),
    ("UPDATE orders o SET note = c.name FROM customers c WHERE c.id = o.customer_id", "UPDATE 5"),
    ("DELETE FROM orders WHERE id < 5", "DELETE 2"),
    ("DELETE FROM ONLY orders AS o USING products p WHERE p.id = o.id", "DELETE 5"),
    ("WITH d AS (DELETE FROM orders WHERE id > 4 RETURNING *) SELECT count(*) FROM d", "SELECT 1"),
    ("INSERT INTO events (id, tenant_id, payload) VALUES (9, 7, 'x')", "INSERT 0 1"),
]
OUTSIDE = [
    "INSERT INTO orders (id, tenant_id) VALUES (50, 8)",
    "INSERT INTO orders (id, tenant_id) VALUES (50, 7), (51, 8)",
    "INSERT INTO orders (id, tenant_id) SELECT i, 6 + i % 2 FROM generate_series(50, 53) i",
    "INSERT INTO orders (id, tenant_id) VALUES (50, CASE WHEN random() < 2 THEN 8 ELSE 7 END)",
    "INSERT INTO orders (id) VALUES (50)",
    "INSERT INTO orders (id, tenant_id) VALUES (50, NULL)",
    "INSERT INTO orders (id, tenant_id) VALUES (2, 8) ON CONFLICT (id) DO UPDATE SET note = 'x'",
    "INSERT INTO orders (id, tenant_id) VALUES (2, 7) ON CONFLICT (id) DO UPDATE SET tenant_id = 8",
    "UPDATE orders SET tenant_id = 8 WHERE id = 2",
    "UPDATE orders SET tenant_id = (SELECT 8) WHERE id = 2",
    "UPDATE orders SET tenant_id = tenant_id + 1 + (random() * 0)::int WHERE id = 2",
    "UPDATE orders SET (tenant_id, note) = (SELECT 8, 'x') WHERE id = 2",
    "UPDATE orders SET (tenant_id, note) = (SELECT 7, 'x' WHERE false) WHERE id = 2",
    "UPDATE orders SET (note, tenant_id) = (DEFAULT, 4 + 4) WHERE id = 2",
    "UPDATE orders SET tenant_id = DEFAULT WHERE id = 2",
    "INSERT INTO orders (id, tenant_id) VALUES (2, 7) ON CONFLICT (id) DO UPDATE SET tenant_id = (SELECT 8)",
    "INSERT INTO orders SELECT 50, o.* FROM (SELECT 8) o",
    "INSERT INTO orders DEFAULT VALUES",
    "UPDATE orders SET tenant_id = o.id FROM products o WHERE o.id = orders.id",
]


@pytest.mark.parametrize(("sql", "tag"), INSIDE)
def test_rows_inside_the_filter_are_written_as_always(sql: str, tag: str, shop: Session) -> None:
    shop.under(HIDE if "events" in sql else TENANT)
    seen = shop.run(sql)
    assert (seen.kind, seen.tag) == ("rows", tag), seen


@pytest.mark.parametrize("sql", OUTSIDE)
def test_a_row_outside_the_filter_cannot_be_made(sql: str, shop: Session) -> None:
    shop.under(TENANT)
    statement = shop.understand(sql)[0]
    with pytest.raises(Exception, match=OUTSIDE_FILTER):
        shop.connection.execute(shop.rewrite(statement).text.encode())


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE orders SET note = 'x' WHERE id = 1",
        "DELETE FROM orders WHERE id = 1",
        "UPDATE orders SET note = 'x' WHERE tenant_id = 8 OR note = 'x' OR true",
        "WITH x AS (DELETE FROM orders RETURNING id) SELECT 1",
        "INSERT INTO orders (id, tenant_id) VALUES (1, 7) ON CONFLICT (id) DO UPDATE SET note = 'x'",
    ],
)
def test_a_row_outside_the_filter_is_never_touched(sql: str, shop: Session) -> None:
    shop.under(TENANT)
    before = shop.connection.execute("SELECT * FROM orders WHERE tenant_id = 8 ORDER BY id").fetchall()
    assert shop.run(sql).kind == "rows"
    assert (
        shop.connection.execute("SELECT * FROM orders WHERE tenant_id = 8 ORDER BY id").fetchall() == before
    )


@pytest.mark.parametrize("sql", ["UPDATE orders SET note = 'x'", "DELETE FROM orders", "TRUNCATE orders",
                                 "INSERT INTO orders (id, tenant_id) VALUES (50, 7)"])  # fmt: skip
def test_a_filter_that_denies_writes_refuses_them(sql: str, shop: Session) -> None:
    shop.under(Obligations(filters=(RowFilter(ORDERS, "tenant_id = 7", (), WriteCheck.DENY, RULE),)))
    assert shop.run(sql).kind == "cannot rewrite"


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE customers SET ssn = 'new' WHERE id = 1 RETURNING id, ssn",
        "UPDATE customers c SET ssn = 'new' WHERE c.id = 1 RETURNING c.ssn AS x, c.*",
        "INSERT INTO customers (id, name, ssn) VALUES (50, 'x', 'new') RETURNING *",
        "INSERT INTO customers (id, name) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET ssn = excluded.ssn"
        " RETURNING ssn",
        "DELETE FROM customers_archive RETURNING *",
        "WITH u AS (UPDATE customers SET name = 'y' RETURNING *) SELECT ssn FROM u",
    ],
)
def test_a_masked_column_may_be_written_and_returns_as_its_mask(sql: str, shop: Session) -> None:
    shop.under(SSN)
    seen = shop.run(sql)
    assert seen.kind == "rows", seen
    assert "SSN-" not in repr(seen.rows)
    assert "'new'" not in repr(seen.rows)
    assert seen.rows


def test_parameters_keep_their_types_in_a_checked_insert(shop: Session) -> None:
    shop.under(TENANT)
    statement = shop.understand(
        "INSERT INTO orders (id, tenant_id, amount, created) VALUES ($1, $2, $3, $4)"
    )[0]
    plain = _parameter_types(shop, statement.text, "plain")
    assert _parameter_types(shop, shop.rewrite(statement).text, "checked") == plain


def _parameter_types(shop: Session, sql: str, name: str) -> list[int]:
    connection = shop.connection.pgconn
    connection.prepare(name.encode(), sql.encode())
    described = connection.describe_prepared(name.encode())
    return [described.param_type(index) for index in range(described.nparams)]


def test_an_expression_is_computed_once_where_a_filter_reads_it(shop: Session) -> None:
    shop.under(TENANT)
    shop.connection.execute("CREATE SEQUENCE counted")
    shop.read()
    shop.connection.execute(
        shop.rewrite(
            shop.understand("UPDATE orders SET tenant_id = 6 + nextval('counted') WHERE id = 2")[0]
        ).text.encode()
    )
    assert shop.connection.execute("SELECT last_value FROM counted").fetchone() == (1,)
    with pytest.raises(psycopg.DataError, match=OUTSIDE_FILTER):
        shop.connection.execute(
            shop.rewrite(
                shop.understand("UPDATE orders SET tenant_id = 6 + nextval('counted') WHERE id = 2")[0]
            ).text.encode()
        )


def test_defaults_inside_the_filter_may_be_inserted(shop: Session) -> None:
    shop.connection.execute("CREATE TABLE made (id serial, tenant_id int DEFAULT 7, note text DEFAULT 'x')")
    shop.read()
    shop.under(Obligations(filters=(row_filter("tenant_id = $1", "7", path=("public", "made")),)))
    assert shop.run("INSERT INTO made DEFAULT VALUES RETURNING *").rows == ["(1, 7, 'x')"]
    assert shop.run("INSERT INTO made AS m DEFAULT VALUES RETURNING m.id").rows == ["(2,)"]
    shop.under(Obligations(filters=(row_filter("id = $1", "7", path=("public", "made")),)))
    assert shop.run("INSERT INTO made DEFAULT VALUES").kind == "cannot rewrite"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT ctid FROM orders",
        "SELECT id FROM orders o WHERE o.ctid > '(0,2)'",
        "SELECT * FROM orders TABLESAMPLE BERNOULLI (50) REPEATABLE (1)",
        "UPDATE orders SET note = 'x' RETURNING ctid",
        "UPDATE orders o SET note = 'x' WHERE o.ctid = '(0,1)'",
        "DELETE FROM orders WHERE ctid > '(0,9)'",
        "INSERT INTO orders (id, tenant_id) VALUES (50, 7) RETURNING orders.ctid",
    ],
)
def test_places_of_rows_do_not_tell_how_many_are_hidden(sql: str, shop: Session) -> None:
    shop.under(TENANT)
    assert shop.run(sql).kind == "cannot rewrite"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT ctid, xmin, tableoid::regclass FROM customers",
        "SELECT ssn FROM customers TABLESAMPLE SYSTEM (100) REPEATABLE (3)",
        "DELETE FROM newsletter WHERE ctid IN (SELECT ctid FROM customers)",
        "UPDATE customers SET name = 'x' WHERE ctid = '(0,1)' RETURNING xmin",
    ],
)
def test_system_columns_and_samples_of_masked_tables_are_there(sql: str, shop: Session) -> None:
    shop.under(SSN)
    seen = shop.run(sql)
    assert seen.kind == "rows", seen
    assert "SSN-" not in repr(seen.rows)


def test_a_filtered_tables_other_system_columns_are_there(shop: Session) -> None:
    shop.under(TENANT)
    for sql in (
        "SELECT xmin, orders.tableoid::regclass FROM orders",
        "SELECT id FROM orders WHERE xmin::text <> '1'",
        "UPDATE orders SET note = 'x' WHERE xmin::text <> '1' RETURNING xmin",
        "SELECT public.orders.id FROM orders",
    ):
        assert shop.run(sql).kind == "rows", sql


def copied(shop: Session, sql: LiteralString, *rows: tuple[object, ...]) -> int:
    made = shop.rewrite(shop.understand(sql)[0])
    with shop.connection.transaction(), shop.connection.cursor() as cursor:
        with cursor.copy(made.text.encode()) as copy:
            for row in rows:
                copy.write_row(row)
        return cursor.rowcount


def test_copy_into_a_masked_column_is_allowed(shop: Session) -> None:
    shop.under(SSN)
    assert copied(shop, "COPY customers (id, name, ssn) FROM STDIN", (50, "x", "y")) == 1


def test_copy_into_a_filtered_table_takes_rows_inside_only(shop: Session) -> None:
    shop.under(TENANT)
    assert copied(shop, "COPY orders (id, tenant_id) FROM STDIN", (50, 7), (51, 7)) == 2
    assert copied(shop, "COPY orders FROM STDIN (FORMAT text) WHERE id > 60 OR note = 'x'",
                  (60, 8, 1, 1, None, "now"), (61, 7, 1, 1, None, "now")) == 1  # fmt: skip
    for row in ((52, 8), (53, None)):
        with pytest.raises(psycopg.DataError, match=OUTSIDE_FILTER):
            copied(shop, "COPY orders (id, tenant_id) FROM STDIN", (51, 7), row)
    with pytest.raises(psycopg.DataError, match=OUTSIDE_FILTER):
        copied(shop, "COPY orders (id) FROM STDIN", (54,))


def test_copy_is_refused_where_it_cannot_be_checked(shop: Session) -> None:
    shop.under(Obligations(filters=(row_filter("id IN (SELECT p.id FROM products p)"),)))
    seen = shop.run("COPY orders FROM STDIN")
    assert seen.kind == "cannot rewrite"
    assert "asks other tables" in seen.text
    shop.under(Obligations(filters=(RowFilter(ORDERS, "tenant_id = 7", (), WriteCheck.DENY, RULE),)))
    assert shop.run("COPY orders FROM STDIN").kind == "cannot rewrite"


def test_columns_of_other_tables_of_the_same_name_can_be_told_apart(shop: Session) -> None:
    shop.under(Obligations(columns=(mask("email", Redact(), CUSTOMERS),)))
    seen = shop.run(
        "UPDATE customers SET name = 'n' FROM newsletter n WHERE n.email = 'x' AND n.id = customers.id"
    )
    assert seen.kind == "rows"

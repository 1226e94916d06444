"""Writes under row filters and column masks, on real servers."""

from __future__ import annotations

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


def test_copy_into_a_masked_column_is_allowed_and_into_a_filtered_table_is_not(shop: Session) -> None:
    shop.under(SSN)
    assert shop.rewrite(shop.understand("COPY customers (id, name, ssn) FROM STDIN")[0]).text.startswith(
        "COPY"
    )
    shop.under(TENANT)
    assert shop.run("COPY orders FROM STDIN").kind == "cannot rewrite"


def test_columns_of_other_tables_of_the_same_name_can_be_told_apart(shop: Session) -> None:
    shop.under(Obligations(columns=(mask("email", Redact(), CUSTOMERS),)))
    seen = shop.run(
        "UPDATE customers SET name = 'n' FROM newsletter n WHERE n.email = 'x' AND n.id = customers.id"
    )
    assert seen.kind == "rows"

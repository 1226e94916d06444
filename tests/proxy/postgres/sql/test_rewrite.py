"""Texts after masks and filters: what changes, what does not, and what is refused."""

from __future__ import annotations

import pytest

from kit.sql_shop import HIDE, KEYS, mask, row_filter
from tollhouse_core.decision import Obligations
from tollhouse_core.masks import Redact, Token
from tollhouse_proxy.protocols.postgres.sql import (
    CannotRewrite,
    Catalog,
    MaskKeys,
    Rewritten,
    SessionSettings,
    rewrite,
    understand,
)

SETTINGS = SessionSettings()


def rewritten(sql: str, catalog: Catalog, obligations: Obligations = HIDE) -> Rewritten:
    statement = understand(sql, catalog, SETTINGS)[0]
    return rewrite(statement, obligations, catalog, SETTINGS, KEYS)


@pytest.mark.parametrize("sql", ["SELECT 1", "BEGIN", "SHOW all", "EXECUTE p", "SELECT oid FROM pg_class c"])
def test_what_obligations_do_not_touch_stays_as_it_is(sql: str, catalog: Catalog) -> None:
    made = rewritten(sql, catalog, Obligations(columns=HIDE.columns))
    assert (made.text, made.edits, made.guards_errors) == (sql, (), False)


def test_edits_turn_the_text_into_what_is_sent(catalog: Catalog) -> None:
    text = "SELECT 'é', o.id FROM orders AS o JOIN products p USING (id) WHERE o.id = 1 -- the end"
    made = rewritten(text, catalog)
    position, parts = 0, []
    for edit in made.edits:
        parts += [text[position : edit.start], edit.replacement]
        position = edit.end
    assert "".join([*parts, text[position:]]) == made.text
    assert made.text.startswith("SELECT 'é', o.id FROM (SELECT ")
    assert made.text.endswith(' OFFSET 0) AS o JOIN "public".products p USING (id) WHERE o.id = 1 -- the end')
    assert made.guards_errors


def test_masked_columns_are_forbidden_as_origins(catalog: Catalog) -> None:
    made = rewritten("SELECT * FROM customers", catalog)
    customers = catalog.find_relation("public", "customers")
    assert customers is not None
    hidden = {
        column.number
        for column in catalog.columns(customers.oid)
        if column.name in ("email", "ssn", "email_norm")
    }
    assert {(customers.oid, number) for number in hidden} <= made.forbidden_origins
    assert (customers.oid, 1) not in made.forbidden_origins


def test_the_key_of_a_token_is_in_no_repr(catalog: Catalog) -> None:
    assert "nnnn" not in repr(KEYS)
    made = rewritten("SELECT ssn FROM customers", catalog, Obligations(columns=(mask("ssn", Token()),)))
    assert MaskKeys(b"n" * 32, b"c" * 32).connection.hex() not in made.text


def test_a_filter_without_a_value_for_a_parameter_is_refused(catalog: Catalog) -> None:
    with pytest.raises(CannotRewrite, match=r"\$2"):
        rewritten("SELECT * FROM orders", catalog, Obligations(filters=(row_filter("tenant_id = $2", 7),)))


@pytest.mark.parametrize(
    "where", ["true) OR (true", "1 = 1; DELETE FROM orders", "true -- ", "x y", "nope = 1 LIMIT 1"]
)
def test_a_filter_is_one_condition_or_nothing(where: str, catalog: Catalog) -> None:
    obligations = Obligations(filters=(row_filter(where),))
    try:
        made = rewritten("SELECT * FROM orders", catalog, obligations)
    except CannotRewrite:
        return
    assert "WHERE (true) OR (true)" not in made.text
    assert ";" not in made.text


@pytest.mark.parametrize(
    "sql",
    ["COPY products FROM '/tmp/x'", "COPY products TO PROGRAM 'cat'", "COPY (SELECT 1) TO '/tmp/x'"],
)
def test_files_and_programs_of_the_server_are_for_whom_nothing_is_hidden(sql: str, catalog: Catalog) -> None:
    assert rewritten(sql, catalog, Obligations()).text == sql
    with pytest.raises(CannotRewrite, match="could read any table"):
        rewritten(sql, catalog)


def test_an_obligation_for_something_else_is_refused(catalog: Catalog) -> None:
    with pytest.raises(CannotRewrite):
        rewritten("SELECT * FROM products", catalog, Obligations(columns=(mask("ssn", Redact()),)))


@pytest.mark.parametrize(
    "sql",
    [
        "TABLE orders",
        "SELECT * FROM ONLY (orders)",
        "SELECT * FROM orders *",
        "SELECT * FROM /* c */ public . orders",
        "SELECT public.orders.id FROM public.orders",
        'SELECT * FROM "orders" "o" ("a", "b")',
        "PREPARE p (int) AS SELECT * FROM orders WHERE id = $1",
        "DECLARE c CURSOR WITH HOLD FOR SELECT * FROM orders",
        "CREATE TEMP TABLE t AS SELECT * FROM orders WITH NO DATA",
        "COPY orders (id, note) TO STDOUT WITH (FORMAT csv)",
        "COPY (SELECT * FROM orders) TO STDOUT",
        "COPY BINARY orders TO STDOUT",
        "COPY BINARY public.orders (id) TO STDOUT;",
        "UPDATE orders SET note = 'WHERE' WHERE note = 'RETURNING' RETURNING id",
        "UPDATE orders SET note = (SELECT title FROM products WHERE id = 1)",
        "DELETE FROM orders WHERE id IN (SELECT id FROM orders WHERE note = 'x')",
        "INSERT INTO orders (id, tenant_id) VALUES ((SELECT 1), (7)), ($1, $2)",
        "INSERT INTO orders (id, tenant_id) WITH x AS (SELECT 1) VALUES (1, 7)",
        "INSERT INTO products (id) SELECT id FROM orders ON CONFLICT DO NOTHING",
    ],
)
def test_every_shape_is_rewritten_and_proved(sql: str, catalog: Catalog) -> None:
    obligations = Obligations(filters=(row_filter("tenant_id = $1", 7),))
    made = rewritten(sql, catalog, obligations)
    assert "tenant_id OPERATOR(pg_catalog.=) '7'" in made.text


@pytest.mark.parametrize("note", ["plain", "é"])
def test_a_long_list_of_rows_is_hardly_longer_when_it_is_checked(note: str, catalog: Catalog) -> None:
    rows = ", ".join(f"({number}, 7, '{note}')" for number in range(3000))
    text = f"INSERT INTO orders (id, tenant_id, note) VALUES {rows}"
    made = rewritten(text, catalog, Obligations(filters=(row_filter("tenant_id = $1", 7),)))
    assert len(made.text) < len(text) + 1500
    assert len(made.edits) < 12
    assert "(2999, 7, '" in made.text


def test_behind_the_first_row_only_constants_go_without_a_cast(catalog: Catalog) -> None:
    text = "INSERT INTO orders (id, tenant_id, note) VALUES (1, 7, 'a'), (2, 3 + 4, 5), (NULL, '7', now())"
    made = rewritten(text, catalog, Obligations(filters=(row_filter("tenant_id = $1", 7),)))
    for cast in ("(2, CAST(3 + 4 AS ", "CAST(5 AS ", "(NULL, '7', CAST(now() AS "):
        assert cast in made.text

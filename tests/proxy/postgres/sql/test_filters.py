"""Row filters as they are sent: names pinned, values as constants, one condition and no more."""

from __future__ import annotations

import pytest

from kit.sent import sent
from kit.sql_shop import KEYS, row_filter
from tollhouse_core.decision import Obligations
from tollhouse_proxy.protocols.postgres.sql import (
    CannotRewrite,
    Catalog,
    SessionSettings,
    rewrite,
    understand,
)
from tollhouse_proxy.protocols.postgres.sql.quoting import constant, literal

CONTACT = "get_contact(id)"


def shown(sql: str, catalog: Catalog, where: str, *values: object) -> str:
    return sent(sql, catalog, Obligations(filters=(row_filter(where, *values),)))


@pytest.mark.parametrize(
    ("where", "values", "condition"),
    [
        ("tenant_id = ANY ($1)", ([7, 8],), "(tenant_id OPERATOR(=) ANY ('{7,8}'))"),
        ("note = $1", ("it's \\",), "(note OPERATOR(=) 'it''s \\')"),
        ("note = $1 AND amount = $2", ("a", 1.5), "(note OPERATOR(=) 'a' AND amount OPERATOR(=) '1.5')"),
        ("$1", (True,), "('true')"),
        ("tenant_id != $1", (7,), "(tenant_id OPERATOR(<>) '7')"),
        ("lower(note) = $1", ("a",), "(lower(note) OPERATOR(=) 'a')"),
        ("id IN (SELECT id FROM products)", (), "(id IN (SELECT id FROM products))"),
        ("note LIKE $1", ("y",), "(note LIKE 'y')"),
        ("orders.id > 1", (), "(orders.id OPERATOR(>) 1)"),
        ("(id, tenant_id) = (1, $1)", (7,), "((id, tenant_id) OPERATOR(=) (1, '7'))"),
        ("tenant_id = $1 -- mine", (7,), "«own»"),
        ("tenant_id = $1 /* mine */", (7,), "«own»"),
    ],
)
def test_a_row_filter_is_sent_with_its_names_pinned_and_its_values_as_constants(
    where: str, values: tuple[object, ...], condition: str, catalog: Catalog
) -> None:
    assert f" WHERE {condition} OFFSET 0) AS orders" in shown("TABLE orders", catalog, where, *values)
    update = shown("UPDATE orders SET created = NULL", catalog, where, *values)
    assert f"CASE WHEN (SELECT {condition} FROM" in update or "CASE WHEN «own orders.tenant_id»" in update


@pytest.mark.parametrize(
    ("where", "sent_as"),
    [
        (CONTACT, '"public".get_contact('),
        (f"public.{CONTACT}", "public.get_contact("),
        ("lower(note)", "pg_catalog.lower("),
        ("now()", "pg_catalog.now("),
        ("EXISTS (SELECT FROM products)", 'FROM "public"."products")'),
        ("EXISTS (SELECT FROM products p, orders)", 'FROM "public"."products" p, "public"."orders")'),
    ],
)
def test_functions_and_tables_of_a_row_filter_are_named_with_their_schemas(
    where: str, sent_as: str, catalog: Catalog
) -> None:
    (statement,) = understand("TABLE orders", catalog, SessionSettings())
    obligations = Obligations(filters=(row_filter(f"({where}) IS NOT NULL"),))
    made = rewrite(statement, obligations, catalog, SessionSettings(), KEYS)
    assert f"({sent_as}" in made.text or f" {sent_as}" in made.text


@pytest.mark.parametrize(
    ("where", "values", "words"),
    [
        ("tenant_id = $2", (7,), "no value for $2"),
        ("tenant_id = $0", (7,), "no value for $0"),
        ("tenant_id = $1) OR (true", (7,), "syntax error"),
        ("true LIMIT 1", (), "must be one condition"),
        ("tenant_id = 7 GROUP BY 1", (), "must be one condition"),
        ("id = 1; DELETE FROM orders", (), "must be one condition"),
        ("note = $1", ({"a": 1},), "neither a scalar nor a list"),
        ("note = $1", (None,), "neither a scalar nor a list"),
        ("note = ANY ($1)", ([["a"]],), "neither a scalar nor a list"),
        ("note = $1", ("a\0b",), "NUL"),
        ("id IN (SELECT 1 FROM gone)", (), '"gone" does not exist'),
    ],
)
def test_what_is_no_condition_or_has_no_values_lets_nothing_through(
    where: str, values: tuple[object, ...], words: str, catalog: Catalog
) -> None:
    for sql in ("TABLE orders", "DELETE FROM orders"):
        said = shown(sql, catalog, where, *values)
        assert said.startswith("refused: ")
        assert words in said


def test_a_row_filter_over_whole_rows_allows_reading_and_no_writes(catalog: Catalog) -> None:
    assert "(orders IS NOT NULL)" in shown("TABLE orders", catalog, "orders IS NOT NULL")
    for sql in ("UPDATE orders SET note = 'x'", "INSERT INTO orders (id) VALUES (1)"):
        assert "allows no writes" in shown(sql, catalog, "orders IS NOT NULL")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "'true'"), (False, "'false'"), (7, "'7'"), (1.5, "'1.5'"), ("a'b", "'a''b'"), ([], "'{}'"),
        (["a", 'b"\\', True, 7], "'{\"a\",\"b\\\"\\\\\",\"true\",\"7\"}'"), (("x",), "'{\"x\"}'"),
    ],
)  # fmt: skip
def test_a_value_becomes_a_constant_that_nothing_in_it_can_end(value: object, text: str) -> None:
    assert constant(value) == text


def test_no_constant_holds_a_nul() -> None:
    with pytest.raises(CannotRewrite, match="NUL"):
        literal("\0")

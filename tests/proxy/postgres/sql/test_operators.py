"""Operators and casts that somebody made: what they compute is judged like the function behind them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kit.statements import shown
from tollhouse_proxy.protocols.postgres.sql import Catalog

INT, TEXT, BOOL = "23", "25", "16"
NOISY, QUIET, MAKES = "50000", "50001", "50002"


def made(operators: list[list[str]], casts: list[list[str]] | None = None) -> Catalog:
    """The shop with a function of nobody's extension, one of pgcrypto and one that takes a row of orders."""
    rows = json.loads((Path(__file__).parent / "shop_catalog.json").read_text())

    def function(oid: str, name: str, extension: str | None) -> list[str | None]:
        return [oid, "2200", name, "f", "i", "false", "c", "2", "0", "false", f"{INT} {INT}", BOOL, extension]

    rows["functions"] += [function(NOISY, "noisy", None), function(QUIET, "quiet", "pgcrypto")]
    rows["operators"] = operators
    rows["casts"] = casts or []
    return Catalog.from_rows(rows)


def touched(sql: str, catalog: Catalog) -> str:
    return shown(sql, catalog)[1]


def row_type(name: str) -> str:
    rows = json.loads((Path(__file__).parent / "shop_catalog.json").read_text())
    return next(str(row[0]) for row in rows["types"] if row[2] == name)


@pytest.mark.parametrize("schema", ["", "public."])
def test_an_operator_is_the_function_behind_it(schema: str) -> None:
    sql = f"SELECT 1 OPERATOR({schema}===) 2"
    assert touched(sql, made([["2200", "===", INT, INT, NOISY]])) == "Execute noisy"
    assert touched(sql, made([["2200", "===", INT, INT, QUIET]])) == ""
    assert touched("SELECT 1 = 2", made([["2200", "===", INT, INT, NOISY]])) == ""


def test_an_operator_of_a_schema_that_is_not_searched_is_not_meant() -> None:
    catalog = made([["17393", "===", INT, INT, NOISY]])
    assert touched("SELECT 1 === 2", catalog) == ""
    assert touched("SELECT 1 OPERATOR(priv.===) 2", catalog) == "Execute noisy"


def test_an_operator_over_a_type_of_ones_own_is_meant_where_that_type_may_be() -> None:
    catalog = made([["2200", "=", row_type("orders"), INT, NOISY]])
    assert touched("SELECT 1 = 2", catalog) == ""
    assert touched("SELECT 1 FROM products WHERE id = 2", catalog) == "Select products"
    assert "Execute noisy" in touched("SELECT $1 = 2", catalog)
    assert "Execute noisy" in touched("SELECT NULL::orders = 2", catalog)


def test_a_cast_is_the_function_behind_it_where_its_types_may_be() -> None:
    def cast(source: str, target: str, function: str = NOISY) -> Catalog:
        return made([], [[source, target, function, "i"]])

    assert "Execute noisy" in touched("SELECT id::text FROM orders", cast(INT, TEXT))
    assert touched("SELECT 'a'", cast(INT, TEXT)) == ""
    assert "Execute" not in touched("SELECT id::text FROM orders", cast(INT, TEXT, QUIET))
    own = row_type("orders")
    assert touched("SELECT id FROM products", cast(own, TEXT)) == "Select products"
    assert "Execute noisy" in touched("SELECT NULL::orders", cast(own, TEXT))

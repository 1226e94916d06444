"""What counts rows or measures tables shows nothing to whom rows are hidden."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kit.sent import sent
from tollhouse_core.decision import Obligations
from tollhouse_proxy.protocols.postgres.sql import Catalog
from tollhouse_proxy.protocols.postgres.sql.blanks import counting

SIZES = " pg_table_size pg_relation_size pg_total_relation_size pg_indexes_size"
BLANK = "CAST(NULL AS regclass)"


@pytest.fixture(scope="module")
def sizes() -> Catalog:
    """The shop on a server that has the functions that measure relations."""
    rows = json.loads((Path(__file__).parent / "shop_catalog.json").read_text())
    rows["builtins"][0][0] += SIZES
    return Catalog.from_rows(rows)


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("pg_table_size('orders')", f"pg_table_size({BLANK})"),
        ("pg_table_size( 'orders' )", f"pg_table_size({BLANK} )"),
        ("pg_catalog.pg_relation_size('orders', 'main')", f"pg_relation_size({BLANK}, 'main')"),
        (
            "pg_relation_size(concat((1), (2))::regclass, (lower('MAIN')))",
            f"pg_relation_size({BLANK}, (lower('MAIN')))",
        ),
        ("pg_relation_size( 'a' , lower('b') )", f"pg_relation_size({BLANK} , lower('b') )"),
        ("(pg_table_size((17)::oid::regclass))", f"(pg_table_size({BLANK}))"),
        ('"pg_table_size" /* ( */ (17)', f"pg_table_size /* ( */ ({BLANK})"),
        (
            "pg_total_relation_size(1) + pg_indexes_size(pg_table_size(2)::text)",
            "refused: the statement could not be rewritten safely (edits overlap)",
        ),
        ("pg_table_size(1), (pg_table_size(2))", f"pg_table_size({BLANK}), (pg_table_size({BLANK}))"),
        (
            "pg_relation_size(1, (pg_table_size(2), 3)::text)",
            f"pg_relation_size({BLANK}, (pg_table_size({BLANK}), 3)::text)",
        ),
        ("pg_table_size()", "refused: pg_table_size could not be rewritten safely"),
        ("pg_table_size(VARIADIC 'x')", "refused: the statement could not be rewritten safely"),
    ],
)
def test_a_function_that_measures_a_relation_is_asked_about_none(
    sql: str, shown: str, sizes: Catalog
) -> None:
    assert sent(f"SELECT {sql}", sizes) == (shown if shown.startswith("refused") else f"SELECT {shown}")


def test_a_relation_that_counts_is_read_without_the_columns_that_count(sizes: Catalog) -> None:
    made = sent("SELECT c.reltuples FROM pg_class c WHERE c.relname = 'orders'", sizes)
    begin, _, end = made.partition("FROM (SELECT pg_class.oid, pg_class.relname, pg_class.relnamespace, ")
    assert begin == "SELECT c.reltuples "
    blank = "CAST(NULL AS int4) AS relpages, CAST(NULL AS float4) AS reltuples, "
    assert f" pg_class.reltablespace, {blank}CAST(NULL AS int4) AS relallvisible, pg_class.reltoast" in end
    assert end.endswith(" pg_class.relpartbound FROM pg_class) c WHERE c.relname = 'orders'")
    assert end.count("NULL") == 3


def test_whom_nothing_is_hidden_from_may_count(sizes: Catalog) -> None:
    for sql in ("SELECT reltuples FROM pg_class", "SELECT pg_table_size('orders')"):
        assert sent(sql, sizes, Obligations()) == f"{sql} (errors as they are)"
    harmless = "SELECT relname FROM pg_class"
    assert sent(harmless, sizes) == f"{harmless} (errors as they are)"


def test_a_column_of_an_unknown_type_cannot_be_left_out() -> None:
    rows = json.loads((Path(__file__).parent / "shop_catalog.json").read_text())
    rows["types"] = [row for row in rows["types"] if row[2] != "float4"]
    assert sent("SELECT reltuples FROM pg_class", Catalog.from_rows(rows)) == (
        'refused: the type of column "reltuples" is unknown'
    )


def test_relations_that_count_are_some_of_the_servers_own(catalog: Catalog) -> None:
    named = ("pg_class", "pg_stat_activity", "pg_settings", "orders")
    found = [catalog.find_relation(schema, name) for name in named for schema in ("pg_catalog", "public")]
    assert [one.name for one in found if one and counting(one)] == ["pg_class"]

"""What stands in a relation's place: how long and how deep it may be, that it is made and read once; and what
cannot be read at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.sql_shop import KEYS, mask, row_filter
from tollhouse_core.decision import Obligations
from tollhouse_core.masks import Nullify
from tollhouse_proxy.protocols.postgres.sql import (
    CannotRewrite,
    Catalog,
    NotUnderstood,
    SessionSettings,
    filters,
    rewrite,
    sources,
    understand,
)
from tollhouse_proxy.protocols.postgres.sql.binding import Binding
from tollhouse_proxy.protocols.postgres.sql.filters import filter_sql
from tollhouse_proxy.protocols.postgres.sql.findings import Findings
from tollhouse_proxy.protocols.postgres.sql.names import Names
from tollhouse_proxy.protocols.postgres.sql.reader import Reader, Scope
from tollhouse_proxy.protocols.postgres.sql.sources import source_sql

SETTINGS = SessionSettings()
OWN = Obligations(filters=(row_filter("tenant_id = $1", 7),))
INT = 23
LONGEST, DEEPEST = 120_000, 24


def with_views(*definitions: str) -> Catalog:
    """The shop with views v0, v1 ... of one column, id."""
    rows = json.loads((Path(__file__).parent / "shop_catalog.json").read_text())
    public = next(row[0] for row in rows["namespaces"] if row[1] == "public")
    for number, text in enumerate(definitions):
        oid = str(90_000 + number)
        rows["relations"].append([oid, public, f"v{number}", "v", "p", "false", "0"])
        rows["columns"].append([oid, json.dumps([[1, "id", INT, -1, False, "", "", None]])])
        rows["views"].append([oid, "700", text])
    return Catalog.from_rows(rows)


def sent(sql: str, catalog: Catalog, obligations: Obligations = OWN) -> str:
    (statement,) = understand(sql, catalog, SETTINGS)
    return rewrite(statement, obligations, catalog, SETTINGS, KEYS).text


def test_what_stands_for_a_view_is_so_long_and_no_longer() -> None:
    def made(length: int) -> str:
        catalog = with_views(f"SELECT id FROM public.orders WHERE note <> '{'x' * length}'")
        view = catalog.find_relation("public", "v0")
        assert view is not None
        return source_sql(view, Binding(OWN, Names(catalog, SETTINGS), KEYS))

    around = len(made(0))
    assert len(made(LONGEST - around)) == LONGEST
    with pytest.raises(CannotRewrite, match="too many masked or filtered"):
        made(LONGEST - around + 1)


def test_views_are_followed_so_deep_and_no_deeper() -> None:
    below = [f"SELECT id FROM public.v{number}" for number in range(DEEPEST + 1)]
    catalog = with_views("SELECT id FROM public.orders", *below)
    assert "tenant_id" in sent(f"SELECT id FROM v{DEEPEST}", catalog)
    with pytest.raises(CannotRewrite, match="nested too deeply"):
        sent(f"SELECT id FROM v{DEEPEST + 1}", with_views("SELECT id FROM public.orders", *below))


def test_what_stands_in_a_relations_place_is_made_and_read_once(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    tree = sources.from_tree

    def counted(text: str) -> dict[str, object]:
        read.append(text)
        return tree(text)

    monkeypatch.setattr(sources, "from_tree", counted)
    obligations = Obligations(columns=(mask("ssn", Nullify()),))
    texts = {sent(f"SELECT {number} FROM customers c", catalog, obligations)[8:] for number in (1, 2, 3)}
    assert len(texts) == 1
    assert len(read) == 1
    binding = Binding(obligations, Names(catalog, SETTINGS), KEYS)
    customers = catalog.find_relation("public", "customers")
    assert customers is not None
    assert source_sql(customers, binding) is source_sql(customers, binding)
    assert binding.effect(customers) is binding.effect(customers)


def filters_kept(catalog: Catalog) -> int:
    return sum(1 for key in catalog.memo if isinstance(key, tuple) and key[0] == "filter")


@pytest.fixture
def fresh() -> Catalog:
    return with_views()


def test_a_row_filter_is_read_once_for_each_snapshot(fresh: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    orders = fresh.find_relation("public", "orders")
    assert orders is not None
    names = Names(fresh, SETTINGS)
    text = filter_sql(OWN.filters[0], orders, names)

    def unread(*_: object) -> Callable[..., object]:
        raise AssertionError

    monkeypatch.setattr(filters, "parse", unread)
    assert filter_sql(OWN.filters[0], orders, names) == text


def test_no_more_row_filters_are_kept_than_there_is_room_for(fresh: Catalog) -> None:
    orders = fresh.find_relation("public", "orders")
    assert orders is not None

    def read(value: int) -> str:
        return filter_sql(row_filter("tenant_id = $1", value), orders, Names(fresh, SETTINGS))

    read(0)
    fresh.memo.update(dict.fromkeys(range(4095 - len(fresh.memo))))
    assert [read(value)[-3:] for value in (1, 2, 3)] == ["'1'", "'2'", "'3'"]
    assert filters_kept(fresh) == 2
    assert len(fresh.memo) == 4096


def test_bindings_of_many_identities_are_kept_the_oldest_goes_first(fresh: Catalog) -> None:
    def kept(value: int) -> bool:
        return any(
            isinstance(key, tuple) and key[0] == "binding" and f"values=({value},)" in str(key[1])
            for key in fresh.memo
        )

    for value in range(1000, 1066):
        sent("SELECT id FROM orders", fresh, Obligations(filters=(row_filter("tenant_id = $1", value),)))
    assert [kept(value) for value in (1000, 1001, 1002, 1065)] == [False, False, True, True]


def test_a_view_that_is_being_changed_is_asked_for_again() -> None:
    rows = json.loads((Path(__file__).parent / "shop_catalog.json").read_text())
    for row in rows["views"]:
        row[-1] = None
    with pytest.raises(NotUnderstood, match="changes what it shows") as refused:
        understand("SELECT * FROM customers_v", Catalog.from_rows(rows), SETTINGS)
    assert refused.value.sqlstate == "55P03"


@pytest.mark.parametrize("definition", ["SELECT", "SELECT 1; SELECT 2", "", "nonsense"])
def test_a_view_whose_definition_cannot_be_read_is_refused(definition: str) -> None:
    if definition == "SELECT":
        assert understand("SELECT * FROM v0", with_views(definition), SETTINGS)
        return
    with pytest.raises(NotUnderstood, match="cannot be read") as refused:
        understand("SELECT * FROM v0", with_views(definition), SETTINGS)
    assert refused.value.sqlstate == "42501"


@pytest.mark.parametrize(
    "sql",
    ["INSERT INTO typed (o) VALUES (1)", "UPDATE typed SET o = 1", "UPDATE typed SET o = abs(1)",
     "INSERT INTO typed DEFAULT VALUES", "INSERT INTO typed (i2) VALUES (1)"],
)  # fmt: skip
def test_a_column_whose_type_is_unknown_is_not_checked_so_not_written(sql: str) -> None:
    rows = json.loads((Path(__file__).parent / "odd_catalog.json").read_text())
    rows["types"] = [row for row in rows["types"] if row[2] != "oid"]
    obligations = Obligations(filters=(row_filter("o = $1", 7, path=("public", "typed")),))
    with pytest.raises(CannotRewrite, match='type of column "o" is unknown'):
        sent(sql, Catalog.from_rows(rows), obligations)


def test_trees_of_nodes_that_nobody_knows_are_refused(catalog: Catalog) -> None:
    reader = Reader(Names(catalog, SETTINGS), Findings())
    new = {"NewNode": {"location": 7}}
    with pytest.raises(NotUnderstood, match="NewNode") as refused:
        reader.statement("SelectStmt", {"targetList": [{"ResTarget": {"val": new}}]}, Scope())
    assert refused.value.position == 7
    common = {"CommonTableExpr": {"ctename": "x", "ctequery": {"VacuumStmt": {}}}}
    with pytest.raises(NotUnderstood, match="VacuumStmt"):
        reader.statement("SelectStmt", {"withClause": {"ctes": [common]}}, Scope())


def test_the_schema_of_temporary_objects_is_searched_where_the_path_says(catalog: Catalog) -> None:
    rows = json.loads((Path(__file__).parent / "shop_catalog.json").read_text())
    rows["session"][0][5] = "pg_temp_3"
    rows["namespaces"].append(["91000", "pg_temp_3"])
    temporary = Catalog.from_rows(rows)

    def path(of: Catalog, *schemas: str) -> tuple[str, ...]:
        return Names(of, SessionSettings(search_path=schemas)).path

    assert path(temporary, "public", "pg_temp") == ("pg_catalog", "public", "pg_temp_3")
    assert path(temporary, "pg_temp_3", "public") == ("pg_catalog", "pg_temp_3", "public")
    assert path(temporary, "public") == ("pg_temp_3", "pg_catalog", "public")
    assert path(temporary, "public", "pg_catalog", "public") == ("pg_temp_3", "public", "pg_catalog")
    assert path(catalog, "pg_temp", "public", "gone") == ("pg_catalog", "public")

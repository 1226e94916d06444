"""What stands in a relation's place: how long and how deep it may be, and that it is made and read once."""

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
    SessionSettings,
    filters,
    rewrite,
    sources,
    understand,
)
from tollhouse_proxy.protocols.postgres.sql.binding import Binding
from tollhouse_proxy.protocols.postgres.sql.filters import filter_sql
from tollhouse_proxy.protocols.postgres.sql.names import Names
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

"""GROUP BY keys of filtered tables: the columns that a sub-select's lack of a key would take are added."""

from __future__ import annotations

import pytest

from kit.sent import sent
from kit.sql_shop import row_filter
from tollhouse_core.decision import Obligations
from tollhouse_proxy.protocols.postgres.sql import Catalog

FILTERED = Obligations(
    filters=tuple(row_filter("id = id", path=("public", table)) for table in ("orders", "products"))
)
REST = {
    "a": "a.tenant_id, a.customer_id, a.amount, a.note, a.created, a.id",
    "b": "b.tenant_id, b.customer_id, b.amount, b.note, b.created, b.id",
    "p": "p.title, p.price, p.id",
}


@pytest.mark.parametrize("keys", ["a b", "b a", "a p b", "p b a", "b a p", "p"])
def test_each_key_of_several_tables_is_completed_in_its_place(keys: str, catalog: Catalog) -> None:
    grouped = keys.split()
    made = sent(
        f"SELECT 1 FROM orders a, orders b, products p GROUP BY {', '.join(f'{one}.id' for one in grouped)}",
        catalog,
        FILTERED,
    )
    assert made.partition(" GROUP BY ")[2] == ", ".join(REST[one] for one in grouped)


def test_what_is_grouped_by_already_is_not_added(catalog: Catalog) -> None:
    made = sent(
        "SELECT 1 FROM orders a, products p GROUP BY p.id, a.note, a.id, p.title, 1", catalog, FILTERED
    )
    assert made.partition(" GROUP BY ")[2] == (
        "p.price, p.id, a.tenant_id, a.customer_id, a.amount, a.created, a.note, a.id, p.title, 1"
    )

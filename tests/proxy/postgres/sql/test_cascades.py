"""What foreign keys have the server write by itself, at any depth."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tollhouse_proxy.protocols.postgres.sql import Catalog
from tollhouse_proxy.protocols.postgres.sql.cascades import cascades
from tollhouse_proxy.protocols.postgres.sql.catalog import Relation

CUSTOMERS_ID, CUSTOMERS_EMAIL, ORDERS_CUSTOMER = 1, 3, 3
NOTHING, CASCADE, SET_NULL, SET_DEFAULT, RESTRICT = "a", "c", "n", "d", "r"


def made(deleted: str, updated: str, *more: list[str]) -> Catalog:
    """The shop, where orders and newsletter point at customers with these actions."""
    rows = json.loads((Path(__file__).parent / "shop_catalog.json").read_text())
    for row in rows["references"]:
        row[4:6] = deleted, updated
    rows["references"] += more
    return Catalog.from_rows(rows)


def table(catalog: Catalog, name: str) -> Relation:
    found = catalog.find_relation("public", name)
    assert found is not None
    return found


def written(catalog: Catalog, action: str, *columns: int, of: str = "customers") -> set[str]:
    numbers = frozenset(columns) if columns else None
    return {f"{done} {one.name}" for one, done in cascades(table(catalog, of), action, numbers, catalog)}


@pytest.mark.parametrize(
    ("does", "deleted", "updated"),
    [
        (NOTHING, set(), set()),
        (RESTRICT, set(), set()),
        (CASCADE, {"Delete orders", "Delete newsletter"}, {"Update orders", "Update newsletter"}),
        (SET_NULL, {"Update orders", "Update newsletter"}, {"Update orders", "Update newsletter"}),
        (SET_DEFAULT, {"Update orders", "Update newsletter"}, {"Update orders", "Update newsletter"}),
    ],
)
def test_what_a_key_says_is_done_when_a_row_goes_or_its_key_changes(
    does: str, deleted: set[str], updated: set[str]
) -> None:
    assert written(made(does, NOTHING), "Delete") == deleted
    assert written(made(NOTHING, does), "Delete") == set()
    assert written(made(NOTHING, does), "Update") == updated
    assert written(made(does, NOTHING), "Update") == set()


def test_only_a_change_of_what_a_key_points_at_goes_on() -> None:
    catalog = made(NOTHING, CASCADE)
    assert written(catalog, "Update", CUSTOMERS_ID) == {"Update orders"}
    assert written(catalog, "Update", CUSTOMERS_EMAIL) == {"Update newsletter"}
    assert written(catalog, "Update", CUSTOMERS_ID, CUSTOMERS_EMAIL) == {"Update orders", "Update newsletter"}
    assert written(catalog, "Update", 2) == set()


def test_what_was_written_is_followed_at_any_depth_and_in_circles() -> None:
    plain = made(CASCADE, CASCADE)
    orders, products = str(table(plain, "orders").oid), str(table(plain, "products").oid)
    customers = str(table(plain, "customers").oid)
    further = [products, orders, "1", str(ORDERS_CUSTOMER), CASCADE, CASCADE, "900"]
    back = [customers, products, "1", "1", CASCADE, CASCADE, "901"]
    catalog = made(CASCADE, CASCADE, further, back)
    everything = {f"{{}} {name}" for name in ("orders", "newsletter", "products", "customers")}
    assert written(catalog, "Delete") == {one.format("Delete") for one in everything}
    assert written(catalog, "Update", CUSTOMERS_ID) == {
        one.format("Update") for one in everything - {"{} newsletter"}
    }
    elsewhere = [products, orders, "1", "1", CASCADE, CASCADE, "900"]
    assert written(made(CASCADE, CASCADE, elsewhere), "Update", CUSTOMERS_ID) == {"Update orders"}


def test_a_key_that_points_at_a_part_is_followed_when_its_parent_is_written() -> None:
    plain = made(NOTHING, NOTHING)
    part, products = str(table(plain, "events_t7").oid), str(table(plain, "products").oid)
    catalog = made(NOTHING, NOTHING, [products, part, "1", "1", CASCADE, SET_NULL, "900"])
    assert written(catalog, "Delete", of="events") == {"Delete products"}
    assert written(catalog, "Update", 3, of="events") == {"Update products"}
    assert written(catalog, "Update", 3, of="events_t7") == set()

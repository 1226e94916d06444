"""Definitions that lie between names and rows: views, schemas, policies, generated columns, keys."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from kit.sql_shop import HIDE, Session, mask, row_filter
from tollhouse_core.decision import Obligations
from tollhouse_core.masks import Redact

pytestmark = pytest.mark.postgres

TENANT = Obligations(filters=(row_filter("tenant_id = $1", 7),))


@pytest.fixture
def changed(shop: Session) -> Iterator[Callable[[str], Session]]:
    """The shop after some statements of an owner, which are rolled back."""
    before = shop.catalog

    def change(sql: str) -> Session:
        shop.connection.execute(sql.encode())
        shop.read()
        return shop

    yield change
    shop.catalog = before


def _stack(of: str, select: str, height: int) -> str:
    views = [f"CREATE VIEW s0 AS SELECT id FROM {of}"]
    views += [f"CREATE VIEW s{n} AS {select.format(below=f's{n - 1}')}" for n in range(1, height)]
    return ";".join(views)


def test_a_high_stack_of_views_is_read_in_time(changed: Callable[[str], Session]) -> None:
    shop = changed(_stack("products", "SELECT id FROM {below}", 40))
    began = time.monotonic()
    assert shop.run("SELECT count(*) FROM s39, orders WHERE false").kind == "rows"
    assert time.monotonic() - began < 10


def test_views_that_double_what_is_beneath_are_refused_before_they_fill_memory(
    changed: Callable[[str], Session],
) -> None:
    shop = changed(_stack("customers", "SELECT a.id FROM {below} a JOIN {below} b USING (id)", 20))
    seen = shop.run("SELECT id FROM s19")
    assert seen.kind == "cannot rewrite", seen
    assert "too many" in seen.text, seen.text


def test_a_column_computed_from_one_with_quotes_in_its_name_is_masked_too(
    changed: Callable[[str], Session],
) -> None:
    shop = changed(
        'CREATE TABLE odd (id int, "We ""ird" text, low text GENERATED ALWAYS AS (lower("We ""ird")) STORED);'
        "INSERT INTO odd VALUES (1, 'SECRET')"
    )
    shop.under(Obligations(columns=(mask('We "ird', Redact(), path=("public", "odd")),)))
    assert "secret" not in str(shop.run("SELECT low FROM odd").rows).lower()

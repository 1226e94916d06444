"""The catalog of `kit.sql_shop.SHOP`, read once from a real server and cut down."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tollhouse_proxy.protocols.postgres.sql import Catalog


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return Catalog.from_rows(json.loads((Path(__file__).parent / "shop_catalog.json").read_text()))


@pytest.fixture(scope="session")
def odd_catalog() -> Catalog:
    """The shop and `kit.sql_odd.ODD`, read and cut down in the same way."""
    return Catalog.from_rows(json.loads((Path(__file__).parent / "odd_catalog.json").read_text()))

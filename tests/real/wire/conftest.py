"""A shop's database, and a proxy before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from kit.pki import Authority
from kit.postgres import Postgres
from kit.wire_world import WireWorld, running

SHOP = """
CREATE TABLE customers (
  id int PRIMARY KEY, name text NOT NULL, email text, tenant int NOT NULL DEFAULT 1, card bigint);
INSERT INTO customers VALUES (1, 'ann', 'ann@shop.example', 1, 4111111111111111),
  (2, 'bob', 'bob@shop.example', 2, 5500005555555559), (3, 'cyd', NULL, 1, NULL);
CREATE TABLE notes (id serial PRIMARY KEY, body text, extra jsonb, tags text[]);
INSERT INTO notes (body, extra, tags) VALUES
  ('card 4111 1111 1111 1111 ok', '{"card": "4111111111111111"}', '{x,4111111111111111}');
CREATE TABLE numbers AS SELECT n, 'row ' || n AS label FROM generate_series(1, 5000) AS n;
"""


@pytest.fixture(scope="session")
def shop(postgres: Postgres) -> str:
    return postgres.create_database(sql=SHOP)


@pytest.fixture
def serve() -> Iterator[Callable[[WireWorld], WireWorld]]:
    """Starts a proxy that ends with the test."""
    with ExitStack() as stack:
        yield lambda world: stack.enter_context(running(world))


@pytest.fixture
def world(postgres: Postgres, shop: str, serve: Callable[[WireWorld], WireWorld]) -> WireWorld:
    return serve(WireWorld(postgres, shop))


@pytest.fixture(scope="session")
def tls_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A serving certificate for localhost, as the operator would mount it; ca.crt beside it."""
    folder = tmp_path_factory.mktemp("serving")
    authority = Authority(folder)
    pair = authority.server("tls", names=["localhost"])
    pair.certificate.rename(folder / "tls.crt")
    pair.key.rename(folder / "tls.key")
    return folder

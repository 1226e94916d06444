"""No input holds the loop up: `python -m fuzz.loop --seconds 60 --seed 1`.

A real proxy before a real PostgreSQL, with masks, filters and content masks in force. Texts up to the size
cap and results of any shape go through it; the processor time of every callback of its loop is measured, and
one that takes more than `MOST_SECONDS` in each of three tries is a finding: everybody else's session would
have waited for it.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fuzz.campaign import Campaign, main
from kit.postgres import running as server_of
from kit.raw_client import Gone, RawClient
from kit.sql_generator import Generator
from kit.sql_shop import ROWS, SHOP, VARIANTS
from kit.threat_world import Guarded, identities
from kit.wire_world import WireWorld, running
from tollhouse_proxy.adapters.aside.workers import Workers

MOST_SECONDS = 0.010
MOST_TEXT = 256 * 1024
_RULES = """
- allow: {sql: {access: [Select, Insert, Update, Delete], tables: ["*"]}}
- mask: {columns: [customers.email, customers.ssn], with: {partial: {keepLast: 4}}}
- mask: {content: [PaymentCard, Email, Phone, IBAN, PrivateKey, AccessKey], with: {redact: {}}}
- filter: {tables: [orders], where: "tenant_id = {{ identity.claims.tenant }}", writes: Check}
"""
_UNITS = (
    "1+", "(", "'a',", "id,", "email,", "customers c{n},", "SELECT 1;",
    " UNION ALL SELECT id FROM orders", "-- x\n", "/*", "''", '"a".', "$q$", " AND id = {n}",
    " OR email = 'x{n}'", "({n}, 7),",
    " JOIN orders o{n} ON true", "CASE WHEN true THEN ", "x::text::", "NOT ", "ARRAY[", "[1]", "row_to_json(",
    "{n},", "é", "\t", "0x1f,", "1e5,",
)  # fmt: skip
_HEADS = (
    "SELECT ", "SELECT * FROM orders WHERE id IN (", "SELECT id FROM customers WHERE true ",
    "INSERT INTO orders VALUES ",
    "SELECT * FROM orders", "UPDATE orders SET note = ", "", "WITH a AS (SELECT 1) SELECT ", "COPY (SELECT ",
)  # fmt: skip
_TAILS = ("1", ")", " FROM customers", "1)", " FROM orders", "", "1 FROM customers c, orders o", "(1, 7)")
_SHAPES = (
    "SELECT repeat('{unit}', {n})", "SELECT '{unit}' || i FROM generate_series(1, {n}) i",
    "SELECT array_agg('{unit}' || i) FROM generate_series(1, {n}) i",
    "SELECT jsonb_object_agg(i, '{unit}') FROM generate_series(1, {n}) i",
    "SELECT i, i, i, i FROM generate_series(1, {n}) i",
    "COPY (SELECT '{unit}', i FROM generate_series(1, {n}) i) TO STDOUT",
    "COPY (SELECT '{unit}', i FROM generate_series(1, {n}) i) TO STDOUT (FORMAT binary)",
    "SELECT repeat('{unit}', 40) || i FROM generate_series(1, {n} / 100 + 1) i",
    "SELECT repeat('{unit}', 700) || i FROM generate_series(1, {n} / 1000 + 1) i",
    "SELECT json_build_array(i, (SELECT array_agg('{unit}' || j) FROM generate_series(1, 300) j))"
    " FROM generate_series(1, {n} / 1000 + 1) i",
    "COPY (SELECT repeat('{unit}', 700) FROM generate_series(1, {n} / 1000 + 1) i) TO STDOUT (FORMAT binary)",
)  # fmt: skip
_VALUES = (
    "4111 1111 1111 1111 ",
    "a@b.c ",
    "41 ",
    "DE89 ",
    "+49 30 1234567 ",
    "AKIA",
    "-----BEGIN ",
    "x",
    "1.",
)


class Target:
    """One proxy and one session at a time."""

    name = "loop"
    steps = 1

    def __init__(self, world: WireWorld, watch: Watch) -> None:
        self._world = world
        self._watch = watch
        self._client: RawClient | None = None

    def step(self, rng: random.Random, campaign: Campaign) -> None:
        """One text."""
        text = _text(rng)
        campaign.tried(1)
        if all(self.longest(text) > MOST_SECONDS for _ in range(3)):
            campaign.found(text.encode())

    def longest(self, text: str) -> float:
        """Seconds of processor time of the longest callback while a text was dealt with."""
        if self._client is None:
            world = self._world
            self._client = RawClient(
                world.host, world.port, user="somebody", database=world.database, password="agent"
            )
        self._watch.longest = 0.0
        try:
            self._client.query(text)
        except (Gone, TimeoutError):
            self._client.close()
            self._client = None
        self._watch.ended()
        return self._watch.longest


def _text(rng: random.Random) -> str:
    dice = rng.random()
    if dice < 0.2:
        return Generator(rng.getrandbits(48)).statement()
    if dice < 0.5:
        shape = rng.choice(_SHAPES)
        return shape.format(unit=rng.choice(_VALUES), n=rng.choice((1, 100, 3000, 100_000)))
    size = rng.choice((100, 900, 1100, 4_000, 20_000, MOST_TEXT - 200))
    if dice > 0.9:
        return f"SELECT '{(rng.choice(_VALUES) * size)[:size]}'"
    unit = rng.choice(_UNITS)
    body = "".join(unit.replace("{n}", str(n)) for n in range(size // len(unit)))[:size]
    return rng.choice(_HEADS) + body + rng.choice(_TAILS)


class Watch:
    """Measures every callback of the loops it is laid over, in the processor time of their thread."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None

    def ended(self) -> None:
        """Waits until the callback that has answered is measured: the answer comes before its end."""
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self._loop).result(60)

    @contextmanager
    def over(self, loop: asyncio.AbstractEventLoop) -> Iterator[asyncio.AbstractEventLoop]:
        """Handles of `loop` are measured meanwhile."""
        handles: Any = asyncio.Handle
        plain = handles._run

        def measured(handle: Any) -> None:
            if handle._loop is not loop:
                plain(handle)
                return
            begun = time.thread_time()
            plain(handle)
            self.longest = max(self.longest, time.thread_time() - begun)

        handles._run = measured
        self._loop = loop
        try:
            yield loop
        finally:
            handles._run = plain


@contextmanager
def target(release: int) -> Iterator[Target]:
    """The target on a server and a proxy of its own."""
    watch = Watch()
    with server_of(release) as server, watch.over(asyncio.SelectorEventLoop()) as loop:
        values: dict[str, Any] = VARIANTS["ALPHA"]
        database = server.create_database(sql=SHOP + ROWS.format(v="ALPHA", **values))
        guarded = Guarded({"agent": _RULES})
        workers = Workers()
        world = WireWorld(server, database, guard=guarded.gate, known=identities(), aside=workers)
        with running(world, on=loop):
            try:
                yield Target(world, watch)
            finally:
                asyncio.run_coroutine_threadsafe(workers.close(), loop).result(20)


def replay(data: bytes, release: int = 16) -> float:
    """How long the longest callback of a kept text takes, in seconds."""
    with target(release) as one:
        return min(one.longest(data.decode()) for _ in range(3))


if __name__ == "__main__":
    with target(int(os.environ.get("FUZZ_POSTGRES", "16"))) as made:
        main(made)

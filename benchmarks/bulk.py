"""Many rows: direct, through a byte relay, through the proxy, and with masks; interleaved, as ratios.

The kernel alone is measured without sockets, compiled and in Python. A way is timed by a client that only
reads. What the proxy itself spends is its CPU time, which holds where the wall's clock is noise.
"""

from __future__ import annotations

import os
import socket
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from struct import pack
from typing import Any

import psycopg
from benchmarks import bulk_rows, cpu, peers
from benchmarks.measures import Measure
from benchmarks.peers import Peer
from benchmarks.source import MARK

from kit import postgres, process, wait
from kit.ports import answers, free_port
from kit.postgres import Postgres
from tollhouse_core.masks import Detector, DetectorName, Mask, Partial, Redact
from tollhouse_proxy.kits import frames, kernel, rows, template
from tollhouse_proxy.kits.content import ContentScanner
from tollhouse_proxy.kits.rows import Way
from tollhouse_proxy.protocols.postgres.content import mask_value
from tollhouse_proxy.protocols.postgres.sql_dialect import Scanners

ROWS = 300_000
ROUNDS = 3
_KNOWN = (DetectorName.EMAIL, DetectorName.PAYMENT_CARD, DetectorName.PHONE)
_WAYS = (Way.NUMBER_TEXT, *(Way.TEXT,) * 7)
_CONTENT = """
  - name: hide-content
    mask: {content: [Email, PaymentCard, Phone], with: {redact: {}}}
"""
_SOURCE = """
  - name: hide-columns
    mask: {columns: [bulk.email, bulk.card, bulk.phone], with: {redact: {}}}
"""
_BY_HAND = (
    "SELECT id, '[redacted]'::text AS email, '[redacted]'::text AS card, '[redacted]'::text AS phone,"
    " made, note, price, state FROM bulk"
)
_ALL = "SELECT * FROM bulk"


def measure(count: int = ROWS, rounds: int = ROUNDS) -> list[Measure]:
    """The kernel, then every way in turn, `rounds` times."""
    return [*_kernel_alone(), *_ways(count, rounds)]


# ---------------------------------------------------------------- the kernel alone


def _kernel_alone() -> Iterator[Measure]:
    sides: dict[str, tuple[Any, Any, Any]] = {"python": (rows.mask_rows, frames.run, template.template)}
    if kernel.COMPILED:
        sides["compiled"] = (kernel.mask_rows, kernel.run, kernel.template)
    cases: dict[str, tuple[tuple[bytes, ...], Mask]] = {
        "nothing found": (bulk_rows.PLAIN, Redact()),
        "3 of 8 redacted": (bulk_rows.HELD, Redact()),
        "3 of 8, last 4 kept": (bulk_rows.HELD, Partial(0, 4)),
    }
    data = bulk_rows.row(bulk_rows.HELD) * 300
    for side, (mask_rows, run, make) in sides.items():
        for name, (values, mask) in cases.items():
            spent = _fastest(_masking(mask_rows, bulk_rows.row(values) * 300, mask)) / 300
            yield Measure(f"kernel, {side}: a row masked, {name}", spent * 1e9, "ns")
        spent = _fastest(partial(run, data, 0, kernel.kinds(b"D"))) / 300
        yield Measure(f"kernel, {side}: a header walked", spent * 1e9, "ns")
        text = b"SELECT abalance FROM pgbench_accounts WHERE aid = 4711;"
        yield Measure(f"kernel, {side}: template", _fastest(partial(make, text), 200) * 1e9, "ns")


def _masking(mask_rows: Any, data: bytes, mask: Mask) -> Callable[[], object]:
    scanners = Scanners.of([ContentScanner([Detector(one) for one in _KNOWN], mask)])

    def masked(value: bytes, way: int) -> bytes | None:
        return mask_value(value, way, scanners)

    return partial(mask_rows, data, 0, len(data), _WAYS, scanners.sheet, masked)


def _fastest(work: Callable[[], object], times: int = 1) -> float:
    """CPU seconds of one call; the fastest of many."""
    best = float("inf")
    end = time.monotonic() + 1
    while time.monotonic() < end:
        began = time.process_time_ns()
        for _ in range(times):
            work()
        best = min(best, (time.process_time_ns() - began) / times)
    return best / 1e9


# ---------------------------------------------------------------- ways


def _ways(count: int, rounds: int) -> Iterator[Measure]:
    with ExitStack() as held:
        server = held.enter_context(postgres.running(16))
        database = server.create_database()
        direct = peers.direct(server, database)
        _fill(direct, count)
        source = held.enter_context(_source(server, count))
        relay = held.enter_context(peers.relay(server, database))
        bouncer = held.enter_context(peers.pgbouncer(server, database))
        plain = held.enter_context(peers.proxy(server, database))
        content = held.enter_context(peers.proxy(server, database, peers.POLICY + _CONTENT))
        masked = held.enter_context(peers.proxy(server, database, peers.POLICY + _SOURCE))
        ready = held.enter_context(peers.proxy(replace(server, port=source), database, peers.POLICY))
        ready_content = held.enter_context(
            peers.proxy(replace(server, port=source), database, peers.POLICY + _CONTENT)
        )
        from_source = f"{_ALL} {MARK.decode()}"
        runs: list[tuple[str, Peer, Callable[[Peer], Spent]]] = [
            ("SELECT: direct", direct, lambda way: _select(way, _ALL)),
            ("SELECT: relay", relay, lambda way: _select(way, _ALL)),
            *([("SELECT: pgbouncer", bouncer, lambda way: _select(way, _ALL))] if bouncer else []),
            ("SELECT: proxy", plain, lambda way: _select(way, _ALL)),
            ("SELECT: content masks", content, lambda way: _select(way, _ALL)),
            ("masked by hand: direct", direct, lambda way: _select(way, _BY_HAND)),
            ("masked at the source: proxy", masked, lambda way: _select(way, _ALL)),
            ("COPY TO: direct", direct, lambda way: _select(way, "COPY bulk TO STDOUT")),
            ("COPY TO: relay", relay, lambda way: _select(way, "COPY bulk TO STDOUT")),
            ("COPY TO: proxy", plain, lambda way: _select(way, "COPY bulk TO STDOUT")),
            ("COPY FROM: direct", direct, lambda way: _copy_from(way, count)),
            ("COPY FROM: relay", relay, lambda way: _copy_from(way, count)),
            ("COPY FROM: proxy", plain, lambda way: _copy_from(way, count)),
            ("rows ready: proxy", ready, lambda way: _select(way, from_source)),
            ("rows ready: content masks", ready_content, lambda way: _select(way, from_source)),
        ]
        walls: dict[str, list[float]] = {name: [] for name, _, _ in runs}
        cores: dict[str, list[float]] = {name: [] for name, _, _ in runs}
        for _ in range(rounds):
            for name, way, go in runs:
                wall, core = go(way)
                walls[name].append(wall)
                cores[name].append(core)
    yield from _figures(walls, cores, count)


_RATIOS = (
    ("SELECT: proxy", "SELECT: direct", 1 / 0.95),
    ("SELECT: relay", "SELECT: direct", None),
    ("SELECT: content masks", "SELECT: direct", 1 / 0.9),
    ("masked at the source: proxy", "masked by hand: direct", 1 / 0.9),
    ("COPY TO: proxy", "COPY TO: direct", 1 / 0.95),
    ("COPY TO: relay", "COPY TO: direct", None),
    ("COPY FROM: proxy", "COPY FROM: direct", 1 / 0.95),
    ("COPY FROM: relay", "COPY FROM: direct", None),
)


def _figures(walls: dict[str, list[float]], cores: dict[str, list[float]], count: int) -> Iterator[Measure]:
    for name, peer, goal in _RATIOS:
        ratio = statistics.median(one / other for one, other in zip(walls[name], walls[peer], strict=True))
        yield Measure(f"time, {name} / {peer.rpartition(': ')[2]}", ratio, "ratio", goal, peer)
    for name, spent in cores.items():
        if any(spent):
            yield Measure(f"CPU, {name}", statistics.median(spent) / count * 1e6, "us/row")
    if "SELECT: pgbouncer" in cores:
        ours, theirs = (statistics.median(cores[f"SELECT: {name}"]) for name in ("proxy", "pgbouncer"))
        yield Measure("CPU, SELECT: proxy / pgbouncer", ours / theirs, "ratio", 1.0, "pgbouncer")
    for name, goal in (("rows ready: proxy", None), ("rows ready: content masks", 0.25)):
        yield Measure(f"time, {name}", min(walls[name]) / count * 1e6, "us/row", goal)


@contextmanager
def _source(server: Postgres, count: int) -> Iterator[int]:
    port = free_port()
    with process.workshop("source") as folder:
        command = [sys.executable, "-m", "benchmarks.source", str(port), str(server.port), str(count)]
        running = process.start("source", command, log=folder / "source.log")
        try:
            wait.until(partial(answers, port), within=60, what="the source listens")
            yield port
        finally:
            running.stop()


def _connect(way: Peer) -> psycopg.Connection[tuple[object, ...]]:
    said = f"host=127.0.0.1 port={way.port} user={way.user} dbname={way.database} sslmode=disable"
    return psycopg.connect(said, password=way.password, autocommit=True)


def _fill(way: Peer, count: int) -> None:
    with _connect(way) as connection:
        connection.execute(bulk_rows.TABLE.encode())
        connection.execute(bulk_rows.FILL.replace("ROWS", str(count)).encode())
        connection.execute("CREATE TABLE copied (LIKE bulk)")
        connection.execute("VACUUM ANALYZE bulk")


Spent = tuple[float, float]
"""Seconds by the wall's clock, and of the way's CPU."""


@contextmanager
def _spending(way: Peer, spent: list[float]) -> Iterator[None]:
    before, began = cpu.seconds(way.pid) if way.pid else 0.0, time.perf_counter()
    yield
    spent.append(time.perf_counter() - began)
    spent.append(cpu.seconds(way.pid) - before if way.pid else 0.0)


def _select(way: Peer, text: str) -> Spent:
    """Until all of an answer has come. The log-in is psycopg's; then the socket is read as it is."""
    spent: list[float] = []
    with _connect(way) as connection, socket.socket(fileno=os.dup(connection.fileno())) as wire:
        wire.setblocking(True)
        body = text.encode() + b"\0"
        room = bytearray(1 << 20)
        last, size = b"", 0
        with _spending(way, spent):
            wire.sendall(b"Q" + pack("!i", len(body) + 4) + body)
            while last != b"Z\0\0\0\x05I":
                got = wire.recv_into(room)
                if not got:
                    raise RuntimeError(f"{way.name} closed the connection: {last!r}")
                size += got
                last = (last + room[max(got - 6, 0) : got])[-6:]
    if size < 1_000_000:
        raise RuntimeError(f"{way.name} did not answer with rows: {bytes(room[:300])!r}")
    return spent[0], spent[1]


def _copy_from(way: Peer, count: int) -> Spent:
    """One CopyData for each line, as psql sends them."""
    spent: list[float] = []
    line = b"\t".join(bulk_rows.HELD) + b"\n"
    piece = (b"d" + pack("!i", len(line) + 4) + line) * 1000
    text = b"COPY copied FROM STDIN\0"
    with _connect(way) as connection, socket.socket(fileno=os.dup(connection.fileno())) as wire:
        wire.setblocking(True)
        with _spending(way, spent):
            wire.sendall(b"Q" + pack("!i", len(text) + 4) + text)
            if wire.recv(65536)[:1] != b"G":
                raise RuntimeError(f"{way.name} did not begin the COPY")
            for _ in range(count // 1000):
                wire.sendall(piece)
            wire.sendall(b"c\0\0\0\x04")
            said = b""
            while not said.endswith(b"Z\0\0\0\x05I"):
                said += wire.recv(65536)
    if not said.startswith(b"C"):
        raise RuntimeError(f"{way.name} did not take the rows: {said[:300]!r}")
    with _connect(way) as connection:
        connection.execute("DELETE FROM copied")
    return spent[0], spent[1]

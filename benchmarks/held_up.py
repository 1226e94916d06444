"""How long one client's texts hold up the loop, and so everybody else: CPU time of the loop's thread between
two beats of a millisecond, which no other load of the machine can lengthen.

Everything is the proxy's own (listener, protocol, judge, masks, audit); each text is sent by itself, at the
largest size that is read and at the largest that is still read on the loop.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import uvloop
from benchmarks.measures import Measure

from kit import postgres
from kit.hard_texts import HARD
from kit.postgres import Postgres
from kit.sql_shop import SHOP
from kit.wire_world import TOKEN, LentCredential, SystemClock, TokenBook
from tollhouse_core.api import parse_object
from tollhouse_core.identity import Identity, Proof
from tollhouse_core.policy.bundle import build_bundle
from tollhouse_core.policy.limits import LimitBook
from tollhouse_dialects import LANGUAGES
from tollhouse_dialects.postgres.parse import MAX_SQL_BYTES
from tollhouse_proxy.adapters.aside.workers import Workers
from tollhouse_proxy.adapters.audit.lines import FileOutput
from tollhouse_proxy.adapters.audit.sinks import AuditSinks
from tollhouse_proxy.guard.counters import Counters
from tollhouse_proxy.guard.gate import Gate
from tollhouse_proxy.guard.house import House
from tollhouse_proxy.guard.in_force import InForce
from tollhouse_proxy.protocols.postgres.apart import HEAVY_TEXT, LONG_TEXT
from tollhouse_proxy.protocols.postgres.sql.masks import MaskKeys
from tollhouse_proxy.registry import PROTOCOLS, Foundation, Standing
from tollhouse_proxy.runtime.memory import settle_memory
from tollhouse_proxy.runtime.serving import RuntimeSettings, Serving
from tollhouse_proxy.runtime.session import Parts

GOAL_MILLISECONDS = 10.0
BEAT_SECONDS = 0.001

RULES = [
    {"name": "all", "allow": {"sql": {"access": ["Select", "Insert", "Update", "Delete"], "tables": ["*"]}}},
    {"name": "hide", "mask": {"columns": ["customers.email", "customers.ssn"], "with": {"redact": {}}}},
    {"name": "own", "filter": {"tables": ["orders"], "where": "tenant_id = 7"}},
    {
        "name": "no-cards",
        "mask": {"content": ["PaymentCard", "Email", "Phone", "IBAN"], "with": {"redact": {}}},
    },
]


@dataclass
class Beat:
    """The longest turn of the loop since it was last asked."""

    longest: float = 0.0
    _last: float = 0.0

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        def tick() -> None:
            now = time.thread_time()
            self.longest = max(self.longest, now - self._last)
            self._last = time.thread_time()
            loop.call_later(BEAT_SECONDS, tick)

        self._last = time.thread_time()
        tick()

    def take(self) -> float:
        longest, self.longest = self.longest, 0.0
        return longest


def measure(sizes: tuple[int, ...] = (HEAVY_TEXT, LONG_TEXT, MAX_SQL_BYTES - 64)) -> list[Measure]:
    """The longest turn for each text of each size."""
    found = []
    with postgres.running(16) as server, tempfile.TemporaryDirectory() as folder:
        database = server.create_database(sql=SHOP)
        with serving(server, database, Path(folder)) as (port, beat):
            for size, (name, text) in itertools.product(sizes, HARD.items()):
                longest = _longest(port, beat, text(size))
                found.append(Measure(f"loop held up, {size} B: {name}", longest, "ms", GOAL_MILLISECONDS))
    return found


def _longest(port: int, beat: Beat, text: str) -> float:
    dsn = f"host=127.0.0.1 port={port} user=x dbname=x password={TOKEN}"
    with psycopg.connect(dsn, autocommit=True) as client:
        client.execute("SELECT 1")
        beat.take()
        with suppress(psycopg.Error):
            client.pgconn.exec_(text.encode())
        client.pgconn.exec_(b"SELECT 1")
        return beat.take() * 1000


@contextmanager
def serving(server: Postgres, database: str, folder: Path) -> Iterator[tuple[int, Beat]]:
    """A proxy on a loop of its own in a thread, and its beat."""
    loop, ready, beat = uvloop.new_event_loop(), threading.Event(), Beat()
    ports: list[int] = []
    stop = asyncio.Event()

    async def serve() -> None:
        sink = AuditSinks([FileOutput(folder / "audit.jsonl")], writer="bench")
        workers = Workers()
        workers.start()
        listener = _listener(server, database, sink, workers)
        await listener.start()
        settle_memory()
        ports.append(listener.port)
        beat.start(asyncio.get_running_loop())
        ready.set()
        await stop.wait()
        await listener.drain(0)
        await workers.close()
        await sink.close()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    ready.wait(20)
    try:
        yield ports[0], beat
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        loop.close()


def _listener(server: Postgres, database: str, sink: AuditSinks, workers: Workers) -> Serving:
    clock, in_force = SystemClock(), InForce(LANGUAGES)
    assert in_force.offer(_bundle(server, database)), in_force.problem
    house = House(in_force, None, sink, clock, LimitBook(), Counters(), "bench")  # type: ignore[arg-type]
    bundle = in_force.bundle
    assert bundle is not None
    foundation = Foundation(
        lambda: Standing(bundle, None), Gate(house), clock, MaskKeys(b"n" * 32, b"c" * 32), workers
    )
    identity = Identity("bench", "local", Proof.OIDC, groups=("agents",))
    lent = LentCredential(server.superuser, server.password)
    parts = Parts(
        PROTOCOLS["postgres"](foundation),
        TokenBook({TOKEN: identity}),
        lambda _: lent,
        clock,
        lambda: None,
    )
    return Serving(RuntimeSettings("127.0.0.1", 0), parts)


def _bundle(server: Postgres, database: str) -> str:
    target = {"host": server.host, "port": server.port, "database": database, "tls": {"mode": "Disable"}}
    connection = {
        "postgres": target,
        "credentials": {"secretRef": {"name": "bench"}},
        "proxy": {"tls": {"mode": "Disable"}},
    }
    policy = {"connections": {"names": ["bench"]}, "subjects": [{"group": "agents"}], "rules": RULES}
    made = [
        parse_object(
            {
                "apiVersion": "tollhouse.dev/v1alpha1",
                "kind": kind,
                "metadata": {"name": "bench", "namespace": "default"},
                "spec": spec,
            }
        )
        for kind, spec in (("Connection", connection), ("AccessPolicy", policy))
    ]
    built = build_bundle(made[0], [made[1]], [], [], LANGUAGES)  # type: ignore[arg-type]
    assert built.bundle is not None, built.problems
    return built.bundle.to_json()

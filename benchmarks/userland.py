"""What one known statement costs the proxy's own code: no sockets, no kernel.

A real conversation is led through log-in against a real server once; the server's answer to one query is
kept, and from then on queries and answer are fed to the machine in turn. Protocol, decision cache, judge,
counters and audit (encoded, chained and written to a file by its thread) are the proxy's own. Every Query
has a literal that none before it had; the batches are those of libpq.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.measures import Measure

from kit import postgres
from kit.postgres import Postgres
from tollhouse_core.api import parse_object
from tollhouse_core.audit.event import PLACE, EventKind, Form
from tollhouse_core.identity import Identity, Proof
from tollhouse_core.policy.bundle import build_bundle
from tollhouse_core.policy.limits import LimitBook
from tollhouse_core.secret import Secret
from tollhouse_dialects import LANGUAGES
from tollhouse_proxy.adapters.audit.lines import FileOutput
from tollhouse_proxy.adapters.audit.sinks import AuditSinks
from tollhouse_proxy.exchange import (
    BackendOpened,
    Borrow,
    Close,
    CredentialLent,
    Dial,
    Machine,
    Prove,
    Proven,
    Ready,
    Settled,
    Target,
    TlsMode,
    Tools,
    Wait,
    Woken,
)
from tollhouse_proxy.guard.counters import Counters
from tollhouse_proxy.guard.gate import Gate
from tollhouse_proxy.guard.house import House
from tollhouse_proxy.guard.in_force import InForce
from tollhouse_proxy.guard.session import SessionJudge
from tollhouse_proxy.guard.standing import COMPLETED
from tollhouse_proxy.protocols.postgres.cancel import CancelRegistry
from tollhouse_proxy.protocols.postgres.conversation import PostgresMachine, Surroundings
from tollhouse_proxy.protocols.postgres.factory import PostgresFactory
from tollhouse_proxy.protocols.postgres.served import Served
from tollhouse_proxy.protocols.postgres.shelf import CatalogShelf
from tollhouse_proxy.protocols.postgres.sql.masks import MaskKeys
from tollhouse_proxy.protocols.postgres.sql_dialect import sql_dialect
from tollhouse_proxy.protocols.postgres.wire.frontend import SYNC_MESSAGE, Bind, Describe, Execute, Parse

GOAL_MICROSECONDS = 2.0
AUDIT_GOAL_MICROSECONDS = 1.0
QUERIES = 2000
REPETITIONS = 9
TABLE = (
    "CREATE TABLE accounts (aid int PRIMARY KEY, abalance int);"
    "INSERT INTO accounts SELECT number, 0 FROM generate_series(1, 500) AS number"
)
QUERY = "SELECT abalance FROM accounts WHERE aid = {};"
READY = b"Z\x00\x00\x00\x05"


@dataclass
class Driver:
    """Leads one machine by hand: its backend is a socket while it logs in, and a kept answer afterwards."""

    machine: Machine
    server: Postgres
    reader: asyncio.StreamReader | None = None
    writer: asyncio.StreamWriter | None = None
    said: bytearray = field(default_factory=bytearray)
    heard: bytearray = field(default_factory=bytearray)
    sent: bytearray = field(default_factory=bytearray)
    ready: bool = False

    async def log_in(self, database: str) -> None:
        words = f"user\0agent\0database\0{database}\0\0".encode()
        self.machine.client_data(struct.pack("!ii", len(words) + 8, 196608) + words)
        await self._settle()
        password = b"any-token\0"
        self.machine.client_data(b"p" + struct.pack("!i", len(password) + 4) + password)
        while not self.ready:
            await self._turn()

    async def ask(self, query: bytes) -> tuple[bytes, bytes]:
        """Send a query; (what went to the server, what the server answered)."""
        for record in (self.said, self.heard, self.sent):
            record.clear()
        self.machine.client_data(query)
        while READY not in self.said:
            await self._turn()
        return bytes(self.sent), bytes(self.heard)

    async def _turn(self) -> None:
        """Everything the machine wants done, then what the backend says next."""
        await self._settle()
        if self.reader is None or (self.ready and READY in self.said):
            return
        data = await asyncio.wait_for(self.reader.read(65536), 10)
        assert data, "the backend closed the connection"
        self.heard += data
        self.machine.backend_data(data)
        await self._settle()

    async def _settle(self) -> None:
        outbox = self.machine.outbox
        while outbox.backend or outbox.client or outbox.effects:
            sent = b"".join(outbox.backend)
            self.sent += sent
            self.said += b"".join(outbox.client)
            effects = list(outbox.effects)
            outbox.backend.clear()
            outbox.client.clear()
            outbox.effects.clear()
            if sent and self.writer is not None:
                self.writer.write(sent)
            for effect in effects:
                await self._do(effect)
        await asyncio.sleep(0)

    async def _do(self, effect: object) -> None:
        match effect:
            case Prove():
                identity = Identity("bench", "local", Proof.OIDC, groups=("agents",))
                self.machine.receive(Proven(identity))
            case Borrow():
                lent = CredentialLent(self.server.superuser, Secret(self.server.password))
                self.machine.receive(lent)
            case Dial(target=target):
                self.reader, self.writer = await asyncio.open_connection(target.host, target.port)
                self.machine.receive(BackendOpened())
            case Wait(number=number, awaitable=awaitable):
                self.machine.receive(Settled(number, await awaitable))
            case Ready():
                self.ready = True
            case Close(reason=reason, detail=detail):
                raise RuntimeError(f"the conversation ended: {reason} {detail} {bytes(self.said)!r}")


def measure(queries: int = QUERIES, repetitions: int = REPETITIONS) -> list[Measure]:
    """Microseconds and calls for one known statement in each protocol."""
    return asyncio.run(_measure(queries, repetitions))


async def _measure(queries: int, repetitions: int) -> list[Measure]:
    figures: list[Measure] = []
    with postgres.running(16) as server, tempfile.TemporaryDirectory() as folder:
        database = server.create_database(sql=TABLE)
        for kind, (prepares, texts) in _kinds(queries * (repetitions + 3)).items():
            sink = AuditSinks(
                [FileOutput(Path(folder) / f"{kind}.jsonl")], writer="bench", max_queued_events=10**6
            )
            machine = _machine(server, database, sink)
            driver = Driver(machine, server)
            await driver.log_in(database)
            if prepares:
                await driver.ask(prepares)
            for text in itertools.islice(texts, 5):
                sent, heard = await driver.ask(text)
            assert sent, "the query did not reach the server"
            assert heard.endswith(READY + b"I"), heard
            figures += await _timed(kind, _Turn(machine, texts, heard), sink, queries, repetitions)
            if kind == "simple":
                figures.append(_audit(machine, queries, repetitions))
            await sink.flush()
            await sink.close()
            assert driver.writer is not None
            driver.writer.close()
    return figures


def _kinds(count: int) -> dict[str, tuple[bytes, Iterator[bytes]]]:
    """Protocol -> what is prepared first, and the statements."""
    text = QUERY.format("$1").encode()
    describe, execute = Describe("P", "").encode(), Execute("").encode()

    def batch(number: int, statement: str = "") -> bytes:
        bound = Bind("", statement, (), (str(number).encode(),)).encode()
        return bound + describe + execute + SYNC_MESSAGE

    numbers = range(1, count)
    return {
        "simple": (b"", map(_query, numbers)),
        "extended": (b"", (Parse("", text).encode() + batch(number) for number in numbers)),
        "prepared": (Parse("s", text).encode() + SYNC_MESSAGE, (batch(number, "s") for number in numbers)),
    }


async def _timed(kind: str, turn: _Turn, sink: AuditSinks, queries: int, repetitions: int) -> list[Measure]:
    turn.run(200)
    times = []
    for _ in range(repetitions):
        await sink.flush()
        times.append(turn.timed(queries))
    calls = turn.calls(200)
    all_threads, own = zip(*times, strict=True)
    what = f"userland per known statement, {kind}"
    return [
        Measure(f"{what}: the loop's thread", statistics.median(own), "us", GOAL_MICROSECONDS),
        Measure(f"{what}: the loop's thread, least of {repetitions}", min(own), "us"),
        Measure(f"{what}: with the audit's thread", statistics.median(all_threads), "us"),
        Measure(f"{what}: function calls", calls, "calls"),
    ]


def _audit(machine: Machine, count: int, repetitions: int) -> Measure:
    """The two records of a statement, until the sink has accepted them."""
    assert isinstance(machine, PostgresMachine)
    assert isinstance(machine._judge, SessionJudge)
    tally = machine._judge.journal.tally
    decided = Form(EventKind.OPERATION_DECIDED, (("operation", PLACE), ("text", PLACE)))
    times = []
    for _ in range(repetitions):
        before = time.thread_time()
        for _ in range(count):
            begun = tally.begin(decided, (QUERY,), (), 0.0)
            tally.end(COMPLETED, begun, ("SELECT 1", 1, 11), 0.25)
        times.append((time.thread_time() - before) / count * 1e6)
    what = "audit per statement on the loop (two records)"
    return Measure(what, statistics.median(times), "us", AUDIT_GOAL_MICROSECONDS)


@dataclass
class _Turn:
    """Queries and answers without a server."""

    machine: Machine
    texts: Iterator[bytes]
    answer: bytes

    def run(self, count: int) -> None:
        machine, answer, outbox = self.machine, self.answer, self.machine.outbox
        for text in list(itertools.islice(self.texts, count)):
            machine.client_data(text)
            if not outbox.backend or outbox.effects:
                raise RuntimeError(f"the query was not simply forwarded: {outbox}")
            outbox.backend.clear()
            machine.backend_data(answer)
            if not outbox.client or outbox.backend:
                raise RuntimeError(f"the answer was not simply forwarded: {outbox}")
            outbox.client.clear()

    def timed(self, count: int) -> tuple[float, float]:
        """Microseconds per statement: (of all threads, of this thread)."""
        texts, self.texts = self.texts, iter(list(itertools.islice(self.texts, count)))
        process, thread = time.process_time(), time.thread_time()
        self.run(count)
        own = time.thread_time() - thread
        self.texts = texts
        return (time.process_time() - process) / count * 1e6, own / count * 1e6

    def calls(self, count: int) -> float:
        """Calls of functions, Python's and C's, per query: a figure without any noise."""
        counted = 0
        self.texts = iter(list(itertools.islice(self.texts, count)))

        def tell(_frame: object, event: str, _argument: object) -> None:
            nonlocal counted
            counted += event in ("call", "c_call")

        sys.setprofile(tell)
        try:
            self.run(count)
        finally:
            sys.setprofile(None)
        return counted / count


def _machine(server: Postgres, database: str, sink: AuditSinks) -> Machine:
    clock = _StoppedClock()
    in_force = InForce(LANGUAGES)
    assert in_force.offer(_bundle(server, database)), in_force.problem
    house = House(in_force, _NoApprovals(), sink, clock, LimitBook(), Counters(), "bench")
    served = Served(
        "default", "bench", Target(server.host, server.port, TlsMode.DISABLE), database, requires_tls=False
    )
    around = Surroundings(
        served=lambda: served,
        gate=Gate(house),
        dialect=sql_dialect(MaskKeys(b"n" * 32, b"c" * 32)),
        clock=clock,
        shelf=CatalogShelf(),
        cancels=CancelRegistry(),
        noise=os.urandom,
        session_id=lambda: "bench",
    )
    loop = asyncio.get_running_loop()
    made: list[Machine] = []
    tools = Tools(loop.create_future, lambda: loop.call_soon(made[0].receive, Woken()))
    made.append(PostgresFactory(around)("127.0.0.1", secure=False, can_secure=False, tools=tools))
    return made[0]


class _StoppedClock:
    """No time passes, so that the machine never looks whether the server's catalog has changed."""

    _moment = datetime.now(UTC)

    def now(self) -> datetime:
        return self._moment

    def monotonic(self) -> float:
        return 0.0


class _NoApprovals:
    """Nothing asks for any."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the benchmark's policy asks nobody, yet {name} was called")


def _bundle(server: Postgres, database: str) -> str:
    target = {"host": server.host, "port": server.port, "database": database, "tls": {"mode": "Disable"}}
    connection = {
        "postgres": target,
        "credentials": {"secretRef": {"name": "bench"}},
        "proxy": {"tls": {"mode": "Disable"}},
    }
    policy = {
        "connections": {"names": ["bench"]},
        "subjects": [{"group": "agents"}],
        "rules": [{"name": "read", "allow": {"sql": {"access": ["Select"], "tables": ["*"]}}}],
    }
    made = [parse_object(document) for document in _documents(connection, policy)]
    built = build_bundle(made[0], [made[1]], [], [], LANGUAGES)  # type: ignore[arg-type]
    assert built.bundle is not None, built.problems
    return built.bundle.to_json()


def _documents(connection: dict[str, Any], policy: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for kind, name, spec in (("Connection", "bench", connection), ("AccessPolicy", "read", policy)):
        metadata = {"name": name, "namespace": "default"}
        yield {"apiVersion": "tollhouse.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


def _query(number: int) -> bytes:
    body = QUERY.format(number).encode() + b"\0"
    return b"Q" + struct.pack("!i", len(body) + 4) + body

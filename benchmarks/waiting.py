"""What sessions that wait for people cost those that work: the same proxy with 0 and with 200 requests open.

A real proxy and its supervisor over a folder. 200 sessions stay open all the while; in every other phase each
of them has a DELETE that waits for a person, and then takes it back. Meanwhile `pgbench -S` works in other
sessions. The phases are interleaved, so that what else the machine does falls on both.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import cpu, peers
from benchmarks.light import Client, Failed
from benchmarks.measures import Measure
from benchmarks.peers import Peer
from benchmarks.transactions import Spent, run

from kit import postgres, wait
from kit.postgres import Postgres
from tollhouse_proxy.guard.asking import MOST_OPEN

WAITING = 200
IDENTITIES = -(-WAITING // MOST_OPEN)
CLIENTS = 8
ROUNDS = 5
SECONDS = 3
SETTLED_SECONDS = 1.0
"""So long after the last request was written, everybody has read it."""
GOAL = 1 / 0.95
"""0.95 of the rate, as time and CPU per statement."""

_ALLOWED = "access: [Select, Insert, Update, Delete]"
POLICY = (
    peers.POLICY.replace(_ALLOWED, "access: [Select]")
    + """\
  - name: deletes
    requireApproval:
      sql: {access: [Delete], tables: ["*"]}
      approvers: [{group: managers}]
      expiresAfter: 1h
"""
)


@dataclass(frozen=True, slots=True)
class Phase:
    """One look at the proxy: under load, and its CPU seconds a second with nobody working."""

    load: Spent
    idle: float


def measure(rounds: int = ROUNDS, seconds: int = SECONDS) -> list[Measure]:
    """Time and CPU per statement with 200 requests open over those with none."""
    phases: dict[bool, list[Phase]] = {False: [], True: []}
    with postgres.running(16) as server:
        database = server.create_database()
        way = peers.direct(server, database)
        command = [str(server.pgbench_program), "-i", "-q", "-s", "5"]
        subprocess.run(command, env=way.environment(), check=True, capture_output=True)
        with peers.proxy(server, database, POLICY) as proxy, asyncio.Runner() as runner:
            crowd = runner.run(_crowd(proxy))
            for number in range(rounds):
                for waiting in (False, True) if number % 2 else (True, False):
                    with _asking(runner, crowd, proxy, waiting):
                        phases[waiting].append(_phase(server, proxy, seconds))
            runner.run(_closed(crowd))
    return _figures(phases)


async def _crowd(proxy: Peer) -> list[Client]:
    """The sessions that will wait, no identity with more than may ask at once."""
    assert proxy.folder is not None
    tokens = [peers.token(proxy.folder, f"asker-{number}") for number in range(IDENTITIES)]
    return [
        await Client.connect("127.0.0.1", proxy.port, "agent", tokens[number % IDENTITIES], proxy.database)
        for number in range(WAITING)
    ]


async def _closed(crowd: list[Client]) -> None:
    for client in crowd:
        await client.close()


@contextmanager
def _asking(runner: asyncio.Runner, crowd: list[Client], proxy: Peer, waiting: bool) -> Iterator[None]:
    """Within the block every session of the crowd waits, or none."""
    if not waiting:
        yield
        return
    assert proxy.folder is not None
    requests = proxy.folder / "state" / "approvals" / "default"
    asked = runner.run(_ask(crowd, requests))
    wait.until(lambda: all(_tallied(path) for path in requests.glob("*.yaml")), within=120, every=0.5)
    time.sleep(SETTLED_SECONDS)
    yield
    runner.run(_take_back(crowd, asked))
    wait.until(lambda: all(_withdrawn(path) for path in requests.glob("*.yaml")), within=120, every=0.2)
    for path in requests.glob("*.yaml"):
        path.unlink()


async def _ask(crowd: list[Client], requests: Path) -> list[asyncio.Task[object]]:
    asked: list[asyncio.Task[object]] = [
        asyncio.create_task(client.query(f"DELETE FROM pgbench_history WHERE tid = {number}"))
        for number, client in enumerate(crowd)
    ]

    async def all_wait() -> bool:
        ended = [task for task in asked if task.done()]
        if ended:
            raise wait.Hopeless(f"{len(ended)} do not wait: {ended[0].exception()}")
        return len(list(requests.glob("*.yaml"))) == len(crowd)

    await wait.until_async(all_wait, within=60, what="all are asked about", every=0.2)
    return asked


async def _take_back(crowd: list[Client], asked: list[asyncio.Task[object]]) -> None:
    for client in crowd:
        await client.cancel()
    for task in asked:
        try:
            await task
        except Failed as error:
            if error.code == "57014":
                continue
            raise
        raise RuntimeError("a DELETE ran that nobody had approved")


def _tallied(path: Path) -> bool:
    """Whether the supervisor has looked at it: a change that the proxy reads once."""
    return "votes: 0/1" in path.read_text()


def _withdrawn(path: Path) -> bool:
    """Whether nobody writes it any more."""
    return "phase: Withdrawn" in path.read_text()


def _phase(server: Postgres, proxy: Peer, seconds: int) -> Phase:
    assert proxy.pid is not None
    before, began = cpu.seconds(proxy.pid), time.monotonic()
    time.sleep(1)
    idle = (cpu.seconds(proxy.pid) - before) / (time.monotonic() - began)
    return Phase(run(server, proxy, "simple", CLIENTS, seconds), idle)


def _figures(phases: dict[bool, list[Phase]]) -> list[Measure]:
    pairs = list(zip(phases[True], phases[False], strict=True))
    slower = statistics.median(none.load.rate / some.load.rate for some, none in pairs)
    dearer = statistics.median(some.load.cpu / none.load.cpu for some, none in pairs)
    beside = f"{WAITING} waiting / none"
    return [
        Measure(f"time per statement, {CLIENTS} clients: {beside}", slower, "ratio", GOAL),
        Measure(f"CPU per statement, {CLIENTS} clients: {beside}", dearer, "ratio", GOAL),
        *(
            Measure(
                f"CPU of the proxy, nobody working: {WAITING if waiting else 'none'} waiting",
                statistics.median(one.idle for one in phases[waiting]) * 1000,
                "ms/s",
            )
            for waiting in (True, False)
        ),
    ]

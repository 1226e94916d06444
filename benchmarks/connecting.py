"""Connect, ask once, leave: directly and through each way, in turn; and what an idle client costs."""

from __future__ import annotations

import asyncio
import re
import ssl
import statistics
import time
from contextlib import ExitStack
from pathlib import Path

import uvloop
from benchmarks import peers
from benchmarks.light import Client
from benchmarks.measures import Measure
from benchmarks.peers import Peer

from kit import postgres

ROUNDS = 40
PAUSE_SECONDS = 0.03
"""Between two clients: what is made ahead is made meanwhile."""

IDLE = 300
PLAIN_GOAL_KIB, TLS_GOAL_KIB = 10.0, 64.0
SERVER = "database: DATABASE, tls: {mode: Disable}"


def measure(rounds: int = ROUNDS, idle: int = IDLE) -> list[Measure]:
    """Milliseconds from connect to the first answer, and KiB for each idle client."""
    with ExitStack() as held:
        server = held.enter_context(
            postgres.running(16, settings=f"max_connections = {2 * idle + 200}\nshared_buffers = 16MB\n")
        )
        database = server.create_database(sql="CREATE TABLE one AS SELECT 1 AS number")
        warm = peers.POLICY.replace(SERVER, f"{SERVER}, warm: {{sessions: 8}}")
        secure = peers.POLICY.replace("ENTRANCE, tls: {mode: Disable}", "ENTRANCE, tls: {mode: Allow}")
        bouncer = held.enter_context(peers.pgbouncer(server, database))
        ways = {
            "direct": peers.direct(server, database),
            "proxy, made then": held.enter_context(peers.proxy(server, database, secure)),
            "proxy, made ahead": held.enter_context(peers.proxy(server, database, warm)),
            **({"pgbouncer": bouncer} if bouncer else {}),
        }
        found = uvloop.run(_connects(ways, rounds))
        direct = statistics.median(found["direct"])
        figures = [
            Measure(f"connect and first answer: {name}", statistics.median(times), "ms")
            for name, times in found.items()
        ]
        ahead = statistics.median(found["proxy, made ahead"])
        figures.append(Measure("connect and first answer: made ahead / direct", ahead / direct, "ratio", 0.2))
        figures += uvloop.run(_idle(ways["proxy, made then"], idle))
    return figures


async def _connects(ways: dict[str, Peer], rounds: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 3):
        for name, way in ways.items():
            began = time.perf_counter()
            client = await Client.connect("127.0.0.1", way.port, way.user, way.password, way.database)
            await client.query("SELECT number FROM one")
            spent = time.perf_counter() - began
            await client.close()
            if turn >= 3:
                found[name].append(spent * 1000)
            await asyncio.sleep(PAUSE_SECONDS)
    return found


async def _idle(way: Peer, count: int) -> list[Measure]:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    figures = []
    for name, secured, goal in (("plain", None, PLAIN_GOAL_KIB), ("TLS", context, TLS_GOAL_KIB)):
        clients = [await _one(way, secured) for _ in range(20)]
        before = _resident_kib(way.pid)
        clients += [await _one(way, secured) for _ in range(count)]
        grown = (_resident_kib(way.pid) - before) / count
        figures.append(Measure(f"memory per idle client, {name}, of {count}", grown, "KiB", goal))
        for client in clients:
            await client.close()
    return figures


async def _one(way: Peer, context: ssl.SSLContext | None) -> Client:
    return await Client.connect("127.0.0.1", way.port, way.user, way.password, way.database, context=context)


def _resident_kib(pid: int | None) -> int:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) if found else 0

"""CPU time per transaction of each way to the database, interleaved: ratios hold where rates do not."""

from __future__ import annotations

import re
import statistics
import subprocess
from contextlib import ExitStack

from benchmarks import cpu, peers
from benchmarks.measures import Measure
from benchmarks.peers import Peer

from kit import postgres
from kit.postgres import Postgres

MODES = ("simple", "extended", "prepared")
CLIENTS = 8
ROUNDS = 3
SECONDS = 2
# CPU per transaction of the proxy over that of pgbouncer and of the relay (PERFORMANCE goals 2 and 3).
GOALS = {"pgbouncer": 1.25, "relay": 1.25}


def measure(rounds: int = ROUNDS, seconds: int = SECONDS) -> list[Measure]:
    """pgbench -S in three protocol modes through every peer in turn, `rounds` times."""
    with ExitStack() as held:
        server = held.enter_context(postgres.running(16))
        database = server.create_database()
        ways = _ways(held, server, database)
        subprocess.run(
            [str(server.pgbench_program), "-i", "-q", "-s", "5"],
            env=ways[0].environment(),
            check=True,
            capture_output=True,
        )
        found: dict[tuple[str, str], list[tuple[float, float]]] = {}
        for _ in range(rounds):
            for mode in MODES:
                for way in ways:
                    found.setdefault((mode, way.name), []).append(_run(server, way, mode, seconds))
    return list(_figures(found, [way.name for way in ways]))


def _ways(held: ExitStack, server: Postgres, database: str) -> list[Peer]:
    bouncer = held.enter_context(peers.pgbouncer(server, database))
    ways = [peers.direct(server, database), held.enter_context(peers.relay(server, database))]
    ways += [bouncer] if bouncer else []
    return [*ways, held.enter_context(peers.proxy(server, database))]


def _run(server: Postgres, way: Peer, mode: str, seconds: int) -> tuple[float, float]:
    """(microseconds of CPU per transaction, transactions per second)."""
    before = cpu.seconds(way.pid) if way.pid else 0.0
    command = [str(server.pgbench_program), "-n", "-S", "-M", mode, "-c", str(CLIENTS), "-T", str(seconds)]
    done = subprocess.run(command, env=way.environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"pgbench through {way.name} ({mode}) failed: {done.stderr.strip()[-500:]}")
    spent = cpu.seconds(way.pid) - before if way.pid else 0.0
    count = re.search(r"actually processed: (\d+)", done.stdout)
    rate = re.search(r"tps = ([\d.]+)", done.stdout)
    assert count is not None
    assert rate is not None
    return spent / int(count[1]) * 1e6, float(rate[1])


def _figures(found: dict[tuple[str, str], list[tuple[float, float]]], names: list[str]) -> list[Measure]:
    figures = []
    for mode in MODES:
        middle = {
            name: [statistics.median(column) for column in zip(*found[mode, name], strict=True)]
            for name in names
        }
        hops = [name for name in names if name != "direct"]
        figures += [Measure(f"CPU per transaction, {mode}: {name}", middle[name][0], "us") for name in hops]
        for peer, goal in GOALS.items():
            if peer in middle:
                ratio = middle["proxy"][0] / middle[peer][0]
                figures.append(
                    Measure(f"CPU per transaction, {mode}: proxy / {peer}", ratio, "ratio", goal, peer)
                )
        rate = middle["direct"][1]
        figures += [Measure(f"rate, {mode}: {name}", middle[name][1] / rate, "of direct") for name in hops]
    return figures

"""CPU time per transaction of each way to the database, interleaved: ratios hold where rates do not.

`pgbench -S`: a SELECT by primary key, in simple protocol with a new literal each time, in extended protocol
with a parse each time, and prepared. CPU time is that of all threads of the hop's process, counted from the
second second on (log-ins are measured elsewhere).
"""

from __future__ import annotations

import re
import statistics
import subprocess
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import cpu, peers
from benchmarks.measures import Measure
from benchmarks.peers import Peer

from kit import postgres
from kit.postgres import Postgres

RUNS = (("simple", 8), ("simple", 32), ("extended", 8), ("prepared", 8))
"""(protocol mode, clients)."""
ROUNDS = 3
SECONDS = 3
WARM_SECONDS = 1
# CPU per transaction of the proxy over that of pgbouncer and of the relay (0.8 of pgbouncer's rate per core,
# 1.25 relays), of ad hoc statements over prepared ones, and microseconds of latency beyond the relay's.
GOALS = {"pgbouncer": 1.25, "relay": 1.25}
AD_HOC_GOAL = 1.1
LATENCY_GOAL = 15.0


@dataclass(frozen=True, slots=True)
class Spent:
    """Microseconds of CPU per transaction, transactions per second."""

    cpu: float
    rate: float


Found = dict[tuple[str, int, str], list[Spent]]


def measure(rounds: int = ROUNDS, seconds: int = SECONDS) -> list[Measure]:
    """pgbench -S in three protocol modes through every peer in turn, `rounds` times."""
    found: Found = {}
    delays: dict[str, list[float]] = {}
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
        for _ in range(rounds):
            for mode, clients in RUNS:
                for way in ways:
                    spent = run(server, way, mode, clients, seconds)
                    found.setdefault((mode, clients, way.name), []).append(spent)
            for way in ways:
                delays.setdefault(way.name, []).append(_latency(server, way))
    names = [way.name for way in ways]
    return [*_costs(found, names), *_latencies(delays), *_rates(found, names)]


def _ways(held: ExitStack, server: Postgres, database: str) -> list[Peer]:
    bouncer = held.enter_context(peers.pgbouncer(server, database))
    ways = [peers.direct(server, database), held.enter_context(peers.relay(server, database))]
    ways += [bouncer] if bouncer else []
    return [*ways, held.enter_context(peers.proxy(server, database))]


def run(server: Postgres, way: Peer, mode: str, clients: int, seconds: int) -> Spent:
    """`pgbench -S` through one way. The first second is warming up and left out of the CPU time."""
    command = [str(server.pgbench_program), "-n", "-S", "-M", mode, "-c", str(clients)]
    command += ["-T", str(WARM_SECONDS + seconds), "-P", str(WARM_SECONDS)]
    with subprocess.Popen(
        command, env=way.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr is not None
        warm, said = None, []
        for line in running.stderr:
            warm = re.match(r"progress: ([\d.]+) s, ([\d.]+) tps", line)
            said.append(line)
            if warm is not None:
                break
        before = cpu.seconds(way.pid) if way.pid else 0.0
        output, rest = running.communicate()
        spent = cpu.seconds(way.pid) - before if way.pid else 0.0
    if running.returncode or warm is None:
        words = "".join([*said, rest]).strip()[-500:]
        raise RuntimeError(f"pgbench through {way.name} ({mode}) failed: {words}")
    count = re.search(r"actually processed: (\d+)", output)
    assert count is not None
    later = int(count[1]) - float(warm[1]) * float(warm[2])
    return Spent(spent / max(later, 1) * 1e6, int(count[1]) / (WARM_SECONDS + seconds))


def _latency(server: Postgres, way: Peer) -> float:
    """The median transaction of one client that is alone, in microseconds."""
    with tempfile.TemporaryDirectory() as folder:
        command = [str(server.pgbench_program), "-n", "-S", "-c", "1", "-T", str(WARM_SECONDS + 1), "-l"]
        command += ["--log-prefix", str(Path(folder) / "log")]
        subprocess.run(command, env=way.environment(), check=True, capture_output=True)
        lines = "".join(one.read_text() for one in Path(folder).iterdir()).splitlines()
    return statistics.median(int(line.split()[2]) for line in lines)


def _costs(found: Found, names: list[str]) -> list[Measure]:
    figures = []
    for mode, clients in RUNS:
        middle = {name: statistics.median(one.cpu for one in found[mode, clients, name]) for name in names}
        what = f"CPU per transaction, {mode}, {clients} clients"
        figures += [Measure(f"{what}: {name}", middle[name], "us") for name in names if name != "direct"]
        for peer, goal in GOALS.items():
            if peer in middle:
                ratio = middle["proxy"] / middle[peer]
                figures.append(Measure(f"{what}: proxy / {peer}", ratio, "ratio", goal, peer))
    ad_hoc, prepared = (
        statistics.median(one.cpu for one in found[mode, 8, "proxy"]) for mode in ("simple", "prepared")
    )
    figures.append(
        Measure("CPU per transaction: ad hoc literals / prepared", ad_hoc / prepared, "ratio", AD_HOC_GOAL)
    )
    return figures


def _latencies(delays: dict[str, list[float]]) -> list[Measure]:
    middle = {name: statistics.median(each) for name, each in delays.items()}
    figures = [Measure(f"p50 of one client: {name}", value, "us") for name, value in middle.items()]
    beyond = middle["proxy"] - middle["relay"]
    return [*figures, Measure("p50 of one client: proxy beyond relay", beyond, "us", LATENCY_GOAL, "relay")]


def _rates(found: Found, names: list[str]) -> list[Measure]:
    figures = []
    for mode, clients in RUNS:
        middle = {name: statistics.median(one.rate for one in found[mode, clients, name]) for name in names}
        figures += [
            Measure(
                f"rate, {mode}, {clients} clients: {name}",
                middle[name] / max(middle["direct"], 0.1),
                "of direct",
            )
            for name in names
            if name != "direct"
        ]
    return figures

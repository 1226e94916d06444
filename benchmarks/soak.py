"""`python -m benchmarks.soak`: mixed load by many sessions for minutes on end (make soak).

Every answer is checked (masked where it must be, filtered, refused in the right words), statements are
counted and compared with the audit, whose chain is verified; the proxy's memory is written down each half
minute and must be flat once it is warm. A policy changes each second. Ends with 1 when anything of that does
not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import uvloop
from benchmarks import cpu, peers
from benchmarks.light import Client, Failed
from benchmarks.peers import Peer

from kit import postgres

SAMPLE_SECONDS = 30.0
GROWTH_KIB = 16 * 1024
"""How much more than at the end of the warm-up the proxy may hold at the end: what caches and the
interpreter's own pools move by."""

TABLES = """
CREATE TABLE customers (id int PRIMARY KEY, name text, email text, notes text);
INSERT INTO customers SELECT n, 'name ' || n, 'mail' || n || '@shop.example',
  'card 4111 1111 1111 1111 of ' || n FROM generate_series(1, 500) n;
CREATE TABLE orders (id int PRIMARY KEY, tenant int NOT NULL, amount int);
INSERT INTO orders SELECT n, 7 + n % 3, n FROM generate_series(1, 600) n;
CREATE TABLE scratch (id int, word text);
"""
EXTRA = """\
  - name: nobody-sees-mail
    mask: {columns: [customers.email], with: {redact: {}}}
  - name: no-cards
    mask: {content: [PaymentCard], with: {redact: {}}}
  - name: own-tenant
    filter: {tables: [orders], where: "tenant = 7"}
  - name: sleep
    allow: {sql: {functions: [pg_catalog.pg_sleep]}}
  - name: never
    deny: {sql: {commands: ["DROP *"]}, message: "Not by an agent."}
  - name: moving
    when: '"turn_0" in identity.groups'
    deny: {sql: {commands: ["LISTEN"]}}
"""


@dataclass
class Tally:
    """What was done, and what went wrong."""

    done: Counter[str] = field(default_factory=Counter)
    statements: int = 0
    wrong: list[str] = field(default_factory=list)
    memory: list[tuple[float, int, int]] = field(default_factory=list)

    def note(self, name: str, statements: int = 1) -> None:
        self.done[name] += 1
        self.statements += statements


def expect(found: object, wanted: object, what: str) -> None:
    if found != wanted:
        raise AssertionError(f"{what}: {str(found)[:200]} instead of {str(wanted)[:200]}")


# ---------------------------------------------------------------- what a session does


async def simple(client: Client, tally: Tally) -> None:
    number = random.randint(1, 500)
    answer = await client.query(f"SELECT id, name, email FROM customers WHERE id = {number}")
    expect(answer.rows, [(str(number), f"name {number}", "[redacted]")], "a masked row")
    tally.note("simple query, masked")


async def extended(client: Client, tally: Tally) -> None:
    number = random.randint(1, 500)
    answer = await client.ask("SELECT notes, email FROM customers WHERE id = $1", str(number))
    expect(answer.rows, [(f"card [redacted] of {number}", "[redacted]")], "content and column masks")
    tally.note("extended query, content masked")


async def filtered(client: Client, tally: Tally) -> None:
    answer = await client.query("SELECT min(tenant), max(tenant), count(*) FROM orders")
    expect(answer.rows, [("7", "7", "200")], "filtered rows")
    tally.note("filtered aggregate")


async def copied(client: Client, tally: Tally) -> None:
    answer = await client.query("COPY orders TO STDOUT")
    expect({row.split(b"\t")[1] for row in answer.copied}, {b"7"}, "a filtered COPY")
    expect(len(answer.copied), 200, "rows of a filtered COPY")
    tally.note("COPY TO")


async def copied_in(client: Client, tally: Tally) -> None:
    answer = await client.copy_in("COPY scratch FROM STDIN", [b"1\tone\n2\ttwo\n", b"3\tthree\n"])
    expect(answer.tags, ["COPY 3"], "COPY FROM")
    tally.note("COPY FROM")


async def transaction(client: Client, tally: Tally) -> None:
    for text, tag in (
        ("BEGIN", "BEGIN"),
        ("INSERT INTO scratch VALUES (4, 'four')", "INSERT 0 1"),
        ("ROLLBACK", "ROLLBACK"),
    ):
        expect((await client.query(text)).tags, [tag], text)
    tally.note("transaction", 3)


async def denied(client: Client, tally: Tally) -> None:
    try:
        await client.query("DROP TABLE customers")
    except Failed as failed:
        expect(failed.code, "42501", "a refusal")
    else:
        raise AssertionError("DROP TABLE was let through")
    tally.note("denied")


async def cancelled(client: Client, tally: Tally) -> None:
    stop = asyncio.ensure_future(_cancel_soon(client))
    try:
        await client.query("SELECT pg_sleep(30)")
    except Failed as failed:
        expect(failed.code, "57014", "a cancel")
    else:
        raise AssertionError("a cancel did nothing")
    finally:
        await stop
    tally.note("cancelled")


async def _cancel_soon(client: Client) -> None:
    await asyncio.sleep(0.2)
    await client.cancel()


WORK: list[tuple[int, Callable[[Client, Tally], Awaitable[None]]]] = [
    (40, simple),
    (25, extended),
    (10, filtered),
    (4, copied),
    (4, copied_in),
    (8, transaction),
    (6, denied),
    (1, cancelled),
]
RECONNECTS = 0.02


async def session(way: Peer, tally: Tally, until: float, pause: float) -> None:
    """One session after the other until the time is over."""
    choices, weights = [work for _, work in WORK], [weight for weight, _ in WORK]
    client: Client | None = None
    prepared = ""
    while time.monotonic() < until:
        try:
            await asyncio.sleep(random.uniform(0, 2 * pause))
            if client is None:
                client = await Client.connect("127.0.0.1", way.port, way.user, way.password, way.database)
                tally.note("connect", 0)
                prepared = "SELECT name FROM customers WHERE id = $1"
            if random.random() < 0.2:
                answer = await client.ask(prepared, "7", name="seven")
                prepared = ""
                expect(answer.rows, [("name 7",)], "a prepared statement")
                tally.note("prepared statement")
            else:
                await random.choices(choices, weights)[0](client, tally)
            if random.random() < RECONNECTS:
                await client.close()
                client = None
        except Exception as error:
            tally.wrong.append(f"{type(error).__name__}: {error}"[:300])
            if client is not None:
                with suppress(Exception):
                    await client.close()
            client = None
    if client is not None:
        await client.close()


# ---------------------------------------------------------------- around them


def resident_kib(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) if found else 0


async def watch(way: Peer, tally: Tally, began: float) -> None:
    assert way.pid is not None
    while True:
        await asyncio.sleep(SAMPLE_SECONDS - (time.monotonic() - began) % SAMPLE_SECONDS)
        seconds = time.monotonic() - began
        tally.memory.append((seconds, resident_kib(way.pid), tally.statements))
        print(
            f"{seconds:6.0f} s  {tally.memory[-1][1] / 1024:7.1f} MiB  {tally.statements:8d} statements"
            f"  {len(tally.wrong)} errors  CPU {cpu.seconds(way.pid):.0f} s",
            flush=True,
        )


async def change_policies(way: Peer) -> None:
    """Another bundle each second; what is allowed stays the same."""
    assert way.folder is not None
    file = way.folder / "bench.yaml"
    text = file.read_text()
    for turn in itertools.count():
        await asyncio.sleep(1)
        beside = file.with_suffix(".new")
        beside.write_text(text.replace("turn_0", f"turn_{turn}"))
        beside.replace(file)


async def load(way: Peer, sessions: int, minutes: float, rate: float) -> Tally:
    tally, began = Tally(), time.monotonic()
    until = began + minutes * 60
    helpers = [asyncio.ensure_future(watch(way, tally, began)), asyncio.ensure_future(change_policies(way))]
    users = []
    for _ in range(sessions):
        users.append(asyncio.ensure_future(session(way, tally, until, sessions / rate)))
        await asyncio.sleep(0.01)
    await asyncio.gather(*users)
    for helper in helpers:
        helper.cancel()
    await asyncio.gather(*helpers, return_exceptions=True)
    return tally


def audited(folder: Path) -> tuple[Counter[str], int]:
    """Events by kind, and operations decided."""
    kinds: Counter[str] = Counter()
    for file in (folder / "state" / "audit").glob("*.jsonl*"):
        with file.open("rb") as lines:
            for line in lines:
                kinds[json.loads(line)["kind"]] += 1
    return kinds, kinds["OperationDecided"]


def verify(folder: Path) -> tuple[int, str]:
    command = [sys.executable, "-m", "tollhouse_operator.cli", "audit", "verify", "--dir", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout + done.stderr).strip()[-300:]


def flat(memory: list[tuple[float, int, int]], minutes: float) -> tuple[bool, str]:
    """Whether memory stayed as it was once a fifth of the time was over (two samples at least)."""
    warm = [kib for seconds, kib, _ in memory if seconds >= minutes * 12]
    if len(warm) < 2:
        return True, "too short a run to tell"
    growth = warm[-1] - warm[0]
    return growth <= GROWTH_KIB, f"{warm[0] / 1024:.1f} MiB warm, {warm[-1] / 1024:.1f} MiB at the end"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=250, help="statements a second, all sessions together")
    given = parser.parse_args()
    with ExitStack() as held:
        settings = f"max_connections = {given.sessions + 50}\nshared_buffers = 16MB\nwork_mem = 1MB\n"
        server = held.enter_context(postgres.running(16, settings=settings))
        database = server.create_database(sql=TABLES)
        policy = peers.POLICY + EXTRA
        way = held.enter_context(peers.proxy(server, database, policy))
        assert way.folder is not None
        tally = uvloop.run(load(way, given.sessions, given.minutes, given.rate))
        time.sleep(2)  # the last sessions' ends are on their way to the audit
        kinds, decided = audited(way.folder)
        code, words = verify(way.folder)
    return _report(tally, kinds, decided, code, words, given.minutes)


def _report(tally: Tally, kinds: Counter[str], decided: int, code: int, words: str, minutes: float) -> int:
    is_flat, memory = flat(tally.memory, minutes)
    for name, count in sorted(tally.done.items()):
        print(f"{count:9d}  {name}")
    for error, count in Counter(tally.wrong).most_common(10):
        print(f"{count:9d}  WRONG {error}")
    outcome = {
        "no errors": (not tally.wrong, f"{len(tally.wrong)}"),
        "audited as sent": (decided == tally.statements, f"{decided} decided, {tally.statements} sent"),
        "sessions opened and closed": (
            kinds["SessionOpened"] == kinds["SessionClosed"] == tally.done["connect"],
            f"{kinds['SessionOpened']} opened, {kinds['SessionClosed']} closed, {tally.done['connect']} made",
        ),
        "audit verifies": (code == 0, words.splitlines()[-1] if words else ""),
        "memory flat": (is_flat, memory),
    }
    for name, (holds, told) in outcome.items():
        print(f"{'ok   ' if holds else 'FAILS'}  {name}: {told}")
    return 0 if all(holds for holds, _ in outcome.values()) else 1


if __name__ == "__main__":
    sys.exit(main())

"""What clients see while OpenBao is killed, sealed, slow, and while the proxy's token runs out.

Some sessions stay open and work all the time, others begin and end. Open ones must not fail at all; new ones
may be refused with 08006 and the reason, and in no other way. In the end no lease may be left.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import psycopg
from benchmarks.measures import Measure
from benchmarks.peers import Peer
from benchmarks.vault_world import LEASE_SECONDS, MOUNT, TOKEN_SECONDS, VaultWorld, vault_world

from kit import postgres, wait

OPEN, COMING = 4, 3
DOWN_SECONDS = 22.0
"""Longer than a new session waits for a credential (15 s), so that some are refused."""
FROZEN_SECONDS = 8.0
_WORK = "UPDATE accounts SET total = total + 1 WHERE id = 1 + (random() * 998)::int"
_UNAVAILABLE = "backend credential unavailable: Vault "


@dataclass
class Seen:
    """What clients saw in one phase."""

    transactions: int = 0
    broken: list[str] = field(default_factory=list)
    begun: int = 0
    refused: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    longest: float = 0.0


class Load:
    """Clients at work. `seen` is the phase they count for."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._stop = threading.Event()
        self.seen = Seen()
        self._threads = [threading.Thread(target=self._stay) for _ in range(OPEN)]
        self._threads += [threading.Thread(target=self._come_and_go) for _ in range(COMING)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _stay(self) -> None:
        with connect(self._peer) as session:
            while not self._stop.wait(0.02):
                try:
                    session.execute(_WORK)
                    self.seen.transactions += 1
                except psycopg.Error as error:
                    self.seen.broken.append(str(error))
                    return

    def _come_and_go(self) -> None:
        while not self._stop.wait(0.1):
            began = time.monotonic()
            try:
                with connect(self._peer) as session:
                    self.seen.begun += 1
                    session.execute(_WORK)
            except psycopg.Error as error:
                words = str(error)
                told = self.seen.refused if _UNAVAILABLE in words else self.seen.wrong
                told.append(words.partition(_UNAVAILABLE)[2].strip() or words)
            self.seen.longest = max(self.seen.longest, time.monotonic() - began)


def connect(peer: Peer) -> psycopg.Connection[Any]:
    return psycopg.connect(
        host="127.0.0.1", port=peer.port, user=peer.user, password=peer.password, dbname=peer.database,
        sslmode="disable", autocommit=True,
    )  # fmt: skip


def measure() -> Sequence[Measure]:
    with postgres.running() as server, vault_world(server) as world:
        found: list[Measure] = []
        engine = world.vault(database={"mount": MOUNT, "role": "kit"})
        with world.proxy(engine) as peer:
            with Load(peer) as load:
                for name, happening in _HAPPENINGS.items():
                    load.seen = Seen()
                    happening(world)
                    found += _told(name, load.seen)
            wait.until(lambda: not world.leases(), within=4 * LEASE_SECONDS, what="no lease is left")
            found.append(Measure("vault: leases left after the end plus TTL", world.leases(), "leases", 0))
            found += _killed_proxy(world, peer)
        return found


def _calm(world: VaultWorld) -> None:
    time.sleep(10)


def _killed(world: VaultWorld) -> None:
    world.durable.kill()
    time.sleep(DOWN_SECONDS)
    world.durable.start()
    world.durable.unseal()
    time.sleep(8)


def _sealed(world: VaultWorld) -> None:
    world.bao.seal()
    time.sleep(DOWN_SECONDS)
    world.durable.unseal()
    time.sleep(8)


def _restarted(world: VaultWorld) -> None:
    world.durable.kill()
    world.durable.start()
    world.durable.unseal()
    time.sleep(8)


def _slow(world: VaultWorld) -> None:
    world.durable.freeze()
    time.sleep(FROZEN_SECONDS)
    world.durable.thaw()
    time.sleep(8)


def _token(world: VaultWorld) -> None:
    time.sleep(TOKEN_SECONDS * 1.2)


_HAPPENINGS: dict[str, Callable[[VaultWorld], None]] = {
    "calm": _calm,
    "killed for 22 s": _killed,
    "sealed for 22 s": _sealed,
    "restarted": _restarted,
    "stopped for 8 s": _slow,
    "its token runs out": _token,
}


def _told(name: str, seen: Seen) -> list[Measure]:
    for words in sorted(set(seen.refused)):
        print(f"  {name}: {seen.refused.count(words)} new sessions read: Vault {words}")
    for words in sorted({*seen.broken, *seen.wrong}):
        print(f"  {name}: unexpected: {words}")
    return [
        Measure(f"vault {name}: transactions of open sessions", seen.transactions, "transactions"),
        Measure(f"vault {name}: open sessions that failed", len(seen.broken), "sessions", 0),
        Measure(f"vault {name}: sessions begun", seen.begun, "sessions"),
        Measure(f"vault {name}: sessions refused with 08006 and the reason", len(seen.refused), "sessions"),
        Measure(f"vault {name}: sessions refused otherwise", len(seen.wrong), "sessions", 0),
        Measure(f"vault {name}: longest wait of a new session", seen.longest, "s"),
    ]


def _killed_proxy(world: VaultWorld, peer: Peer) -> list[Measure]:
    """kill -9 of the proxy with ten sessions open; the supervisor starts another."""
    assert peer.pid is not None
    sessions = [connect(peer) for _ in range(10)]
    try:
        wait.until(lambda: world.leases() >= 10, within=30, what="ten leases")
        began = time.monotonic()
        os.kill(peer.pid, signal.SIGKILL)
        wait.until(lambda: not world.leases(), within=90, what="the dead proxy's leases are ended")
        took = time.monotonic() - began
    finally:
        for session in sessions:
            session.close()
    return [
        Measure("vault: leases of a killed proxy left", world.leases(), "leases", 0),
        Measure("vault: until they were ended", took, "s", LEASE_SECONDS / 2),
    ]

"""Rotation while pgbench works, a new session for each transaction: no transaction may fail.

A key/value secret and a Kubernetes Secret are rotated as one does it without a gap, by two users in turn:
the idle one gets another password, then the secret names it. A static role is rotated by OpenBao itself,
under the very user that sessions log in with.
"""

from __future__ import annotations

import re
import secrets
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.measures import Measure
from benchmarks.peers import Peer
from benchmarks.vault_world import VaultWorld, vault_world

from kit import postgres

SECONDS, EVERY, CLIENTS = 20, 1.0, 4
_SCRIPT = r"""
\set id random(1, 1000)
UPDATE accounts SET total = total + 1 WHERE id = :id;
"""
KV, STATIC = "kv-bench", "static-bench"


class TwoUsers:
    """Two logins that may do the same, one in use at a time."""

    def __init__(self, world: VaultWorld) -> None:
        self._world = world
        self._names = [self._made(world, name) for name in ("bench_blue", "bench_green")]
        self._at = 0

    @staticmethod
    def _made(world: VaultWorld, name: str) -> str:
        world.server.create_role(name)
        world.server.psql(f"GRANT SELECT, UPDATE ON accounts TO {name}", database=world.database)
        return name

    def next(self) -> dict[str, str]:
        """The other one, with a new password that the database knows already."""
        self._at = 1 - self._at
        password = secrets.token_hex(16)
        self._world.server.psql(f"ALTER ROLE {self._names[self._at]} PASSWORD '{password}'")
        return {"username": self._names[self._at], "password": password}


def measure() -> Sequence[Measure]:
    with postgres.running() as server, vault_world(server) as world:
        return [*_key_value(world), *_static(world), *_secret(world)]


def _key_value(world: VaultWorld) -> list[Measure]:
    users = TwoUsers(world)
    world.bao.key_value(users.next(), mount=KV)
    with world.proxy(world.vault(kv={"mount": KV, "path": "backend"})) as peer:
        return _under_load(
            "a key/value version", peer, lambda: world.bao.write(f"{KV}/data/backend", data=users.next())
        )


def _static(world: VaultWorld) -> list[Measure]:
    name = "bench_static"
    world.server.create_role(name)
    world.server.psql(f"GRANT SELECT, UPDATE ON accounts TO {name}", database=world.database)
    made, _ = world.bao.static_role(world.server, world.database, name, mount=STATIC)
    with world.proxy(world.vault(database={"mount": made, "staticRole": "kit"})) as peer:
        return _under_load("a static role", peer, lambda: world.bao.rotate(made))


def _secret(world: VaultWorld) -> list[Measure]:
    users = TwoUsers(world)
    with world.proxy({"secretRef": {"name": "login"}}, _as_yaml(users.next())) as peer:
        assert peer.folder is not None
        file = peer.folder / "login.yaml"

        def edit() -> None:
            draft = file.with_suffix(".new")
            draft.write_text(_as_yaml(users.next()))
            draft.rename(file)

        return _under_load("an edited Secret", peer, edit)


def _as_yaml(words: dict[str, str]) -> str:
    head = "apiVersion: v1\nkind: Secret\nmetadata: {name: login, namespace: default}\n"
    return f"{head}stringData: {words}\n"


def _under_load(what: str, peer: Peer, rotate: Callable[[], object]) -> list[Measure]:
    assert peer.folder is not None
    script = Path(peer.folder).with_name("rotation.sql")
    script.write_text(_SCRIPT)
    over = threading.Event()
    rotations: list[float] = []

    def on() -> None:
        while not over.wait(EVERY):
            rotate()
            rotations.append(time.monotonic())

    turning = threading.Thread(target=on)
    turning.start()
    try:
        command = [str(postgres.client("pgbench")), "-n", "-C", "-c", str(CLIENTS), "-T", str(SECONDS)]
        done = subprocess.run(
            [*command, "-f", str(script)], env=peer.environment(), capture_output=True, text=True, check=False
        )
    finally:
        over.set()
        turning.join()
        script.unlink()
    counted = re.search(r"transactions actually processed: (\d+)", done.stdout)
    failed = re.search(r"number of failed transactions: (\d+)", done.stdout)
    aborted = len(re.findall(r"error:", done.stderr))
    if aborted:
        print(done.stderr)
    return [
        Measure(f"rotation of {what}: times in {SECONDS} s", len(rotations), "rotations"),
        Measure(f"rotation of {what}: transactions", int(counted[1]) if counted else 0, "transactions"),
        Measure(
            f"rotation of {what}: failed", (int(failed[1]) if failed else 0) + aborted, "transactions", 0
        ),
    ]

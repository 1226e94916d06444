"""What a query can go through: nothing, a byte relay, pgbouncer, the proxy. All are real, on loopback."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import cpu

from kit import process, wait
from kit.cache import cache_root
from kit.ports import LOOPBACK, answers, free_port
from kit.postgres import Postgres

HERE = Path(__file__).parent

POLICY = """\
apiVersion: tollhouse.dev/v1alpha1
kind: IdentityProvider
metadata: {name: local}
spec:
  oidc: {issuer: "https://issuer.example"}
---
apiVersion: v1
kind: Secret
metadata: {name: bench, namespace: default}
stringData: {username: USER, password: PASSWORD}
---
apiVersion: tollhouse.dev/v1alpha1
kind: Connection
metadata: {name: bench, namespace: default}
spec:
  postgres: {host: 127.0.0.1, port: PORT, database: DATABASE, tls: {mode: Disable}}
  credentials: {secretRef: {name: bench}}
  identity: {providers: [local]}
  proxy: {port: ENTRANCE, tls: {mode: Disable}}
---
apiVersion: tollhouse.dev/v1alpha1
kind: AccessPolicy
metadata: {name: everything, namespace: default}
spec:
  connections: {names: [bench]}
  subjects: [{authenticated: {}}]
  rules:
  - name: read-and-write
    allow: {sql: {access: [Select, Insert, Update, Delete], tables: ["*"]}}
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """A way to the database. pid: whose CPU time is counted, None for the direct way. folder: where
    `tollhouse up` keeps its state, None for other ways."""

    name: str
    port: int
    user: str
    password: str
    database: str
    pid: int | None = None
    folder: Path | None = None

    def environment(self) -> dict[str, str]:
        """libpq's settings for a client."""
        return {
            **os.environ,
            "PGHOST": LOOPBACK,
            "PGPORT": str(self.port),
            "PGUSER": self.user,
            "PGPASSWORD": self.password,
            "PGDATABASE": self.database,
            "PGSSLMODE": "disable",
        }


def direct(server: Postgres, database: str) -> Peer:
    return Peer("direct", server.port, server.superuser, server.password, database)


@contextmanager
def relay(server: Postgres, database: str) -> Iterator[Peer]:
    """The byte relay beside this file."""
    program = cache_root() / "bench-relay"
    source = HERE / "relay.c"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        subprocess.run(["cc", "-O2", "-o", str(program), str(source)], check=True)
    port = free_port()
    with process.workshop("relay") as folder:
        running = process.start("relay", [program, str(port), str(server.port)], log=folder / "relay.log")
        try:
            wait.until(lambda: answers(port), what="the relay listens")
            yield Peer("relay", port, server.superuser, server.password, database, running.pid)
        finally:
            running.stop()


@contextmanager
def pgbouncer(server: Postgres, database: str) -> Iterator[Peer | None]:
    """pgbouncer with session pooling, which is what the proxy does; None where it is not installed."""
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        yield None
        return
    port, user = free_port(), process.server_user()
    with process.workshop("pgbouncer", uid=user) as folder:
        target = f"host={LOOPBACK} port={server.port} user={server.superuser} password={server.password}"
        settings = folder / "pgbouncer.ini"
        (folder / "users").write_text('"bench" "bench"\n')
        settings.write_text(
            f"[databases]\n{database} = {target}\n[pgbouncer]\nlisten_addr = {LOOPBACK}\n"
            f"listen_port = {port}\n"
            f"auth_type = plain\nauth_file = {folder / 'users'}\npool_mode = session\nmax_client_conn = 200\n"
            "default_pool_size = 64\nunix_socket_dir =\n"
        )
        running = process.start(
            "pgbouncer", [program, settings], log=folder / "pgbouncer.log", uid=user, cwd=folder
        )
        try:
            wait.until(lambda: running.check() or answers(port), what="pgbouncer listens")
            yield Peer("pgbouncer", port, "bench", "bench", database, running.pid)
        finally:
            running.stop()


@contextmanager
def proxy(
    server: Postgres, database: str, policy: str = POLICY, others: Mapping[str, str] | None = None
) -> Iterator[Peer]:
    """A real proxy process that `tollhouse up` starts, with a policy that allows everything; `others` are
    further files of its folder."""
    with process.workshop("bench") as folder:
        words = {
            "USER": server.superuser,
            "PASSWORD": server.password,
            "PORT": str(server.port),
            "DATABASE": database,
            "ENTRANCE": str(free_port()),
        }
        for word, value in words.items():
            policy = policy.replace(word, value)
        for name, text in {"bench.yaml": policy, **(others or {})}.items():
            (folder / name).write_text(text)
        command = [sys.executable, "-m", "tollhouse_operator.cli", "up", str(folder), "-o", "json"]
        running = process.start("tollhouse up", command, log=folder / "up.log")
        try:
            log = folder / "up.log"
            port = wait.until(lambda: running.check() or _port_of(log), within=60, what="the proxy's port")
            wait.until(lambda: answers(port), within=30, what="the proxy listens")
            pid = wait.until(lambda: _proxy_of(running.pid), what="the proxy's process")
            yield Peer("proxy", port, "agent", token(folder), database, pid, folder)
        finally:
            running.stop()


def token(folder: Path, user: str = "bench") -> str:
    """A token of the local issuer, good for an hour."""
    command = [sys.executable, "-m", "tollhouse_operator.cli", "token"]
    command += ["--dir", str(folder), "--user", user, "--ttl", "1h"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _port_of(log: Path) -> int | None:
    """From the JSON that `tollhouse up -o json` prints once its proxies are started."""
    found = re.search(r'"default/bench":\s*\{\s*"port":\s*(\d+)', log.read_text())
    return int(found[1]) if found else None


def _proxy_of(supervisor: int) -> int | None:
    for child in cpu.children(supervisor):
        if b"tollhouse_proxy" in Path(f"/proc/{child}/cmdline").read_bytes():
            return child
    return None

"""A proxy that `tollhouse up` starts before a server, with a policy that allows everything."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from kit import process, wait
from kit.ports import LOOPBACK, answers
from suites.server import Server
from suites.suite import Wants, Way

# The server trusts everybody, so whatever user a suite names is passed on. Wildcards do not reach the
# server's own schemas: what a suite touches there is spelled out.
OBJECTS = """\
apiVersion: tollhouse.dev/v1alpha1
kind: IdentityProvider
metadata: {name: local}
spec:
  oidc: {issuer: "https://issuer.example"}
---
apiVersion: tollhouse.dev/v1alpha1
kind: Connection
metadata: {name: suite, namespace: default}
spec:
  postgres:
    host: 127.0.0.1
    port: PORT
    database: postgres
    databases: [DATABASES]
    tls: {mode: Disable}
    roles: {"*": {credentials: {secretRef: {name: postgres}}}}
  credentials: {secretRef: {name: postgres}}
  identity: {providers: [local]}
  proxy: {tls: {mode: Disable}}
---
apiVersion: tollhouse.dev/v1alpha1
kind: AccessPolicy
metadata: {name: everything, namespace: default}
spec:
  connections: {names: [suite]}
  subjects: [{authenticated: {}}]
  rules:
  - name: tables
    allow:
      sql:
        access: [Select, Insert, Update, Delete, Truncate]
        tables: ["*", "pg_catalog.*", "information_schema.*", "pg_toast.*"]
  - name: commands
    allow: {sql: {commands: ["*"]}}
  - name: functions
    allow: {sql: {functions: ["*", "pg_catalog.*", "information_schema.*"]}}
  - name: roles
    allow: {sql: {roles: ["*"]}}
RULES---
apiVersion: v1
kind: Secret
metadata: {name: postgres, namespace: default}
stringData: {username: postgres, password: trusted}
"""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A running proxy: the way through it, and its process."""

    way: Way
    pid: int

    def memory(self) -> tuple[float, float]:
        """Resident memory now and at its peak, in MiB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = {key: int(kib) / 1024 for key, kib in re.findall(r"(VmRSS|VmHWM):\s+(\d+) kB", status)}
        return found["VmRSS"], found["VmHWM"]

    def seconds(self) -> float:
        """CPU seconds of the process so far."""
        total = 0
        for thread in Path(f"/proc/{self.pid}/task").iterdir():
            total += int((thread / "schedstat").read_text().split()[0])
        return total / 1e9


@contextmanager
def running(server: Server, wants: Wants, logs: Path) -> Iterator[Proxy]:
    """A new proxy before that server; its logs and the policies stay in `logs`."""
    with process.workshop("suite-proxy") as folder:
        (folder / "suite.yaml").write_text(_objects(server, wants))
        (logs / "suite.yaml").write_text(_objects(server, wants))
        command = [sys.executable, "-m", "tollhouse_operator.cli", "up", str(folder), "-o", "json"]
        log = folder / "up.log"
        up = process.start("tollhouse up", command, log=log)
        try:
            port = wait.until(lambda: _port_of(up, log), within=60, what="the proxy's port")
            wait.until(lambda: answers(port), within=30, what="the proxy listens")
            pid = wait.until(lambda: _proxy_of(up.pid), what="the proxy's process")
            direct = server.way
            way = replace(direct, name="proxied", host=LOOPBACK, port=port, password=_token(folder))
            yield Proxy(way, pid)
        finally:
            up.stop()
            for kept in (log, *(folder / "state/logs").glob("*")):
                (logs / kept.name).write_bytes(kept.read_bytes())


def _objects(server: Server, wants: Wants) -> str:
    served = ("template1", *wants.databases, *wants.served)
    text = OBJECTS.replace("PORT", str(server.port)).replace("DATABASES", ", ".join(served))
    return text.replace("RULES", wants.rules)


def _token(folder: Path) -> str:
    command = [sys.executable, "-m", "tollhouse_operator.cli", "token"]
    command += ["--dir", str(folder), "--user", "suite", "--ttl", "8h"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _port_of(up: process.Server, log: Path) -> int | None:
    up.check()
    found = re.search(r'"default/suite":\s*\{\s*"port":\s*(\d+)', log.read_text())
    return int(found[1]) if found else None


def _proxy_of(supervisor: int) -> int | None:
    for thread in Path(f"/proc/{supervisor}/task").iterdir():
        for child in (thread / "children").read_text().split():
            if b"tollhouse_proxy" in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
    return None

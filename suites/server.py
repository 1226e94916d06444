"""A PostgreSQL server that trusts everybody on loopback, thrown away after one run."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kit import process, wait
from kit.ports import LOOPBACK, free_port
from suites.suite import Wants, Way

SUPERUSER = "postgres"
SETTINGS = """\
listen_addresses = '127.0.0.1'
max_connections = 100
max_prepared_transactions = 10
wal_level = logical
fsync = off
log_line_prefix = '%m [%p] %u@%d %a '
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server and how it is reached directly."""

    port: int
    way: Way
    log: Path

    def psql(self, sql: str, database: str = "postgres") -> None:
        """Run statements as superuser. Raises CalledProcessError."""
        command = [str(self.way.programs / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql]
        subprocess.run(command, env=self.way.environment(database), check=True, capture_output=True)


@contextmanager
def running(wants: Wants, log: Path) -> Iterator[Server]:
    """A new server with what the suite wants; its log stays at `log`."""
    user = process.server_user()
    with process.workshop("suite-server", uid=user) as folder:
        data, port = folder / "data", free_port()
        _initialise(wants, data, folder, user)
        server = process.start(
            "PostgreSQL",
            [wants.programs / "postgres", "-D", data, "-p", str(port), "-k", folder],
            log=folder / "server.log",
            env=_environment(folder),
            uid=user,
            stop=signal.SIGINT,
            remove=[data],
        )
        way = Way("direct", LOOPBACK, port, SUPERUSER, "trusted", wants.programs, user, port)
        made = Server(port, way, folder / "server.log")
        try:
            wait.until(lambda: _ready(server, made), within=30, what="the server accepts sessions")
            for name in wants.users:
                made.psql(f'CREATE ROLE "{name}" SUPERUSER LOGIN')
            for name in wants.databases:
                made.psql(f'CREATE DATABASE "{name}"')
            yield made
        finally:
            server.stop()
            log.write_bytes((folder / "server.log").read_bytes())


def _initialise(wants: Wants, data: Path, folder: Path, user: int | None) -> None:
    command: list[str | Path] = [
        wants.programs / "initdb",
        "-D",
        data,
        "-U",
        SUPERUSER,
        "-A",
        "trust",
        "-E",
        "UTF8",
    ]
    command += ["--locale=C", "--no-sync"]
    subprocess.run(
        command,
        check=True,
        capture_output=True,
        cwd=folder,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
        env=_environment(folder),
    )
    with (data / "postgresql.conf").open("a") as conf:
        conf.write(SETTINGS + wants.settings)


def _ready(process_: process.Server, server: Server) -> bool:
    process_.check()
    command = [str(server.way.programs / "psql"), "-X", "-q", "-c", "SELECT 1"]
    return (
        subprocess.run(command, env=server.way.environment(), capture_output=True, check=False).returncode
        == 0
    )


def _environment(folder: Path) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "HOME": str(folder), "LC_ALL": "C", "TZ": "UTC"}

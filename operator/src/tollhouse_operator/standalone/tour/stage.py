"""Where the tour plays: a copy of the folder that is up, agents with tokens, people with a CLI."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from tollhouse_core.api.approval_request import ApprovalRequest
from tollhouse_core.api.connection import Connection
from tollhouse_core.secret import Secret
from tollhouse_dialects import LANGUAGES
from tollhouse_operator.standalone.embedded import installed_programs
from tollhouse_operator.standalone.issuer import LocalIssuer, Wanted
from tollhouse_operator.standalone.proxies import Proxy
from tollhouse_operator.standalone.requests import RequestFolder
from tollhouse_operator.standalone.supervisor import Supervisor

WAIT_SECONDS = 30.0
Line = Callable[[str], None]


class Differs(Exception):
    """Something came back that must not; `str()` says what was expected and what was found."""


@dataclass(frozen=True, slots=True)
class Command:
    """What a command line program answered."""

    status: int
    out: str
    errors: str

    @property
    def said(self) -> str:
        """All it printed."""
        return f"{self.out}{self.errors}".strip()


class Stage:
    """The folder of the tour and what can be done in it."""

    def __init__(self, supervisor: Supervisor, line: Line) -> None:
        self.folder = supervisor.folder
        self._supervisor = supervisor
        self._line = line
        self._issuer = LocalIssuer(self.folder.issuer)
        self.tokens: list[Secret] = []
        """All tokens that agents were given."""

    @property
    def proxy(self) -> Proxy:
        """The one proxy."""
        return next(iter(self._supervisor.proxies.values()))

    @property
    def connection(self) -> Connection:
        """Its Connection, with the target where the database really is."""
        return self._supervisor.compiled.connections[self.proxy.key]

    def say(self, who: str, text: str) -> None:
        """A line of the play; further lines of the text are put beneath."""
        first, *others = text.splitlines() or [""]
        self._line(f"   {who + ':':14}{first}")
        for other in others:
            self._line(f"{'':17}{other}")

    def expect(self, what: str, held: bool, found: object) -> None:
        """Raises Differs unless it held."""
        if not held:
            raise Differs(f"expected {what}; found {found}")

    def logs(self) -> str:
        """The end of the proxy's log, for when a step failed."""
        path = self.folder.log(*self.proxy.key)
        with suppress(OSError):
            return "\n".join(["", *path.read_text(errors="replace").splitlines()[-15:]])
        return str(path)

    def token(self, user: str, **claims: object) -> Secret:
        """A support agent's token."""
        provider = self._supervisor.compiled.providers[0]
        wanted = Wanted(
            audiences=["tollhouse"],
            lifetime=timedelta(minutes=15),
            user=user,
            groups=["support-agents"],
            claims=claims,
        )
        token = self._issuer.mint(provider, wanted, datetime.now(UTC))
        self.tokens.append(token)
        return token

    async def connect(self, token: Secret, **options: str) -> psycopg.AsyncConnection[tuple[object, ...]]:
        """An ordinary driver, verifying the proxy's certificate; the token is the password."""
        parameters = {
            "host": "localhost",
            "port": str(self.proxy.ports.client),
            "dbname": "shop",
            "user": "agent",
            "sslmode": "verify-full",
            "sslrootcert": str(self.folder.authority),
            "connect_timeout": "10",
        }
        return await psycopg.AsyncConnection.connect(
            **{**parameters, **options},  # type: ignore[arg-type]
            password=token.reveal(),
            autocommit=True,
        )

    async def psql(self, token: Secret, sql: str) -> Command:
        """The psql of the embedded PostgreSQL; it speaks no TLS, which this Connection allows."""
        programs = installed_programs()
        assert programs is not None
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.proxy.ports.client),
            "PGDATABASE": "shop",
            "PGUSER": "agent",
            "PGPASSWORD": token.reveal(),
            "PGCONNECT_TIMEOUT": "10",
        }
        return await _run([str(programs / "psql"), "-X", "-A", "-t", "-c", sql], environment)

    async def tollhouse(self, *arguments: str) -> Command:
        """The command line, as people use it."""
        environment = {**os.environ, "TOLLHOUSE_DIR": str(self.folder.root)}
        return await _run([sys.executable, "-m", "tollhouse_operator.cli", *arguments], environment)

    async def waiting_request(self) -> ApprovalRequest:
        """The request that waits for people, once there is one."""
        requests = RequestFolder(self.folder.approvals)
        end = asyncio.get_running_loop().time() + WAIT_SECONDS
        while asyncio.get_running_loop().time() < end:
            for request in requests.read_all():
                if request.status.phase.value == "Pending":
                    return request
            await asyncio.sleep(0.05)
        raise Differs(f"expected an ApprovalRequest within {WAIT_SECONDS:g} s; found none")

    def backend_password(self) -> Secret:
        """What the proxy logs in with; only the tour's own checks look at it."""
        reference = self.connection.spec.credentials.secret_ref
        assert reference is not None
        document = json.loads(self.folder.secret(self.proxy.key[0], reference.name).read_text())
        return Secret(document["stringData"][reference.password_key])


@asynccontextmanager
async def staged(root: Path, line: Line) -> AsyncIterator[Stage]:
    """A copy of the folder, up and ready; gone at the end."""
    with tempfile.TemporaryDirectory(prefix="tollhouse-tour-") as temporary:
        copy = Path(temporary) / root.name
        shutil.copytree(root, copy, ignore=shutil.ignore_patterns("state"))
        supervisor = Supervisor(copy, LANGUAGES, lambda text: line(f"   [{text}]"))
        stop = asyncio.Event()
        running: asyncio.Task[None] | None = None
        try:
            await supervisor.start()
            running = asyncio.create_task(supervisor.run(stop))
            yield Stage(supervisor, line)
        finally:
            stop.set()
            if running is not None:
                await running
            await supervisor.stop()


async def _run(command: Sequence[str], environment: dict[str, str]) -> Command:
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await process.communicate()
    return Command(process.returncode or 0, out.decode(errors="replace"), errors.decode(errors="replace"))

"""The PostgreSQL of the demo: from the wheel `pgserver`, on loopback, passwords by SCRAM.

Made anew at each start, in a folder of its own outside the tree, and gone at the end: what agents
did to the shop is gone with it. The server's superuser has a random password that is kept
nowhere; the Connection's role may read and write the tables and own nothing.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tollhouse_core.secret import Secret
from tollhouse_operator.standalone.children import Child, start_child
from tollhouse_operator.standalone.layout import replace_file

NOBODY = 65534
"""PostgreSQL refuses to run as root; there it runs as nobody."""
START_SECONDS = 30.0
_PRESENT = frozenset({"postgres", "template1"})
_PREFIX = "tollhouse-postgres-"
SETTINGS = """\
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 100
shared_buffers = 32MB
password_encryption = 'scram-sha-256'
fsync = off
"""
ACCESS = "host all all 127.0.0.1/32 scram-sha-256\n"


class EmbeddedFailed(Exception):
    """The database could not be started or filled; `str()` says why and what to do."""


@dataclass(frozen=True, slots=True)
class Login:
    """What the proxy logs in with."""

    username: str
    password: Secret


class EmbeddedPostgres:
    """One running server with one database, filled from a file of SQL."""

    def __init__(self, folder: Path, programs: Path, child: Child, port: int, password: Secret) -> None:
        self.port = port
        self._folder = folder
        self._programs = programs
        self._child = child
        self._password = password

    async def fill(self, database: str, sql: Path, role: str) -> Login:
        """Makes the database, runs the file in it, and makes the role. Raises EmbeddedFailed."""
        login = Login(role, Secret(secrets.token_urlsafe(24)))
        await self._psql("postgres", f"CREATE DATABASE {quoted(database)};")
        await self._psql(database, await asyncio.to_thread(sql.read_text), file=sql)
        await self._psql(database, _role(role, login.password))
        return login

    async def load(self, database: str, statements: str, role: str) -> tuple[Login, list[str]]:
        """Makes the database and the role and runs the statements, going on after those that fail; what the
        server said of these. Raises EmbeddedFailed."""
        login = Login(role, Secret(secrets.token_urlsafe(24)))
        if database not in _PRESENT:
            await self._psql("postgres", f"CREATE DATABASE {quoted(database)};")
        said = await self._psql(database, statements, go_on=True)
        await self._psql(database, _role(role, login.password))
        return login, [line.split("ERROR:", 1)[1].strip() for line in said.splitlines() if "ERROR:" in line]

    async def stop(self) -> None:
        """Ends the server and removes its folder."""
        await self._child.stop(seconds=5)
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def _psql(
        self, database: str, statements: str, file: Path | None = None, *, go_on: bool = False
    ) -> str:
        # The statements go in by standard input: process arguments are everybody's to read.
        environment = {
            **_environment(self._folder),
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.port),
            "PGUSER": "postgres",
            "PGDATABASE": database,
            "PGPASSWORD": self._password.reveal(),
        }
        process = await asyncio.create_subprocess_exec(
            self._programs / "psql",
            *("-X", "-q", "-v", f"ON_ERROR_STOP={0 if go_on else 1}", "-f", "-"),
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        errors = await _ended(process, statements.encode())
        if process.returncode:
            said = errors.decode(errors="replace").strip().replace("psql:<stdin>:", "line ")
            raise EmbeddedFailed(f"{file}: {said}" if file else f"the embedded database: {said}")
        return errors.decode(errors="replace")


def installed_programs() -> Path | None:
    """The folder with postgres, initdb and psql in the wheel; None where it is not installed."""
    found = importlib.util.find_spec("pgserver")
    if found is None or found.origin is None:
        return None
    programs = Path(found.origin).parent / "pginstall" / "bin"
    return programs if (programs / "postgres").exists() else None


async def start_postgres(log: Path, note: Path) -> EmbeddedPostgres:
    """A running, empty server. Raises EmbeddedFailed.

    `note` is a file that remembers where the server's folder is: a supervisor that was killed could
    not take it away, so the next one does.
    """
    programs = installed_programs()
    if programs is None:
        raise EmbeddedFailed("the embedded PostgreSQL is not installed: pip install 'tollhouse[demo]'")
    _clear_away(note)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    replace_file(note, str(folder).encode())
    try:
        return await _start(folder, programs, log)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _clear_away(note: Path) -> None:
    try:
        folder = Path(note.read_text())
    except (OSError, UnicodeDecodeError):
        return
    # The note could have been tampered with: only what looks like ours goes.
    if folder.parent == Path(tempfile.gettempdir()) and folder.name.startswith(_PREFIX):
        shutil.rmtree(folder, ignore_errors=True)


async def _start(folder: Path, installed: Path, log: Path) -> EmbeddedPostgres:
    user = NOBODY if os.geteuid() == 0 else None
    # Not in a thread: that would go on copying while an interrupted start clears the folder away.
    programs = _reachable(installed, folder, user)
    password, port = Secret(secrets.token_urlsafe(24)), free_port()
    await _initialise(folder, programs, password, user)
    child = await start_child(
        [str(programs / "postgres"), "-D", str(folder / "data"), "-p", str(port)],
        environment=_environment(folder),
        log=log,
        user=user,
        end=signal.SIGINT,  # "fast": sessions are ended, nothing is waited for
    )
    server = EmbeddedPostgres(folder, programs, child, port, password)
    end = asyncio.get_running_loop().time() + START_SECONDS
    while True:
        try:
            await server._psql("postgres", "SELECT 1;")
        except EmbeddedFailed:
            if not child.running or asyncio.get_running_loop().time() > end:
                await server.stop()
                raise EmbeddedFailed(f"the embedded PostgreSQL did not start; see {log}") from None
            await asyncio.sleep(0.05)
        else:
            return server


def _reachable(programs: Path, folder: Path, user: int | None) -> Path:
    """The programs where `user` may run them: a copy, when they lie in a folder closed to others."""
    if user is None:
        return programs
    os.chown(folder, user, user)
    if all(parent.stat().st_mode & 0o001 for parent in (programs, *programs.parents)):
        return programs
    tree = programs.parent
    copy = folder / "install" / tree.parent.name / tree.name
    shutil.copytree(tree, copy, symlinks=True)
    libraries = tree.parent.parent / f"{tree.parent.name}.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, folder / "install" / libraries.name)
    return copy / programs.name


async def _initialise(folder: Path, programs: Path, password: Secret, user: int | None) -> None:
    words, data = folder / "password", folder / "data"
    words.touch(mode=0o600)
    words.write_text(password.reveal())
    _own(words, user)
    process = await asyncio.create_subprocess_exec(
        programs / "initdb",
        *("-D", data, "-U", "postgres", "--pwfile", words, "-A", "scram-sha-256"),
        *("-E", "UTF8", "--locale=C", "--no-sync"),
        env=_environment(folder),
        cwd=folder,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    errors = await _ended(process)
    words.unlink()
    if process.returncode:
        raise EmbeddedFailed(f"the embedded PostgreSQL: {errors.decode(errors='replace').strip()}")
    for name, text in (("postgresql.conf", SETTINGS), ("pg_hba.conf", ACCESS)):
        (data / name).write_text(text)
        _own(data / name, user)


async def _ended(process: asyncio.subprocess.Process, words: bytes | None = None) -> bytes:
    """What it said on standard error once it has ended; it never goes on without us."""
    try:
        _, errors = await process.communicate(words)
    except asyncio.CancelledError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    return errors


def _own(path: Path, user: int | None) -> None:
    if user is not None:
        os.chown(path, user, user)


def _environment(folder: Path) -> Mapping[str, str]:
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(folder), "LC_ALL": "C", "TZ": "UTC"}


def _role(role: str, password: Secret) -> str:
    name, word = quoted(role), password.reveal().replace("'", "''")
    return (
        f"CREATE ROLE {name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD '{word}';\n"
        f"GRANT USAGE ON SCHEMA public TO {name};\n"
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {name};\n"
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {name};\n"
    )


def quoted(name: str) -> str:
    """A name as SQL quotes it."""
    return '"' + name.replace('"', '""') + '"'


def is_free(port: int) -> bool:
    """Whether nobody listens on that port of loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port(preferred: int = 0) -> int:
    """`preferred` if it is free on loopback, else the next free one above; 0: any."""
    for port in range(preferred, preferred + 200) if preferred else (0,):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise EmbeddedFailed(f"no port from {preferred} to {preferred + 199} is free on 127.0.0.1")

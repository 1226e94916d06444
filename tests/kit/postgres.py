"""PostgreSQL: real servers on loopback TCP and a unix socket, passwords by SCRAM.

Three releases: 16 (the wheel `pgserver`, without TLS), 15 (Debian's package, with TLS) and 18 (an archive
from Maven Central, with TLS). Each server has one superuser, `postgres`, with a random password.

Besides SCRAM for everybody, three user names are let in another way, so that every method a backend may ask
for can be tried: `kit_md5` (md5), `kit_cleartext` (password), `kit_trust` (trust). Create them with
`Postgres.create_role`.
"""

from __future__ import annotations

import os
import platform
import re
import secrets
import shutil
import signal
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from kit import process, wait
from kit.cache import MissingPart, filled
from kit.packages import find_program, installed_package, maven_jar
from kit.pki import Authority
from kit.ports import LOOPBACK, free_port

SUPERUSER = "postgres"
DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
ARCHIVE_18 = "io.zonky.test.postgres:embedded-postgres-binaries-linux-{machine}:18.1.0"
ARCHIVE_18_SHA256 = {"amd64": "65d0723e0274ad3ec6230dcbdfe034af6ee096fce15a77b0f9b8be71d2702934"}
MACHINES = {"x86_64": "amd64", "aarch64": "arm64v8"}

# Data is thrown away with the test: nothing waits for the disk.
SETTINGS = """\
listen_addresses = '127.0.0.1'
max_connections = 300
shared_buffers = 32MB
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum = off
password_encryption = 'scram-sha-256'
log_line_prefix = '%m [%p] %u@%d '
"""
ACCESS = """\
host all kit_md5 all md5
host all kit_cleartext all password
host all kit_trust all trust
host all all all scram-sha-256
local all all scram-sha-256
"""


@dataclass(frozen=True, slots=True)
class Postgres:
    """One running server.

    bin: folder of server programs; psql, pgbench: client programs (the wheel's when PATH has none).
    ca_file: what a client must trust for `verify-full` to `host` or `localhost`; None: the server has no TLS.
    """

    version: int
    port: int
    socket_dir: Path
    password: str
    bin: Path
    data: Path
    server: process.Server
    ca_file: Path | None = None
    host: str = LOOPBACK
    superuser: str = SUPERUSER

    @property
    def psql_program(self) -> Path:
        return client("psql")

    @property
    def pgbench_program(self) -> Path:
        return client("pgbench")

    def dsn(
        self,
        database: str = "postgres",
        *,
        user: str = SUPERUSER,
        password: str | None = None,
        **options: str | int,
    ) -> str:
        """A connection string (`postgresql://...`) over TCP, for any driver; options are libpq's."""
        secret = self.password if password is None else password
        given = "&".join(f"{key}={quote(str(value), safe='')}" for key, value in options.items())
        address = f"{quote(user, safe='')}:{quote(secret, safe='')}@{self.host}:{self.port}"
        return f"postgresql://{address}/{quote(database, safe='')}" + (f"?{given}" if given else "")

    def create_database(self, name: str | None = None, *, sql: str = "") -> str:
        """Create a database (a fresh name when none is given), run `sql` in it as superuser; its name."""
        database = name or f"kit_{secrets.token_hex(6)}"
        self.psql(f'CREATE DATABASE "{database}"')
        if sql:
            self.psql(sql, database=database)
        return database

    def create_role(
        self, name: str | None = None, *, password: str | None = None, options: str = ""
    ) -> tuple[str, str]:
        """Create a login role (fresh name and password by default); gives (name, password)."""
        role = name or f"kit_{secrets.token_hex(6)}"
        secret = password or secrets.token_hex(16)
        encryption = "md5" if role == "kit_md5" else "scram-sha-256"
        self.psql(
            f"SET password_encryption = '{encryption}';"
            f" DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}')"
            f' THEN CREATE ROLE "{role}"; END IF; END $$;'
            f" ALTER ROLE \"{role}\" LOGIN PASSWORD '{secret}' {options}"
        )
        return role, secret

    def psql(
        self,
        sql: str,
        *,
        database: str = "postgres",
        user: str = SUPERUSER,
        password: str | None = None,
        host: str | None = None,
        port: int | None = None,
        check: bool = True,
        arguments: Sequence[str] = (),
        environment: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run `sql` with psql (unaligned, tuples only, stops at the first error).

        host, port: another address, say of a proxy before this server. The statements go in on standard
        input, so psql sends them one by one. With `check` a failure raises AssertionError with psql's words.
        """
        command = [str(self.psql_program), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *arguments]
        settings = {
            **os.environ,
            "PGHOST": host or self.host,
            "PGPORT": str(port or self.port),
            "PGUSER": user,
            "PGDATABASE": database,
            "PGPASSWORD": self.password if password is None else password,
            "PGCONNECT_TIMEOUT": "10",
            **(environment or {}),
        }
        done = subprocess.run(
            command, env=settings, input=sql, capture_output=True, text=True, check=False, timeout=60
        )
        if check:
            assert done.returncode == 0, f"psql failed on {sql[:200]!r}: {done.stderr}"
        return done

    def value(self, sql: str, *, database: str = "postgres") -> str:
        """The one value that `sql` gives, as text, asked as superuser."""
        return self.psql(sql, database=database).stdout.strip()


def client(name: str) -> Path:
    """A client program: Debian's or another on PATH (they speak TLS), else the wheel's (no TLS)."""
    found = find_program(name, variable=f"TOLLHOUSE_{name.upper()}")
    if found:
        return found
    wheel = installed_package("pgserver")
    if wheel and (wheel / "pginstall" / "bin" / name).exists():
        return wheel / "pginstall" / "bin" / name
    raise MissingPart(
        name, "install a PostgreSQL client (Debian: apt-get install postgresql-client postgresql-contrib)"
    )


@contextmanager
def running(version: int = 16, *, settings: str = "", next_number: int = 0) -> Iterator[Postgres]:
    """A server of that major release; `settings` are further lines of postgresql.conf. `next_number`, a
    multiple of 2**20: its next transaction's number, as if it had had as many."""
    user = process.server_user()
    with process.workshop(f"postgres{version}", uid=user) as folder:
        programs = _reachable(programs_of(version), folder, user)
        data, password, port = folder / "data", secrets.token_hex(16), free_port()
        ca_file = _initialise(folder, data, programs, password, user, settings, tls=version != 16)
        if next_number:
            _age(folder, data, programs, user, next_number)
        server = process.start(
            f"PostgreSQL {version}",
            [programs / "postgres", "-D", data, "-p", str(port), "-k", folder],
            log=folder / "server.log",
            env=_environment(folder),
            uid=user,
            stop=signal.SIGINT,  # "fast" shutdown: sessions are ended, nothing is waited for
            remove=[folder],
        )
        try:
            made = Postgres(version, port, folder, password, programs, data, server, ca_file)
            wait.until(lambda: _accepts(made), within=30, what=f"PostgreSQL {version} accepts sessions")
            yield made
        finally:
            server.stop()


def available(version: int) -> bool:
    """Whether this release can be started without fetching anything."""
    return version == 16 or (version == 15 and DEBIAN_15.is_dir())


def programs_of(version: int) -> Path:
    """The folder of that release's server programs. Raises MissingPart."""
    told = os.environ.get(f"TOLLHOUSE_POSTGRES{version}")
    if told:
        return Path(told)
    if version == 15:
        if DEBIAN_15.is_dir():
            return DEBIAN_15
        raise MissingPart(
            "PostgreSQL 15", "apt-get install postgresql-15, or set TOLLHOUSE_POSTGRES15 to its bin folder"
        )
    if version == 18:
        return filled("postgres/18.1", _unpack_18) / "bin"
    wheel = installed_package("pgserver")
    if wheel is None:
        raise MissingPart(
            "PostgreSQL 16", "pip install pgserver, or set TOLLHOUSE_POSTGRES16 to its bin folder"
        )
    return wheel / "pginstall" / "bin"


def _unpack_18(folder: Path) -> None:
    machine = MACHINES.get(platform.machine())
    if machine is None:
        raise MissingPart(
            "PostgreSQL 18",
            f"no archive for {platform.machine()}; set TOLLHOUSE_POSTGRES18 to its bin folder",
        )
    jar = maven_jar(ARCHIVE_18.format(machine=machine), ARCHIVE_18_SHA256.get(machine), folder)
    with zipfile.ZipFile(jar) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".txz"))
        with archive.open(name) as packed, tarfile.open(fileobj=packed, mode="r:xz") as tree:
            tree.extractall(folder, filter="data")
    jar.unlink()


def _reachable(programs: Path, folder: Path, user: int | None) -> Path:
    """The programs where `user` may run them: a copy, when they lie under a closed folder (/root)."""
    if user is None or all(parent.stat().st_mode & 0o001 for parent in [programs, *programs.parents]):
        return programs
    tree = programs.parent
    copy = folder / "install" / tree.parent.name / tree.name
    shutil.copytree(tree, copy, symlinks=True)
    libraries = tree.parent.parent / f"{tree.parent.name}.libs"  # a wheel's own libraries, found by RPATH
    if libraries.is_dir():
        shutil.copytree(libraries, folder / "install" / libraries.name)
    return copy / programs.name


def _initialise(
    folder: Path, data: Path, programs: Path, password: str, user: int | None, settings: str, *, tls: bool
) -> Path | None:
    """initdb, then our configuration; gives the CA's file when the server speaks TLS."""
    words = folder / "password"
    words.write_text(password)
    _own(words, user)
    command: list[str | Path] = [
        programs / "initdb",
        "-D",
        data,
        "-U",
        SUPERUSER,
        "--pwfile",
        words,
        "-A",
        "scram-sha-256",
    ]
    command += ["-E", "UTF8", "--locale=C", "--no-sync"]
    _run(command, folder, user)
    words.unlink()
    lines, ca_file = SETTINGS + settings, None
    if tls:
        authority = Authority(folder / "pki", "tollhouse-test-postgres-ca")
        pair = authority.server("server")
        _own(pair.key, user)
        ca_file = authority.certificate
        lines += f"ssl = on\nssl_cert_file = '{pair.certificate}'\nssl_key_file = '{pair.key}'\n"
    (data / "postgresql.conf").write_text(lines)
    (data / "pg_hba.conf").write_text(ACCESS)
    for file in ("postgresql.conf", "pg_hba.conf"):
        _own(data / file, user)
    return ca_file


def _age(folder: Path, data: Path, programs: Path, user: int | None, next_number: int) -> None:
    """Everything frozen, as it would be by then, and the numbers used up."""
    for database in ("template1", "postgres"):
        _run([programs / "postgres", "--single", "-D", data, database], folder, user, "VACUUM FREEZE\n")
    oldest = str(next_number - 1_000_000)
    _run([programs / "pg_resetwal", "-x", str(next_number), "-u", oldest, "-D", data], folder, user)


def _run(command: Sequence[str | Path], folder: Path, user: int | None, typed: str = "") -> None:
    """One of the server's own programs, as its user, on a server that does not run."""
    done = subprocess.run(
        [str(word) for word in command],
        input=typed,
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
        env=_environment(folder),
    )
    if done.returncode:
        raise process.DiedEarly(f"{Path(command[0]).name} failed: {done.stderr.strip()}")


def _own(path: Path, user: int | None) -> None:
    if user is not None:
        os.chown(path, user, user)


def _environment(folder: Path) -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(folder), "LC_ALL": "C", "TZ": "UTC"}


def _accepts(server: Postgres) -> bool:
    server.server.check()
    return re.fullmatch(r"1\s*", server.psql("SELECT 1", check=False).stdout) is not None

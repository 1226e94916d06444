"""The tests of Python's drivers: asyncpg's, psycopg's and SQLAlchemy's dialect for PostgreSQL."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from kit import postgres
from suites import pytests
from suites.places import tree
from suites.suite import Outcome, Suite, Wants, Way

MAJOR = 15
_MADE_BY_ASYNCPG = ("testdb", "asyncpg_intro_test")
_QUIET = ("-p", "no:randomly", "-p", "no:warnings")


@dataclass(frozen=True, slots=True)
class Asyncpg:
    """asyncpg's own tests, which its source distribution carries."""

    name: str = "asyncpg"

    def missing(self) -> str:
        return pytests.missing(tree("asyncpg-*[0-9]"), "asyncpg-N, its source distribution", "asyncpg")

    def wants(self) -> Wants:
        return Wants(postgres.programs_of(MAJOR), served=_MADE_BY_ASYNCPG)

    def run(self, way: Way, folder: Path) -> Outcome:
        found = tree("asyncpg-*[0-9]")
        assert found is not None
        # Out of the tree: beside its tests lies a package asyncpg that is not built.
        shutil.copytree(found / "tests", folder / "tests")
        # It calls pg_config for what it would start itself; PGHOST says that a server is there.
        return pytests.run(way, folder, folder, [*_QUIET, "tests"], {"USE_UVLOOP": "0"})


@dataclass(frozen=True, slots=True)
class Psycopg:
    """psycopg 3's tests, from its repository at the release that the interpreter has."""

    name: str = "psycopg"

    def missing(self) -> str:
        return pytests.missing(tree("psycopg-*[0-9]"), "psycopg-N, its repository", "psycopg", "psycopg_pool")

    def wants(self) -> Wants:
        return Wants(postgres.programs_of(MAJOR))

    def run(self, way: Way, folder: Path) -> Outcome:
        found = tree("psycopg-*[0-9]")
        assert found is not None
        shutil.copytree(found / "tests", folder / "tests")
        shutil.copy(found / "pyproject.toml", folder)
        dsn = f"host={way.host} port={way.port} user={way.user} password={way.password} dbname=postgres"
        # `timing` and `slow` are what its authors do not trust on slow machines; test_typing runs mypy and no
        # server; the pool is a package of its own, and crdb another server.
        chosen = ["-m", "not timing and not slow", f"--test-dsn={dsn} sslmode=disable"]
        chosen += [f"--ignore=tests/{left_out}" for left_out in ("test_typing.py", "pool", "crdb")]
        return pytests.run(way, folder, folder, [*_QUIET, *chosen, "tests"])


@dataclass(frozen=True, slots=True)
class SqlAlchemy:
    """SQLAlchemy's tests of a dialect, which it wants of every database."""

    driver: str

    @property
    def name(self) -> str:
        return f"sqlalchemy-{self.driver}"

    def missing(self) -> str:
        return pytests.missing(
            tree("sqlalchemy-*[0-9]"), "sqlalchemy-N, its source distribution", "sqlalchemy", self.driver
        )

    def wants(self) -> Wants:
        return Wants(postgres.programs_of(MAJOR), databases=("test",))

    def run(self, way: Way, folder: Path) -> Outcome:
        found = tree("sqlalchemy-*[0-9]")
        assert found is not None
        for part in ("test", "lib", "setup.cfg", "pyproject.toml"):
            copied = shutil.copytree if (found / part).is_dir() else shutil.copy
            copied(found / part, folder / part)
        _prepare(way)
        uri = f"postgresql+{self.driver}://{way.user}:{way.password}@{way.host}:{way.port}/test"
        chosen = ["--maxfail=100000", f"--dburi={uri}", "test/dialect/test_suite.py"]
        return pytests.run(way, folder, folder, [*_QUIET, *chosen])


def _prepare(way: Way) -> None:
    """What its README wants of a database; made the way the run goes."""
    statements = [
        "CREATE SCHEMA test_schema",
        "CREATE SCHEMA test_schema_2",
        "CREATE EXTENSION hstore",
        "CREATE EXTENSION citext",
        "ALTER DATABASE test SET default_text_search_config = 'pg_catalog.english'",
    ]
    for statement in statements:
        command = [str(way.programs / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", statement]
        subprocess.run(command, env=way.environment("test"), check=True, capture_output=True)


SUITES: tuple[Suite, ...] = (Asyncpg(), Psycopg(), SqlAlchemy("psycopg"), SqlAlchemy("asyncpg"))

"""What a suite is: whether it is here, what server it wants, and how one run of it is read.

A file of this package per suite gives `Suite` objects; `__main__.ALL` lists them. A suite is run twice, each
time against a new server: once directly, once through a proxy whose policy allows everything.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class Result(StrEnum):
    """How one test ended. IGNORED: skipped, or expected to fail, by the suite's own word."""

    PASSED = "passed"
    FAILED = "failed"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Wants:
    """What a suite asks of its world.

    programs: the folder of the server's programs (postgres, initdb, psql). settings: further lines of
    postgresql.conf. databases: made before the suite starts, and served by the proxy. served: databases that
    the suite makes itself, served too. users: superusers made before the suite starts, besides `postgres`
    (the proxy passes on whatever user a client names). rules: further rules of the policy, as lines of YAML.
    """

    programs: Path
    settings: str = ""
    databases: Sequence[str] = ()
    served: Sequence[str] = ()
    users: Sequence[str] = ()
    rules: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """How a run reaches the database: directly or through the proxy.

    The password of the proxied way is a token, which may be longer than a client's prompt takes.
    uid: the user to run as, that the server runs as too; None: as now. server_port: the server's own.
    """

    name: str
    host: str
    port: int
    user: str
    password: str
    programs: Path
    uid: int | None = None
    server_port: int = 0

    def environment(self, database: str = "postgres", **more: str) -> dict[str, str]:
        """libpq's settings for a client, the server's programs first on PATH."""
        return {
            **os.environ,
            "PATH": f"{self.programs}:{os.environ.get('PATH', '/usr/bin:/bin')}",
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": self.user,
            "PGPASSWORD": self.password,
            "PGDATABASE": database,
            "PGSSLMODE": "disable",
            **more,
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run: each test's result by name, and what to say of the run as a whole ("" where all is well)."""

    results: Mapping[str, Result] = field(default_factory=dict)
    trouble: str = ""

    def count(self, result: Result) -> int:
        return sum(one is result for one in self.results.values())

    @property
    def all_passed(self) -> bool:
        """Whether there were tests and none failed."""
        return bool(self.results) and not self.trouble and not self.count(Result.FAILED)

    @property
    def counted(self) -> str:
        """Passed of those that were not ignored."""
        ran = len(self.results) - self.count(Result.IGNORED)
        return f"{self.count(Result.PASSED)}/{ran}"


class Suite(Protocol):
    """A suite that can be run."""

    @property
    def name(self) -> str:
        """Its name in the table and on the command line: `regress15`."""
        ...

    def missing(self) -> str:
        """What is not here, in words that say how it is had; "" where the suite can run."""
        ...

    def wants(self) -> Wants:
        """Asked only where nothing is missing."""
        ...

    def run(self, way: Way, folder: Path) -> Outcome:
        """Run it once. folder: an empty one that stays, for logs and differences."""
        ...

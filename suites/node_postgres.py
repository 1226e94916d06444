"""node-postgres' integration tests: every file is a program of its own, and passes or fails as a whole."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from kit import postgres
from suites.places import PAGE, VARIABLE, root, tree
from suites.suite import Outcome, Result, Suite, Wants, Way

MAJOR = 15
FOLDER = "node-postgres"
SECONDS = 120


@dataclass(frozen=True, slots=True)
class NodePostgres:
    """`packages/pg` of its repository, with its dependencies installed."""

    name: str = "node-postgres"

    def missing(self) -> str:
        if root() is None:
            return f"{VARIABLE} is not set to the folder of the source trees ({PAGE})"
        found = tree(FOLDER)
        if found is None or not (found / "node_modules").is_dir():
            return f"{root()} has no {FOLDER}, packages/pg of its repository with node_modules ({PAGE})"
        return "" if shutil.which("node") else f"node is not on PATH ({PAGE})"

    def wants(self) -> Wants:
        return Wants(postgres.programs_of(MAJOR))

    def run(self, way: Way, folder: Path) -> Outcome:
        home = tree(FOLDER)
        assert home is not None
        uri = f"postgres://{way.user}:{way.password}@{way.host}:{way.port}/postgres"
        results: dict[str, Result] = {}
        for file in sorted((home / "test/integration").rglob("*-tests.js")):
            name = str(file.relative_to(home))
            results[name] = _passed(way, home, name, uri, folder)
        return Outcome(results, "" if results else f"no test is in {home}")


def _passed(way: Way, home: Path, name: str, uri: str, folder: Path) -> Result:
    log = folder / f"{name.replace('/', '.')}.log"
    environment = {**way.environment(), "PGSSLMODE": "disable"}
    with log.open("wb") as words:
        try:
            done = subprocess.run(
                ["node", name, uri],
                cwd=home,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=subprocess.STDOUT,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            words.write(f"\nnot done within {SECONDS} s\n".encode())
            return Result.FAILED
    return Result.PASSED if done.returncode == 0 else Result.FAILED


SUITES: tuple[Suite, ...] = (NodePostgres(),)

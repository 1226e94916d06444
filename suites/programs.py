"""Programs that put statements through a connection: pgbench in its three protocols, and sqlsmith.

What counts is that they end well: no crash, no error of the protocol, no session lost. sqlsmith makes
statements by chance from a seed; many of them fail on any server, so what becomes of each is not compared.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from kit import postgres
from kit.cache import MissingPart
from suites.places import PAGE
from suites.suite import Outcome, Result, Suite, Wants, Way

MAJOR = 15
MODES = ("simple", "extended", "prepared")
TRANSACTIONS, CLIENTS = 250, 4
STATEMENTS, SEEDS = 500, (1, 2)
SECONDS = 1200
_LOST = ("server closed the connection", "lost synchronization", "SSL SYSCALL", "internal error")


@dataclass(frozen=True, slots=True)
class Pgbench:
    """Its own script, TPC-B like, in the simple and the extended protocol, and with prepared statements."""

    name: str = "pgbench"

    def missing(self) -> str:
        return _missing("pgbench")

    def wants(self) -> Wants:
        return Wants(postgres.programs_of(MAJOR), databases=("bench",))

    def run(self, way: Way, folder: Path) -> Outcome:
        results = {
            "initialise": _ended(way, folder, "bench", "initialise", ["pgbench", "-i", "-q", "-s", "2"])
        }
        for mode in MODES:
            command = ["pgbench", "-n", "-M", mode, "-c", str(CLIENTS), "-t", str(TRANSACTIONS)]
            results[mode] = _ended(way, folder, "bench", mode, command)
        return Outcome(results)


@dataclass(frozen=True, slots=True)
class Sqlsmith:
    """Statements by chance over the server's catalogs and a few tables."""

    name: str = "sqlsmith"

    def missing(self) -> str:
        return _missing("sqlsmith")

    def wants(self) -> Wants:
        return Wants(postgres.programs_of(MAJOR), databases=("smith",))

    def run(self, way: Way, folder: Path) -> Outcome:
        _ended(way, folder, "smith", "tables", ["pgbench", "-i", "-q", "-s", "1"])
        results = {}
        for seed in SEEDS:
            target = f"host={way.host} port={way.port} user={way.user} dbname=smith sslmode=disable"
            command = [f"--target={target}", f"--seed={seed}", f"--max-queries={STATEMENTS}"]
            results[f"seed {seed}"] = _ended(way, folder, "smith", f"seed-{seed}", ["sqlsmith", *command])
        return Outcome(results)


def _missing(program: str) -> str:
    try:
        postgres.programs_of(MAJOR)
    except MissingPart as part:
        return str(part)
    return "" if shutil.which(program) else f"{program} is not on PATH ({PAGE})"


def _ended(way: Way, folder: Path, database: str, name: str, command: list[str]) -> Result:
    log = folder / f"{name}.log"
    with log.open("wb") as words:
        try:
            done = subprocess.run(
                command,
                env=way.environment(database),
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=subprocess.STDOUT,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Result.FAILED
    text = log.read_text(errors="replace")
    return Result.FAILED if done.returncode or any(lost in text for lost in _LOST) else Result.PASSED


SUITES: tuple[Suite, ...] = (Pgbench(), Sqlsmith())

"""libpq_pipeline: what libpq's pipeline mode can do; `src/test/modules/libpq_pipeline` of a built tree."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from suites.places import OfRelease
from suites.suite import Outcome, Result, Suite, Wants, Way

PROGRAM = "src/test/modules/libpq_pipeline/libpq_pipeline"
SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Pipeline(OfRelease):
    """The tests of one release's libpq; each is a run of the program."""

    KIND = "pipeline"
    BUILT = (PROGRAM,)

    def wants(self) -> Wants:
        return Wants(self.tree.programs())

    def run(self, way: Way, folder: Path) -> Outcome:
        program = self.path / PROGRAM
        libraries = str(self.path / "src/interfaces/libpq")
        listed = subprocess.run(
            [program, "tests"],
            env={**os.environ, "LD_LIBRARY_PATH": libraries},
            capture_output=True,
            text=True,
            check=True,
        )
        results: dict[str, Result] = {}
        for test in listed.stdout.split():
            environment = way.environment(LD_LIBRARY_PATH=libraries)
            with (folder / f"{test}.log").open("wb") as log:
                passed = _passes(
                    [str(program), test, f"dbname={environment['PGDATABASE']}"], environment, log
                )
            results[test] = Result.PASSED if passed else Result.FAILED
        return Outcome(results)


def _passes(command: list[str], environment: dict[str, str], log: BinaryIO) -> bool:
    try:
        done = subprocess.run(
            command, env=environment, stdout=log, stderr=subprocess.STDOUT, check=False, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


SUITES: tuple[Suite, ...] = (Pipeline(15), Pipeline(18))

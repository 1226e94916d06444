"""PostgreSQL's isolation tests: `src/test/isolation` of a built source tree, by its own runner.

Several sessions at once, their steps in every order, and a session of the runner's that asks the server who
waits for whom: it can tell only where each session has one of the server, under the server's own number.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from suites.places import OfRelease
from suites.regress import run_schedule
from suites.suite import Outcome, Suite, Wants, Way

HOME = "src/test/isolation"


@dataclass(frozen=True, slots=True)
class Isolation(OfRelease):
    """The schedule of one release."""

    KIND = "isolation"
    BUILT = (f"{HOME}/pg_isolation_regress", f"{HOME}/isolationtester")

    def wants(self) -> Wants:
        return Wants(self.tree.programs(), served=("isolation_regression",))

    def run(self, way: Way, folder: Path) -> Outcome:
        home = self.path / HOME
        return run_schedule(way, folder, home, home / "pg_isolation_regress", "isolation_schedule")


SUITES: tuple[Suite, ...] = (Isolation(15), Isolation(18))

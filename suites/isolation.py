"""PostgreSQL's isolation tests: `src/test/isolation` of a built source tree, by its own runner.

Several sessions at once, their steps in every order, and a session of the runner's that asks the server who
waits for whom: it can tell only where each session has one of the server, under the server's own number.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from suites.places import PostgresTree
from suites.regress import run_schedule
from suites.suite import Outcome, Suite, Wants, Way

HOME = "src/test/isolation"
BUILT = (f"{HOME}/pg_isolation_regress", f"{HOME}/isolationtester")


@dataclass(frozen=True, slots=True)
class Isolation:
    """The schedule of one release."""

    major: int
    name: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", f"isolation{self.major}")

    @property
    def tree(self) -> PostgresTree:
        return PostgresTree(self.major)

    def missing(self) -> str:
        return self.tree.missing(*BUILT)

    def wants(self) -> Wants:
        return Wants(self.tree.programs(), served=("isolation_regression",))

    def run(self, way: Way, folder: Path) -> Outcome:
        assert self.tree.path is not None
        home = self.tree.path / HOME
        return run_schedule(way, folder, home, home / "pg_isolation_regress", "isolation_schedule")


SUITES: tuple[Suite, ...] = (Isolation(15), Isolation(18))

"""PostgreSQL's regression tests: `src/test/regress` of a built source tree, by its own pg_regress."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from suites.places import PostgresTree
from suites.suite import Outcome, Result, Suite, Wants, Way

HOME = "src/test/regress"
BUILT = (f"{HOME}/pg_regress", f"{HOME}/regress.so")

# `ok 12 + boolean 31 ms` since release 16; before, `     boolean ... ok   31 ms`, or `test name ... FAILED`.
_TAP = re.compile(r"^(ok|not ok) \d+\s+[-+] (\S+)")
_OLD = re.compile(r"^(?:test )?\s*(\S+)\s+\.\.\. (ok|FAILED|failed \(ignored\))")


@dataclass(frozen=True, slots=True)
class Regress:
    """The parallel schedule of one release."""

    major: int
    name: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", f"regress{self.major}")

    @property
    def tree(self) -> PostgresTree:
        return PostgresTree(self.major)

    def missing(self) -> str:
        return self.tree.missing(*BUILT)

    def wants(self) -> Wants:
        return Wants(self.tree.programs(), served=("regression",))

    def run(self, way: Way, folder: Path) -> Outcome:
        assert self.tree.path is not None
        home = self.tree.path / HOME
        return run_schedule(way, folder, home, home / "pg_regress", "parallel_schedule")


def run_schedule(way: Way, folder: Path, home: Path, program: Path, schedule: str) -> Outcome:
    """pg_regress (or isolation's) on a schedule. Differences stay in `folder/out`."""
    out = folder / "out"
    out.mkdir()
    out.chmod(0o777)  # the server writes there too, as its own user
    libraries = home.parents[1] / "interfaces/libpq"
    command: list[str | Path] = [
        program,
        f"--inputdir={home}",
        f"--outputdir={out}",
        f"--bindir={way.programs}",
    ]
    command += [f"--dlpath={home}", f"--host={way.host}", f"--port={way.port}", f"--user={way.user}"]
    command += ["--max-connections=20", f"--schedule={home / schedule}"]
    done = subprocess.run(
        command,
        env=way.environment(LD_LIBRARY_PATH=str(libraries)),
        cwd=out,
        user=way.uid,
        group=way.uid,
        extra_groups=None if way.uid is None else [],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    (folder / "run.log").write_text(done.stdout)
    results = results_of(done.stdout)
    trouble = "" if results else f"no test ran: {done.stdout.strip()[-400:]}"
    return Outcome(results, trouble)


def results_of(output: str) -> dict[str, Result]:
    """What pg_regress printed, of any release."""
    found = {}
    for line in output.splitlines():
        if tap := _TAP.match(line):
            found[tap[2]] = Result.PASSED if tap[1] == "ok" else Result.FAILED
        elif old := _OLD.match(line):
            found[old[1]] = Result.PASSED if old[2] == "ok" else Result.FAILED
    return found


SUITES: tuple[Suite, ...] = (Regress(15), Regress(18))

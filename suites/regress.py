"""PostgreSQL's regression tests: `src/test/regress` of a built source tree, by its own pg_regress."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from suites.places import OfRelease
from suites.suite import Outcome, Result, Suite, Wants, Way

HOME = "src/test/regress"
SECONDS = 7200
BUILT = (f"{HOME}/pg_regress", f"{HOME}/regress.so")

# `ok 12 + boolean 31 ms` since release 16; before, `     boolean ... ok   31 ms`, or `test name ... FAILED`.
_TAP = re.compile(r"^(ok|not ok) \d+\s+[-+] (\S+)")
_OLD = re.compile(r"^(?:test )?\s*(\S+)\s+\.\.\. (ok|FAILED|failed \(ignored\))")


@dataclass(frozen=True, slots=True)
class Regress(OfRelease):
    """The parallel schedule of one release."""

    KIND = "regress"
    BUILT = BUILT

    def wants(self) -> Wants:
        return Wants(self.tree.programs(), served=("regression",))

    def run(self, way: Way, folder: Path) -> Outcome:
        home = self.path / HOME
        return run_schedule(way, folder, home, home / "pg_regress", "parallel_schedule")


def run_schedule(
    way: Way, folder: Path, home: Path, program: Path, schedule: str | Path, *more: str
) -> Outcome:
    """pg_regress (or isolation's) on a schedule, a file of `home` where it is but a name. Differences stay
    in `folder/out`."""
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
    command += ["--max-connections=20", f"--schedule={home / schedule}", *more]
    log, trouble = folder / "run.log", ""
    with log.open("wb") as words:
        try:
            subprocess.run(
                command,
                env=way.environment(LD_LIBRARY_PATH=str(libraries)),
                cwd=out,
                user=way.uid,
                group=way.uid,
                extra_groups=None if way.uid is None else [],
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=subprocess.STDOUT,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            trouble = f"it was not done within {SECONDS} s"
    text = log.read_text(errors="replace")
    results = results_of(text)
    return Outcome(results, trouble if results else f"no test ran: {text.strip()[-400:]}")


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

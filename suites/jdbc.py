"""pgjdbc's tests, compiled beside the driver they are run with, by JUnit's console launcher."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from kit import postgres
from suites import pytests
from suites.places import PAGE, VARIABLE, root, tree
from suites.suite import Outcome, Suite, Wants, Way

MAJOR = 15
FOLDER = "pgjdbc"
SECONDS = 3600
PACKAGES = ("core", "extensions", "jdbc2", "jdbc3", "jdbc4", "jdbc42", "util", "xa")
"""Of org.postgresql.test; TLS, GSSAPI and several servers need a world of their own."""


@dataclass(frozen=True, slots=True)
class Jdbc:
    """Their results by class and method."""

    name: str = "jdbc"

    def missing(self) -> str:
        if root() is None:
            return f"{VARIABLE} is not set to the folder of the source trees ({PAGE})"
        found = tree(FOLDER)
        if found is None or not (found / "classes").is_dir() or _launcher(found) is None:
            return f"{root()} has no {FOLDER} with classes and lib, pgjdbc's tests compiled ({PAGE})"
        return "" if shutil.which("java") else f"java is not on PATH ({PAGE})"

    def wants(self) -> Wants:
        settings = "max_prepared_transactions = 64\n"
        return Wants(postgres.programs_of(MAJOR), settings, databases=("test",), users=("test",))

    def run(self, way: Way, folder: Path) -> Outcome:
        home = tree(FOLDER)
        assert home is not None
        launcher = _launcher(home)
        assert launcher is not None
        settings = {
            "test.url.PGHOST": way.host,
            "test.url.PGPORT": str(way.port),
            "test.url.PGDBNAME": "test",
            "user": "test",
            "password": way.password,
            "privilegedUser": way.user,
            "privilegedPassword": way.password,
        }
        paths = f"{home / 'classes'}:{home / 'resources'}:{home / 'lib'}/*"
        given = folder / "settings"
        given.touch(mode=0o600)
        given.write_text("".join(f'"-D{name}={value}"\n' for name, value in settings.items()))
        command = ["java", f"@{given}", "-cp", f"{launcher}:{paths}"]
        command += ["org.junit.platform.console.ConsoleLauncher", "execute", "--details=none"]
        command += [f"--select-package=org.postgresql.test.{package}" for package in PACKAGES]
        command.append(f"--reports-dir={folder / 'reports'}")
        trouble = ""
        with (folder / "run.log").open("wb") as words:
            try:
                subprocess.run(
                    command,
                    cwd=folder,
                    env=way.environment("test"),
                    stdin=subprocess.DEVNULL,
                    stdout=words,
                    stderr=subprocess.STDOUT,
                    timeout=SECONDS,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                trouble = f"it was not done within {SECONDS} s"
        report = folder / "reports/TEST-junit-jupiter.xml"
        if not report.exists():
            return Outcome({}, trouble or f"JUnit told nothing; see {folder / 'run.log'}")
        return Outcome(pytests.results_of(report.read_text()), trouble)


def _launcher(home: Path) -> Path | None:
    return next(iter(sorted((home / "lib").glob("junit-platform-console-standalone-*.jar"))), None)


SUITES: tuple[Suite, ...] = (Jdbc(),)

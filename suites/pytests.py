"""Suites that pytest runs: in a process of their own, with the interpreter that has their packages."""

from __future__ import annotations

import os
import subprocess
import xml.etree.ElementTree as Xml
from collections.abc import Mapping, Sequence
from pathlib import Path

from suites.places import PAGE, VARIABLE, root
from suites.suite import Outcome, Result, Way

PYTHON = "venv/bin/python"
SECONDS = 3600


def interpreter() -> Path | None:
    """The Python that the suites of Python's drivers run with: `venv` in the folder of the trees."""
    where = root()
    found = where / PYTHON if where else None
    return found if found is not None and found.exists() else None


def missing(tree: Path | None, what: str, *modules: str) -> str:
    """What is not here of a tree and of the packages its tests import; "" for nothing."""
    if root() is None:
        return f"{VARIABLE} is not set to the folder of the source trees ({PAGE})"
    if tree is None:
        return f"{root()} has no folder {what} ({PAGE})"
    python = interpreter()
    if python is None:
        return f"{root()} has no {PYTHON} with what the tests import ({PAGE})"
    probe = subprocess.run(
        [python, "-c", f"import {', '.join(('pytest', *modules))}"],
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if probe.returncode == 0 else f"{python}: {probe.stderr.strip().splitlines()[-1]} ({PAGE})"


def run(
    way: Way,
    folder: Path,
    where: Path,
    arguments: Sequence[str | Path],
    more: Mapping[str, str] | None = None,
) -> Outcome:
    """pytest in `where`; its words and results stay in `folder`."""
    report = folder / "results.xml"
    command = [
        interpreter(),
        "-m",
        "pytest",
        "-q",
        f"--junitxml={report}",
        *arguments,
    ]
    environment = way.environment(**{"PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1", **(more or {})})
    environment["PATH"] = os.environ.get("PATH", "/usr/bin:/bin")
    with (folder / "run.log").open("wb") as log:
        try:
            done = subprocess.run(
                [str(word) for word in command],
                cwd=where,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Outcome({}, f"it was not done within {SECONDS} s")
    if not report.exists():
        return Outcome({}, f"pytest ended with {done.returncode} and told nothing; see {folder / 'run.log'}")
    return Outcome(results_of(report.read_text()))


def results_of(report: str) -> dict[str, Result]:
    """JUnit's XML as pytest writes it; a test that is told twice (its teardown failed) ended as the worse."""
    found: dict[str, Result] = {}
    for case in Xml.fromstring(report).iter("testcase"):
        name = f"{case.get('classname', '')}::{case.get('name', '')}"
        kinds = {child.tag for child in case}
        result = Result.PASSED
        if kinds & {"failure", "error"}:
            result = Result.FAILED
        elif "skipped" in kinds:
            result = Result.IGNORED
        if found.get(name) is not Result.FAILED:
            found[name] = result
    return found

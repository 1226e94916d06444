"""Which tests touch which lines, and how long they take: found once, by running them all under coverage."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import coverage
import pytest

from mutants.areas import ROOT, Area
from mutants.nursery import run


class Reach:
    """`tests(path, line)`: node ids, quickest first."""

    def __init__(self, seconds: dict[str, float], lines: dict[str, dict[str, list[str]]]) -> None:
        self.seconds = seconds
        self._lines = lines

    def tests(self, path: Path, line: int) -> list[str]:
        found = self._lines.get(str(path.relative_to(ROOT)), {}).get(str(line), [])
        return sorted(found, key=lambda test: self.seconds.get(test, 1.0))

    def tests_of(self, path: Path) -> list[str]:
        """Node ids of all that touch a file, quickest first."""
        lines = self._lines.get(str(path.relative_to(ROOT)), {})
        found = {test for tests in lines.values() for test in tests}
        return sorted(found, key=lambda test: (self.seconds.get(test, 1.0), test))

    def save(self, path: Path) -> None:
        path.write_text(json.dumps({"seconds": self.seconds, "lines": self._lines}))

    @classmethod
    def load(cls, path: Path) -> Reach:
        found = json.loads(path.read_text())
        return cls(found["seconds"], found["lines"])


class _Watch:
    """A pytest plugin: tells coverage which test runs, and keeps the time."""

    def __init__(self, measured: coverage.Coverage) -> None:
        self._measured = measured
        self._began = 0.0
        self.seconds: dict[str, float] = {}
        self.failed: set[str] = set()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self._measured.switch_context(item.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        self._began = time.monotonic()

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when == "call":
            self.seconds[report.nodeid] = time.monotonic() - self._began
        if report.failed:
            self.failed.add(report.nodeid)


def reach_of(area: Area) -> Reach:
    """Runs the area's tests once. Raises SystemExit where one of them fails by itself."""
    measured = coverage.Coverage(
        data_file=None, include=[str(path) for path in area.sources], concurrency="thread", config_file=False
    )
    watch = _Watch(measured)
    measured.start()
    status = run(area.tests, [watch])
    measured.stop()
    if status or watch.failed:
        fallen = ", ".join(sorted(watch.failed)) or str(status)
        raise SystemExit(f"{area.name}: tests fall by themselves: {fallen}")
    lines: dict[str, dict[str, list[str]]] = {}
    data = measured.get_data()
    for file in data.measured_files():
        found: dict[str, list[str]] = defaultdict(list)
        for line, tests in data.contexts_by_lineno(file).items():
            found[str(line)] = [test for test in tests if test]
        lines[str(Path(file).relative_to(ROOT))] = dict(found)
    return Reach(watch.seconds, lines)

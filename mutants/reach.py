"""Which tests touch which lines, and how long they take: found once, by running them all under coverage.

Tests that are run once for each release of PostgreSQL are asked on one of them alone.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import time
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any, Self

import coverage
import pytest

from mutants.areas import AREAS, ROOT
from mutants.nursery import RELEASE, run


class Reach:
    """`tests(path, line)`: node ids, those that need no server first, then those in files that name the
    module, which are likely to be about it, then the quickest."""

    def __init__(
        self, seconds: dict[str, float] | None = None, lines: dict[str, dict[str, list[str]]] | None = None
    ) -> None:
        self.seconds = seconds or {}
        self._lines = lines or {}

    def tests(self, path: Path, line: int) -> list[str]:
        touching = set(self._lines.get(str(path.relative_to(ROOT)), {}).get(str(line), []))
        return self._in_order(touching, path)

    def tests_of(self, path: Path) -> list[str]:
        """Node ids of all that may notice what a file says once, at import: those in files that name its
        module, and those that come by a line of it."""
        lines = self._lines.get(str(path.relative_to(ROOT)), {})
        naming = {test for test in self.seconds if _naming(test, path) < _STRANGER}
        return self._in_order(naming.union(*lines.values()), path)

    def _in_order(self, tests: set[str], path: Path) -> list[str]:
        return sorted(
            tests,
            key=lambda test: (needs_server(test), _naming(test, path), self.seconds.get(test, 1.0), test),
        )

    def add(self, other: Self) -> None:
        """What another run of other tests has found."""
        self.seconds |= other.seconds
        for file, lines in other._lines.items():
            mine = self._lines.setdefault(file, {})
            for line, tests in lines.items():
                mine[line] = [*mine.get(line, ()), *tests]

    def save(self, path: Path) -> None:
        mine = path.with_suffix(f".{os.getpid()}")  # another run may read and write it meanwhile
        mine.write_text(json.dumps({"seconds": self.seconds, "lines": self._lines}))
        mine.replace(path)

    @classmethod
    def load(cls, path: Path) -> Self:
        found = json.loads(path.read_text())
        return cls(found["seconds"], found["lines"])


_STRANGER = 2


def _naming(test: str, path: Path) -> int:
    """How the file of a test speaks of a module: 0 it imports it, 1 it says its name, 2 not at all."""
    return _spoken_of(test.partition("::")[0], path.parent.name, path.stem)


@cache
def _spoken_of(file: str, package: str, module: str) -> int:
    text = _text(file)
    if re.search(rf"\b{package}(?:\.| import (?:.*\W)?){module}\b", text):
        return 0
    return 1 if re.search(rf"\b{module}\b", text) else _STRANGER


@cache
def _text(file: str) -> str:
    return (ROOT / file).read_text()


def needs_server(test: str) -> bool:
    """Whether a test, by its node id, talks to a real server."""
    return test.startswith("tests/real/")


class _Watch:
    """A pytest plugin: tells coverage which test runs, and keeps the time."""

    def __init__(self, measured: coverage.Coverage) -> None:
        self._measured = measured
        self._began = 0.0
        self.seconds: dict[str, float] = {}
        self.failed: set[str] = set()

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        elsewhere = [item for item in items if _release(item) not in (None, RELEASE)]
        items[:] = [item for item in items if item not in elsewhere]
        config.hook.pytest_deselected(items=elsewhere)

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


def _release(item: pytest.Item) -> object:
    found = getattr(item, "callspec", None)
    return found.params.get("any_postgres") if found else None


def reach_of(tests: str) -> Reach:
    """What a folder of tests touches of all areas. Raises SystemExit where one of them fails by itself."""
    sources = [str(path) for area in AREAS.values() for path in area.sources]
    measured = coverage.Coverage(data_file=None, include=sources, concurrency="thread", config_file=False)
    watch = _Watch(measured)
    measured.start()
    status = run([tests], [watch])
    measured.stop()
    if status or watch.failed:
        fallen = ", ".join(sorted(watch.failed)) or str(status)
        raise SystemExit(f"{tests}: tests fall by themselves: {fallen}")
    lines: dict[str, dict[str, list[str]]] = {}
    data = measured.get_data()
    for file in data.measured_files():
        found: dict[str, list[str]] = defaultdict(list)
        for line, touching in data.contexts_by_lineno(file).items():
            found[str(line)] = [test for test in touching if test]
        lines[str(Path(file).relative_to(ROOT))] = dict(found)
    return Reach(watch.seconds, lines)


_WRITTEN = frozenset({".py", ".txt", ".json"})


def reached(tests: str) -> Reach:
    """`reach_of`, kept between runs of the same code and tests, tables included (by newest file)."""
    stems = ("proxy_image/src", "tests/kit", tests)
    newest = max(
        path.stat().st_mtime_ns
        for stem in stems
        for path in ((ROOT / stem).rglob("*.*") if (ROOT / stem).is_dir() else [ROOT / stem])
        if path.suffix in _WRITTEN
    )
    kept = Path(tempfile.gettempdir()) / f"tollhouse-mutants-{tests.replace('/', '-')}-{newest}.json"
    if not kept.exists():
        child = os.fork()
        if child == 0:
            os._exit(_measure(tests, kept))
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
            raise SystemExit(f"{tests}: cannot be measured")
    return Reach.load(kept)


def _measure(tests: str, kept: Path) -> int:
    try:
        reach_of(tests).save(kept)
    except BaseException as error:
        print(error, file=sys.stderr)
        return 1
    return 0

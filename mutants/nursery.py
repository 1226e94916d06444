"""One process that has imported everything and lends itself out by fork: a mutant costs its tests alone.

Forked, a child forgets the modules that the broken one reaches, imports them anew with the broken one in
place, and runs the tests that touch the broken line, quickest first, until one falls.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import io
import os
import pkgutil
import secrets
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import grimp
import pytest

from mutants.areas import ROOT

PACKAGES = ("tollhouse_core", "tollhouse_dialects", "tollhouse_proxy")
RELEASE = 16
"""The release of PostgreSQL that mutants are tried with; its server is shared by them all."""
SURVIVED, KILLED, TIMED_OUT, BROKEN = 0, 1, 2, 3


def module_name(path: Path) -> str:
    """The dotted name of a source file."""
    parts = path.relative_to(ROOT / "proxy_image/src").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


class Nursery:
    """Holds what all children share: imported modules, who imports whom, servers."""

    def __init__(self) -> None:
        for path in ("operator/src", "proxy_image/src", "tests"):
            sys.path.insert(0, str(ROOT / path))
        os.chdir(ROOT)
        self._graph = grimp.build_graph(*PACKAGES)
        for package in PACKAGES:
            for found in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
                if not found.name.endswith("__main__"):
                    importlib.import_module(found.name)
        for other in ("pytest", "hypothesis", "psycopg", "asyncpg", "uvloop"):
            importlib.import_module(other)

    def share_servers(self, stack: contextlib.ExitStack) -> None:
        """Starts the server that tests ask for, once, and lends it to every child; a database is filled
        once, and copied for whom asks for the same."""
        kit: Any = importlib.import_module("kit.postgres")
        server = stack.enter_context(kit.running(RELEASE))
        start = kit.running

        @contextlib.contextmanager
        def lent(version: int = RELEASE, **more: Any) -> Iterator[Any]:
            if version == RELEASE and not more:
                yield server
            else:
                with start(version, **more) as own:
                    yield own

        kit.running = lent
        kit.Postgres.create_database = _copying(kit.Postgres.create_database)

    def fate(self, path: Path, tree: ast.Module, tests: Sequence[str], seconds: float) -> int:
        """What becomes of a mutant: SURVIVED, KILLED, TIMED_OUT, BROKEN (it cannot be imported)."""
        child = os.fork()
        if child == 0:
            os.setpgid(0, 0)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os._exit(self._live(path, tree, tests))
        end = time.monotonic() + seconds
        try:
            while time.monotonic() <= end:
                done, status = os.waitpid(child, os.WNOHANG)
                if done:
                    return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else KILLED
                time.sleep(0.02)
        except SystemExit:  # we are told to stop: nothing of ours goes on
            _end(child)
            raise
        _end(child)
        return TIMED_OUT

    def _live(self, path: Path, tree: ast.Module, tests: Sequence[str]) -> int:
        name = module_name(path)
        for stale in {name, *self._graph.find_downstream_modules(name)}:
            sys.modules.pop(stale, None)
        code = compile(tree, str(path), "exec", dont_inherit=True)
        sys.meta_path.insert(0, _Broken(name, path, code))
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        sys.stdout = sys.stderr = io.StringIO()
        try:
            importlib.import_module(name)
        except BaseException:
            return BROKEN
        return KILLED if run(tests) else SURVIVED


def _end(child: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)


def _copying(create: Any) -> Any:
    def create_database(server: Any, name: str | None = None, *, sql: str = "") -> str:
        if name or not sql:
            return str(create(server, name, sql=sql))
        filled = f"filled_{hashlib.sha256(sql.encode()).hexdigest()[:24]}"
        if not server.value(f"SELECT 1 FROM pg_database WHERE datname = '{filled}'"):
            create(server, filled, sql=sql)
        copied = f"kit_{secrets.token_hex(6)}"
        server.psql(f'CREATE DATABASE "{copied}" TEMPLATE "{filled}"')
        return copied

    return create_database


class _Chosen:
    """A pytest plugin: runs these tests alone, in this order. Named one by one, a thousand would take pytest
    longer to find than to run. Before all others: hypothesis reads every module for a test of its own."""

    def __init__(self, tests: Sequence[str]) -> None:
        self._order = {test: place for place, test in enumerate(tests)}

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self._order),
            key=lambda item: self._order[item.nodeid],
        )


def run(tests: Sequence[str], plugins: Sequence[object] = ()) -> int:
    """pytest's own status for these tests (node ids, or a file or folder); stops at the first that falls."""
    import hypothesis

    if any("::" in test for test in tests):
        plugins = [*plugins, _Chosen(tests)]
        tests = list(dict.fromkeys(test.partition("::")[0] for test in tests))

    hypothesis.settings.register_profile("mutants", max_examples=30, deadline=None, database=None)
    hypothesis.settings.load_profile("mutants")
    options = ["-x", "-q", "-p", "no:cacheprovider", "--no-header", "-W", "ignore"]
    return int(pytest.main([*options, *tests], plugins=[*plugins]))


class _Broken(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module from a tree instead of its file."""

    def __init__(self, name: str, path: Path, code: CodeType) -> None:
        self._name = name
        self._path = path
        self._code = code

    def find_spec(self, fullname: str, *_: object) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        package = [str(self._path.parent)] if self._path.name == "__init__.py" else None
        return importlib.util.spec_from_file_location(
            fullname, self._path, loader=self, submodule_search_locations=package
        )

    def exec_module(self, module: ModuleType) -> None:
        exec(self._code, module.__dict__)

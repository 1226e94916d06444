"""`python -m suites [NAME ...]`: run others' test suites directly and through the proxy, and compare.

A NAME is a suite's or the beginning of one (`regress` is regress15 and regress18). Without names: all.
Exit status: 0 when the counts are equal, 1 when they differ, 2 when nothing could run.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

# The test kit starts the real parts; it lives with the tests.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from suites import filtered, isolation, jdbc, node_postgres, pipeline, programs, python_drivers, regress
from suites.compared import Compared, compare, differences, table
from suites.suite import Suite

ALL: Sequence[Suite] = (
    *regress.SUITES,
    *filtered.SUITES,
    *isolation.SUITES,
    *pipeline.SUITES,
    *python_drivers.SUITES,
    *node_postgres.SUITES,
    *jdbc.SUITES,
    *programs.SUITES,
)


def main() -> int:
    given = _arguments()
    chosen = [suite for suite in ALL if _named(suite.name, given.names)]
    if not chosen:
        print(f"no suite is called so; there are: {', '.join(suite.name for suite in ALL)}", file=sys.stderr)
        return 2
    keep = given.keep or Path(tempfile.mkdtemp(prefix="tollhouse-suites-"))
    found: list[Compared] = []
    for suite in chosen:
        missing = suite.missing()
        if missing:
            print(f"{suite.name}: not here: {missing}", flush=True)
            continue
        print(f"{suite.name} ...", file=sys.stderr, flush=True)
        found.append(compare(suite, _fresh(keep / suite.name)))
        print(table(found[-1:]), file=sys.stderr, flush=True)
    if not found:
        return 2
    print(table(found))
    told = differences(found)
    print(f"{told}\nlogs and differences: {keep}" if told else "no differences")
    return 1 if told else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m suites", description="Run others' suites (docs/suites.md)."
    )
    parser.add_argument("names", nargs="*", help="suites, or how their names begin; nothing: all")
    parser.add_argument("--keep", type=Path, help="where logs and differences stay (default: a new folder)")
    return parser.parse_args()


def _named(name: str, wanted: Sequence[str]) -> bool:
    return not wanted or any(name.startswith(one) for one in wanted)


def _fresh(folder: Path) -> Path:
    """The folder, or beside it the first that is not there yet."""
    number, made = 1, folder
    while made.exists():
        number += 1
        made = folder.with_name(f"{folder.name}.{number}")
    made.mkdir(parents=True)
    return made


if __name__ == "__main__":
    sys.exit(main())

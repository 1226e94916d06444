"""python -m mutants [AREA ...] [--sample N] [--seed S]"""

from __future__ import annotations

import argparse
import contextlib
import random
import signal
import sys
from collections import Counter
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from mutants.areas import AREAS, ROOT, Area
from mutants.nursery import BROKEN, KILLED, SURVIVED, TIMED_OUT, Nursery
from mutants.operators import Mutant, mutants_of, mutated
from mutants.reach import Reach, needs_server, reached

TESTS_SECONDS = 20.0
"""So long a mutant is tried by tests without servers, and so long again by tests with them, by the time
they take when nothing is broken."""
SERVED_SECONDS = 3.0
"""What tests with servers cost before the first of them: databases, sessions, catalogs."""
AROUND_SECONDS = 0.005
"""What pytest takes around each of them."""
PATIENCE = 10.0
UNREACHED = "no test comes by"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m mutants", description=__doc__)
    parser.add_argument("areas", nargs="*", choices=[[], *AREAS], help=f"of {', '.join(AREAS)}; default: all")
    parser.add_argument("--sample", type=int, default=100, help="mutants of each area (0: all); default 100")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--goal", type=float, default=85.0, help="percent that must be caught")
    parser.add_argument(
        "--without-servers", action="store_true", help="leave tests/real out: quicker, and the score is lower"
    )
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    nursery = Nursery()
    missed = False
    with contextlib.ExitStack() as stack:
        if not given.without_servers:
            nursery.share_servers(stack)
        for name in given.areas or AREAS:
            reach = _reached(AREAS[name], given.without_servers)
            score = _try(nursery, reach, AREAS[name], given.sample, given.seed)
            missed |= score < given.goal
    return 1 if missed else 0


def _try(nursery: Nursery, reach: Reach, area: Area, sample: int, seed: int) -> float:
    population = [(path, mutant) for path in area.sources for mutant in mutants_of(path.read_text())]
    chosen = population
    if sample and sample < len(population):
        chosen = random.Random(seed).sample(population, sample)
    fates: Counter[str] = Counter()
    print(f"{area.name}: {len(chosen)} of {len(population)} mutants", flush=True)
    try:
        for path, mutant in sorted(chosen, key=lambda one: (str(one[0]), one[1].number)):
            fate = _fate(nursery, reach, path, mutant)
            fates[fate] += 1
            if fate in (_WORDS[SURVIVED], UNREACHED):
                print(f"  {fate}: {path.relative_to(ROOT)}:{mutant.line}: {mutant.what}", flush=True)
    finally:  # who stops it is told what was found so far
        score = _told(area, fates)
    return score


def _told(area: Area, fates: Counter[str]) -> float:
    counted = sum(fates.values()) - fates[_WORDS[BROKEN]]
    caught = fates[_WORDS[KILLED]] + fates[_WORDS[TIMED_OUT]]
    score = 100 * caught / counted if counted else 100.0
    said = ", ".join(f"{count} {fate}" for fate, count in sorted(fates.items()))
    print(f"{area.name}: {score:.1f} % caught ({said})", flush=True)
    return score


_WORDS = {SURVIVED: "survived", KILLED: "killed", TIMED_OUT: "timed out", BROKEN: "cannot be imported"}


def _fate(nursery: Nursery, reach: Reach, path: Path, mutant: Mutant) -> str:
    tests, seconds = _quickest(reach, reach.tests(path, mutant.line))
    if not tests:
        # Lines that run once, at import, are nobody's: tests that name the module or come by it may notice.
        tests, seconds = _quickest(reach, reach.tests_of(path) or list(reach.seconds))
    tree = mutated(path.read_text(), mutant.number)
    return _WORDS.get(nursery.fate(path, tree, tests, 30 + PATIENCE * seconds), "killed")


def _quickest(reach: Reach, tests: Iterable[str]) -> tuple[list[str], float]:
    """As many of them as there is time for, and their seconds."""
    chosen: list[str] = []
    total = 0.0
    for served, kind in groupby(tests, needs_server):
        seconds = SERVED_SECONDS if served else 0.0
        for test in kind:
            seconds += reach.seconds.get(test, 1.0) + AROUND_SECONDS
            chosen.append(test)
            if seconds > TESTS_SECONDS:
                break
        total += seconds
    return chosen, total


def _reached(area: Area, without_servers: bool) -> Reach:
    reach = Reach()
    for tests in area.tests:
        if not (without_servers and needs_server(f"{tests}/")):
            reach.add(reached(tests))
    return reach


if __name__ == "__main__":
    sys.exit(main())

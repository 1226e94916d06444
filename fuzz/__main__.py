"""Every target in turn: `python -m fuzz --minutes 10`, or some of them: `python -m fuzz wire content`.

Each runs in a process of its own, so that one that dies is seen. Prints one line for each target and the
sum; status 1 where something was found, or a target did not end well.
"""

from __future__ import annotations

import argparse
import pkgutil
import subprocess
import sys
import time
from pathlib import Path

import fuzz

_NO_TARGETS = frozenset({"__main__", "campaign", "sql_words", "wire_messages"})


def targets() -> list[str]:
    """The names of the targets of this folder."""
    return sorted(
        module.name for module in pkgutil.iter_modules(fuzz.__path__) if module.name not in _NO_TARGETS
    )


def main() -> int:
    """See the module."""
    options = argparse.ArgumentParser(prog="fuzz", description="Fuzz the data path.")
    options.add_argument("--minutes", type=float, default=1.0, help="for each target")
    options.add_argument("--seed", type=int, default=int(time.time()), help="where the choices begin")
    options.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(targets())}")
    chosen = options.parse_args()
    wrong = sorted(set(chosen.targets) - set(targets()))
    if wrong:
        options.error(f"no target is called {wrong[0]}; there are {', '.join(targets())}")
    total, bad = 0, 0
    for name in chosen.targets or targets():
        command = [sys.executable, "-m", f"fuzz.{name}", "--seconds", str(chosen.minutes * 60)]
        done = subprocess.run(
            [*command, "--seed", str(chosen.seed)],
            stdout=subprocess.PIPE,
            text=True,
            check=False,
            cwd=Path(__file__).parent.parent,
        )
        print(done.stdout.strip() or f"{name}: ended with status {done.returncode}", flush=True)
        words = done.stdout.split()
        total += int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
        bad += done.returncode != 0
    print(f"{total} inputs in all, seed {chosen.seed}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

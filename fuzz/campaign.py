"""Running one target for a while: counting what was tried, keeping what was found."""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import time
from pathlib import Path
from typing import Protocol

from kit.cache import cache_root


class Campaign:
    """What one run has tried and found. Findings are kept under the folder of the target."""

    def __init__(self, folder: Path) -> None:
        self.inputs = 0
        self.findings = 0
        self._folder = folder

    def tried(self, inputs: int) -> None:
        """So many inputs were looked at."""
        self.inputs += inputs

    def found(self, data: bytes) -> None:
        """Something is wrong; `data` shows it again."""
        self.findings += 1
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


class Target(Protocol):
    """What is fuzzed."""

    name: str
    steps: int
    """How many steps are taken between two looks at the clock."""

    def step(self, rng: random.Random, campaign: Campaign) -> None:
        """A few inputs, chosen by `rng` alone."""
        ...


def run(target: Target, folder: Path, seconds: float, seed: int) -> Campaign:
    """Steps until the time is over."""
    campaign = Campaign(folder / target.name)
    rng = random.Random(seed)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(target.steps):
            target.step(rng, campaign)
    return campaign


def corpus() -> Path:
    """The folder of what was found, outside the tree: one folder for each target."""
    return cache_root() / "fuzz"


def main(target: Target) -> None:
    """The command line of a target: one line, and status 1 when something was found."""
    options = argparse.ArgumentParser(description=f"Fuzz {target.name}.")
    options.add_argument("--seconds", type=float, default=60.0, help="how long")
    options.add_argument("--seed", type=int, default=1, help="where the choices begin")
    chosen = options.parse_args()
    campaign = run(target, corpus(), chosen.seconds, chosen.seed)
    kept = f", kept in {corpus() / target.name}" if campaign.findings else ""
    print(f"{target.name}: {campaign.inputs} inputs, {campaign.findings} findings, seed {chosen.seed}{kept}")
    sys.exit(1 if campaign.findings else 0)

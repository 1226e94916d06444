"""One suite run directly and through the proxy, and what differs."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from suites import proxy, server
from suites.suite import Outcome, Suite


@dataclass(frozen=True, slots=True)
class Compared:
    """Both runs of a suite. Times in seconds of wall clock, memory in MiB after the run and at its peak."""

    name: str
    direct: Outcome
    proxied: Outcome
    direct_seconds: float
    proxied_seconds: float
    proxy_cpu: float
    memory: tuple[float, float]

    @property
    def differing(self) -> list[str]:
        """Tests that did not end alike, by name."""
        both = self.direct.results.keys() | self.proxied.results.keys()
        return sorted(
            name for name in both if self.direct.results.get(name) != self.proxied.results.get(name)
        )


def compare(suite: Suite, folder: Path) -> Compared:
    """Run it directly, then through the proxy, each with a new server. folder: where files stay."""
    wants = suite.wants()
    direct, proxied = folder / "direct", folder / "proxied"
    for made in (direct, proxied):
        made.mkdir(parents=True)
    with server.running(wants, direct / "server.log") as database:
        began = time.monotonic()
        first = suite.run(database.way, direct)
        between = time.monotonic()
    with (
        server.running(wants, proxied / "server.log") as database,
        proxy.running(database, wants, proxied) as through,
    ):
        again = time.monotonic()
        second = suite.run(through.way, proxied)
        ended = time.monotonic()
        return Compared(
            suite.name, first, second, between - began, ended - again, through.seconds(), through.memory()
        )


def table(found: Iterable[Compared]) -> str:
    """One line for each suite, and below it what differs."""
    rows: list[tuple[str, ...]] = [
        ("suite", "direct", "proxied", "seconds", "", "ratio", "proxy CPU s", "MiB", "peak")
    ]
    for one in found:
        ratio = one.proxied_seconds / one.direct_seconds if one.direct_seconds else 0.0
        figures = (one.direct_seconds, one.proxied_seconds)
        rows.append(
            (
                one.name,
                one.direct.counted,
                one.proxied.counted,
                *(f"{figure:.0f}" for figure in figures),
                f"{ratio:.2f}",
                f"{one.proxy_cpu:.0f}",
                *(f"{figure:.0f}" for figure in one.memory),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def differences(found: Iterable[Compared]) -> str:
    """What differs, by name, and what went wrong with whole runs."""
    lines = []
    for one in found:
        for way, outcome in (("direct", one.direct), ("proxied", one.proxied)):
            if outcome.trouble:
                lines.append(f"{one.name}, {way}: {outcome.trouble}")
        for name in one.differing:
            ends = [outcome.results.get(name, "did not run") for outcome in (one.direct, one.proxied)]
            lines.append(f"{one.name}: {name}: {ends[0]} directly, {ends[1]} through the proxy")
    return "\n".join(lines)

"""What a benchmark gives: figures with their goals, as a table for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure.

    measure: what was measured. value, unit: how much. goal: the largest value that is good, None where the
    figure is only context. peer: what it was measured against in the same run, "" for nothing.
    """

    measure: str
    value: float
    unit: str
    goal: float | None = None
    peer: str = ""

    @property
    def verdict(self) -> str:
        if self.goal is None:
            return ""
        return "met" if self.value <= self.goal else "missed"


def table(measures: Iterable[Measure]) -> str:
    """The figures in columns."""
    rows = [("measure", "value", "unit", "goal", "peer", "")]
    for one in measures:
        goal = "" if one.goal is None else f"<= {one.goal:g}"
        rows.append((one.measure, f"{one.value:.3g}", one.unit, goal, one.peer, one.verdict))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def summary(measures: Iterable[Measure]) -> str:
    """How many goals are met, and which are not."""
    judged = [one for one in measures if one.goal is not None]
    missed = [one for one in judged if one.verdict == "missed"]
    words = f"{len(judged) - len(missed)} of {len(judged)} goals met"
    return "\n".join(
        [words, *(f"missed: {one.measure}: {one.value:.3g} {one.unit}, goal {one.goal:g}" for one in missed)]
    )


def write(measures: Iterable[Measure], path: Path) -> None:
    """A JSON list of {measure, value, unit, goal, peer}."""
    listed = [{**asdict(one), "value": round(one.value, 4)} for one in measures]
    path.write_text(json.dumps(listed, indent=2) + "\n")

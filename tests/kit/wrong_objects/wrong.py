"""A good object with one thing done to it, and what is said of it then."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

EXAMPLES = Path(__file__).parents[2] / "core/api/examples"
GONE = object()
SAME = "the same"


@dataclass(frozen=True)
class Wrong:
    example: str
    change: str
    to: Any
    path: str
    words: str
    server: str | None = SAME

    @property
    def document(self) -> dict[str, Any]:
        text = (EXAMPLES / f"{self.example}.yaml").read_text(encoding="utf-8")
        document: dict[str, Any] = yaml.safe_load(text)
        return changed(document, self.change, self.to)


def changed(document: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    document = copy.deepcopy(document)
    *parents, last = [int(part) if part.isdigit() else part for part in re.findall(r"[^.\[\]]+", path)]
    here: Any = document
    for part in parents:
        here = here[part] if isinstance(part, int) else here.setdefault(part, {})
    if value is GONE:
        del here[last]
    else:
        here[last] = value
    return document


def rule(**fields: Any) -> list[dict[str, Any]]:
    return [{"name": "one", **{name.rstrip("_"): value for name, value in fields.items()}}]

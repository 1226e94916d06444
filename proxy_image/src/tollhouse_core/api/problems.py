"""What is wrong with an object, in words that help."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    `path` is where, as people write it: `spec.rules[3].mask.with`; "" means the whole object.
    `message` says what was expected, what was found and what to do. `object` names the object:
    `AccessPolicy shop/support-agents`; "" where it cannot be named.
    """

    path: str
    message: str
    object: str = ""

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return f"{self.object}: {where}{self.message}" if self.object else f"{where}{self.message}"


class InvalidObject(Exception):
    """A document is not the object it claims to be; `problems` holds at least one reason."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(map(str, self.problems)))

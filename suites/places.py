"""Where the source trees of suites are: the folder that TOLLHOUSE_SUITES names."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from kit import postgres
from kit.cache import MissingPart

VARIABLE = "TOLLHOUSE_SUITES"
PAGE = "docs/suites.md"


def root() -> Path | None:
    """The folder that holds the trees; None where the setting is not made."""
    told = os.environ.get(VARIABLE)
    return Path(told) if told else None


def tree(pattern: str) -> Path | None:
    """The newest folder of that glob in the root."""
    where = root()
    found = sorted(where.glob(pattern)) if where else []
    return next((path for path in reversed(found) if path.is_dir()), None)


@dataclass(frozen=True, slots=True)
class PostgresTree:
    """PostgreSQL's sources of one major release, built: the folder `postgresql-<version>`."""

    major: int

    @property
    def path(self) -> Path | None:
        return tree(f"postgresql-{self.major}.*[0-9]")

    def missing(self, *built: str) -> str:
        """What is not here of the tree, of the files `built` in it, and of the server; "" for nothing."""
        if root() is None:
            return f"{VARIABLE} is not set to the folder of the source trees ({PAGE})"
        path = self.path
        if path is None:
            return f"{root()} has no folder postgresql-{self.major}.N, PostgreSQL's sources ({PAGE})"
        for name in built:
            if not (path / name).exists():
                return f"{path / name} is not built ({PAGE})"
        try:
            self.programs()
        except MissingPart as part:
            return str(part)
        return ""

    def programs(self) -> Path:
        """The server's programs: those the tree was installed to, else that release's of this machine.

        Raises MissingPart.
        """
        if self.path is not None:
            makefile = (self.path / "src/Makefile.global").read_text()
            found = re.search(r"^prefix := (\S+)", makefile, re.MULTILINE)
            if found and (Path(found[1]) / "bin/postgres").exists():
                return Path(found[1]) / "bin"
        return postgres.programs_of(self.major)


@dataclass(frozen=True, slots=True)
class OfRelease:
    """What every suite of PostgreSQL's own sources has: its release, its name and its tree."""

    KIND: ClassVar[str]
    BUILT: ClassVar[tuple[str, ...]]
    """Files of the tree that it needs."""

    major: int
    name: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", f"{self.KIND}{self.major}")

    @property
    def tree(self) -> PostgresTree:
        return PostgresTree(self.major)

    @property
    def path(self) -> Path:
        """The tree's folder; asked for once nothing is missing."""
        found = self.tree.path
        assert found is not None
        return found

    def missing(self) -> str:
        return self.tree.missing(*self.BUILT)

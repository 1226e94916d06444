"""What a protocol adds to the policy language.

A protocol's dialect implements `PolicyLanguage`: it turns the selectors, names and filters that
people wrote into the small matchers below, or says what is wrong with them and where.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from tollhouse_core.operation import Access, AccessKind
from tollhouse_core.policy.cel_types import CelType
from tollhouse_core.policy.globs import PathGlob, Segment


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong. `path` is relative to what was compiled: ".tables[2]", ".where"."""

    path: str
    message: str


class NotCompiled(Exception):
    """What people wrote means nothing in this protocol; holds every fault that was found."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(f"{fault.path}: {fault.message}" for fault in faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Clause:
    """Accesses of one kind. `actions` are matched with the native name; `paths` None means any
    object, and none at all (a command without an object)."""

    kind: AccessKind
    actions: tuple[Segment, ...]
    paths: tuple[PathGlob, ...] | None = None

    def binds(self, access: Access) -> bool:
        """Whether a deny or an approval on this clause meets the access."""
        if access.kind is not self.kind or not self._acts(access.action):
            return False
        if self.paths is None:
            return True
        return any(glob.matches(path) for glob in self.paths for path in (access.path, *access.also))

    def grants(self, access: Access) -> bool:
        """Whether an allow on this clause opens the access."""
        if access.kind is not self.kind or not self._acts(access.action):
            return False
        if self.paths is None:
            return True
        return any(glob.grants(path) for glob in self.paths for path in (access.path, *access.also))

    def _acts(self, action: str) -> bool:
        return any(pattern.matches(action) for pattern in self.actions)


@dataclass(frozen=True, slots=True)
class AccessSelector:
    """What one allow, deny or requireApproval speaks of: the union of its clauses.

    `words` says it for people ("Select on orders, customers").
    """

    clauses: tuple[Clause, ...]
    words: str = ""

    def binds(self, access: Access) -> bool:
        """Whether it meets the access. What was not understood is met by nothing."""
        if access.kind is AccessKind.OPAQUE:
            return False
        return any(clause.binds(access) for clause in self.clauses)

    def grants(self, access: Access) -> bool:
        """Whether it opens the access. What was not understood is opened by nothing."""
        if access.kind is AccessKind.OPAQUE:
            return False
        return any(clause.grants(access) for clause in self.clauses)

    def speaks_of(self, kind: AccessKind) -> bool:
        """Whether some clause is about that kind of access."""
        return any(clause.kind is kind for clause in self.clauses)


class Shape(StrEnum):
    """What sort of value a place in a filter takes."""

    SCALAR = "a single value"
    LIST = "a list"
    EITHER = "a single value or a list"


@dataclass(frozen=True, slots=True)
class Placeholder:
    """`{{ identity.claims.tenant }}`: where the value comes from and what it must be."""

    source: str
    shape: Shape = Shape.EITHER


@dataclass(frozen=True, slots=True)
class FilterTemplate:
    """A row filter in the protocol's own language; `$n` stands for `placeholders[n - 1]`."""

    where: str
    placeholders: tuple[Placeholder, ...] = ()


class PolicyLanguage(Protocol):
    """One protocol's part of the policy language. Pure: no server is asked.

    Every method raises NotCompiled and nothing else, for any input.
    """

    @property
    def protocol(self) -> str:
        """The block of a Connection: "postgres"."""
        ...

    @property
    def selector_name(self) -> str:
        """The block of a rule that holds this protocol's selector: "sql"."""
        ...

    @property
    def facts(self) -> Mapping[str, CelType]:
        """Fields that conditions find in `operation`, beside those of every protocol."""
        ...

    @property
    def asked_facts(self) -> frozenset[str]:
        """Those of `facts` that cost something and come only when a rule mentions them."""
        ...

    def selector(self, source: object, target: object) -> AccessSelector:
        """The selector block of one rule; `target` is the Connection's protocol block."""
        ...

    def tables(self, patterns: Sequence[str], target: object) -> tuple[PathGlob, ...]:
        """Names of data sets. Faults have paths like "[2]"."""
        ...

    def columns(self, patterns: Sequence[str], target: object) -> tuple[PathGlob, ...]:
        """Names of a data set's members, path and member in one. Faults as in `tables`."""
        ...

    def filter(self, where: str) -> FilterTemplate:
        """A row filter. Faults have the path ""."""
        ...

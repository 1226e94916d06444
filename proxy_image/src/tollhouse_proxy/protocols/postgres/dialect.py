"""What the conversation needs of SQL, so that tests can put something simpler in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tollhouse_core.decision import Obligations
from tollhouse_proxy.protocols.postgres.content import Scanner
from tollhouse_proxy.protocols.postgres.sql.statement import Rewritten, SessionSettings, Statement

Rows = Sequence[Sequence[str | None]]


@dataclass(frozen=True, slots=True)
class Dialect:
    """The functions of `sql` and the queries its catalog is made of.

    understand(text, catalog, settings) -> statements; raises NotUnderstood.
    split(text) -> (text, character offset) of each statement.
    rewrite(statement, obligations) -> what is sent; raises CannotRewrite.
    catalog(rows of each of `queries`) -> a snapshot with an `epoch`; equal epochs, equal contents.
    scanner(obligations) -> masks content in text that goes out; None where there is none.
    constants(statement) -> where in its text (bytes) constants begin on whose values nothing hangs that was
    found about it; empty where that is not certain.
    may_set(name, value) -> whether a setting is harmless; raises NotUnderstood.
    """

    understand: Callable[[str, Any, SessionSettings], tuple[Statement, ...]]
    split: Callable[[str], tuple[tuple[str, int], ...]]
    rewrite: Callable[[Statement, Obligations], Rewritten]
    catalog: Callable[[Mapping[str, Rows]], Any]
    scanner: Callable[[Obligations], Scanner | None]
    may_set: Callable[[str, str | None], bool]
    split_path: Callable[[str], tuple[str, ...]]
    queries: Mapping[str, str]
    fingerprint: str
    snapshot: str
    constants: Callable[[Statement], frozenset[int]] = lambda _: frozenset()

"""What the conversation needs of SQL, so that tests can put something simpler in its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tollhouse_core.decision import Obligations
from tollhouse_proxy.protocols.postgres.apart import Apart
from tollhouse_proxy.protocols.postgres.content import Scanner
from tollhouse_proxy.protocols.postgres.sql.consequences import Consequences
from tollhouse_proxy.protocols.postgres.sql.sections import Base, Row, Rows
from tollhouse_proxy.protocols.postgres.sql.signs import Signs
from tollhouse_proxy.protocols.postgres.sql.statement import Rewritten, SessionSettings, Statement


class Renewal(Protocol):
    """How a snapshot is read, from an older one where that serves."""

    @property
    def queries(self) -> list[str]:
        """What to ask now."""
        ...

    def take(self, results: Sequence[Rows]) -> Any | None:
        """What `queries` gave: the snapshot, with an `epoch` (equal epochs, equal contents), or None: there
        are more `queries`."""
        ...


@dataclass(frozen=True, slots=True)
class Dialect:
    """The functions of `sql` and the queries that tell of the catalog.

    understand(text, catalog, settings) -> statements; raises NotUnderstood.
    split(text) -> (text, character offset) of each statement.
    rewrite(statement, obligations) -> what is sent; raises CannotRewrite.
    signs: a query of one row; told(that row) -> what the backend says of itself and of its catalog. brief:
    the first columns of it, what is the session's own; with `Signs.common` of another they are such a row.
    snapshot: a query of one row that is the same as long as nobody has changed anything.
    renewal(older snapshot or None, the signs' row of the session and of the fingerprint, snapshot id, whether
    the older snapshot is of the same session) -> how today's is read.
    scanner(obligations) -> masks content in text that goes out; None where there is none.
    constants(statement) -> where in its text (bytes) constants begin on whose values nothing hangs that was
    found about it; empty where that is not certain.
    may_set(name, value) -> whether a setting is harmless; raises NotUnderstood.
    consequences(statement) -> what it would do besides writing rows.
    apart: reads and rewrites what is too long for the loop; None: everything is done at once.
    """

    understand: Callable[[str, Any, SessionSettings], tuple[Statement, ...]]
    split: Callable[[str], tuple[tuple[str, int], ...]]
    rewrite: Callable[[Statement, Obligations], Rewritten]
    renewal: Callable[[Base | None, Row, Row, str, bool], Renewal]
    scanner: Callable[[Obligations], Scanner | None]
    may_set: Callable[[str, str | None], bool]
    split_path: Callable[[str], tuple[str, ...]]
    signs: str
    brief: str
    told: Callable[[Row], Signs]
    snapshot: str
    constants: Callable[[Statement], frozenset[int]] = lambda _: frozenset()
    consequences: Callable[[Statement], Consequences] = lambda _: Consequences("it is not understood")
    apart: Apart | None = None

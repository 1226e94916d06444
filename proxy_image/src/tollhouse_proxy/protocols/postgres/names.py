"""Prepared statements and portals, as the server has them.

SQL and the protocol share both namespaces: PREPARE p and Parse "p", DECLARE c and Bind "c". A client may
send a whole pipeline before the first answer, so a name is entered when its message is sent, and the change
is taken back when the server refuses the message or skips it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tollhouse_core.decision import Obligations, Permitted
from tollhouse_proxy.protocols.postgres.sql.statement import Rewritten, Statement
from tollhouse_proxy.protocols.postgres.wire.frontend import Bind

if TYPE_CHECKING:
    from tollhouse_proxy.protocols.postgres.decisions import Book, Known
    from tollhouse_proxy.protocols.postgres.ledger import Run


@dataclass(slots=True)
class Prepared:
    """A statement the server has under a name. `statement` None is the empty text.

    `text` is what it came in: its own, or the PREPARE or DECLARE around it, which is then its `carrier`.
    `rewritten` is what the server was given under `obligations`; `statement` was understood on the
    ground `epoch`.  `renewed`: `statement` is
    newer than `rewritten`. `permitted` is the last verdict, kept while it can be used again
    (inside or outside of a transaction block, as it was given);
    `wanted` what another decision than the first asked for.
    `reading` is by what the server read its constants (`SessionState.reading`).
    `parse` is the Parse it came in, where that named nothing and went on as it was; `known` is the standing
    verdict on it, in the `book` of the ground that was given on.
    """

    text: str
    statement: Statement | None
    types: tuple[int, ...] = ()
    obligations: Obligations = field(default_factory=Obligations)
    rewritten: Rewritten | None = None
    epoch: str = ""
    carrier: Statement | None = None
    renewed: bool = False
    wanted: tuple[Statement, Obligations, Rewritten] | None = None
    permitted: Permitted | None = None
    permitted_in_block: bool = False
    parse: bytes = b""
    known: Known | None = None
    reading: tuple[str, ...] = ()
    book: Book | None = None


@dataclass(slots=True)
class Portal:
    """A bound statement. `bind` None: made by DECLARE. `holds`: it may outlive its transaction.

    `rewritten` is what the server runs for it. `run` is its execution, from the first Execute on, and
    `ground` what that was decided on.
    """

    prepared: Prepared
    bind: Bind | None = None
    holds: bool = False
    rewritten: Rewritten | None = None
    ground: object = None
    run: Run | None = None


Thing = Prepared | Portal
Change = tuple[dict[str, Thing], str, Thing | None]
"""(table, name, what it was before)."""


@dataclass(slots=True)
class Names:
    """Both tables, and how to take changes back."""

    statements: dict[str, Thing] = field(default_factory=dict)
    portals: dict[str, Thing] = field(default_factory=dict)

    def prepared(self, name: str) -> Prepared | None:
        """The statement of that name."""
        found = self.statements.get(name)
        return found if isinstance(found, Prepared) else None

    def portal(self, name: str) -> Portal | None:
        """The portal of that name."""
        found = self.portals.get(name)
        return found if isinstance(found, Portal) else None

    def put(self, table: dict[str, Thing], name: str, thing: Thing | None) -> Change:
        """Enters or (None) removes a name; returns the change."""
        before = table.get(name)
        if thing is None:
            table.pop(name, None)
        else:
            table[name] = thing
        return table, name, before

    def clear(self, table: dict[str, Thing]) -> list[Change]:
        """Removes every name of a table."""
        return [self.put(table, name, None) for name in list(table)]

    def undo(self, changes: list[Change]) -> None:
        """Takes changes back, the last one first."""
        for table, name, before in reversed(changes):
            if before is None:
                table.pop(name, None)
            else:
                table[name] = before
        changes.clear()

    def transaction_over(self) -> None:
        """Portals end with their transaction, except cursors WITH HOLD. (One that only failed may come back
        to a savepoint, and its cursors with it.)"""
        if not self.portals:
            return
        for name, portal in list(self.portals.items()):
            if not (isinstance(portal, Portal) and portal.holds):
                del self.portals[name]

"""Exchanges of our own on the session's backend connection.

They use the extended protocol with reserved names, so that neither the client's unnamed statement nor its
transaction changes: outside a pipeline they end with a Sync (which in a transaction block commits nothing),
inside one with a Flush.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tollhouse_proxy.protocols.postgres.ledger import Hidden, Kind, Owed
from tollhouse_proxy.protocols.postgres.state import SessionState
from tollhouse_proxy.protocols.postgres.wire.frontend import SYNC_MESSAGE, Bind, Close, Execute, Parse

RESERVED = "_tollhouse"
"""No client may give a statement or portal a name that begins so."""

FORGET = Close("S", RESERVED).encode()
"""Goes before a Parse under the reserved name too: what failed half-way has left its statement behind."""


@dataclass(frozen=True, slots=True)
class Question:
    """One statement to run, with its parameters as the client gave them."""

    text: str
    types: tuple[int, ...] = ()
    formats: tuple[int, ...] = ()
    values: tuple[bytes | None, ...] = ()


_SAVEPOINT = f"{RESERVED}_savepoint"
HOLD = Question(f"SAVEPOINT {_SAVEPOINT}")
BACK = (Question(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}"), Question(f"RELEASE SAVEPOINT {_SAVEPOINT}"))
"""Before and after what must leave nothing behind in the client's transaction, be it rows or locks."""


def ask(
    state: SessionState,
    questions: Sequence[Question],
    done: Callable[[Hidden], None],
    *,
    counts: bool = False,
) -> None:
    """Runs the questions; `done` gets their rows (`counts`: only the command tags), or the error that
    stopped them. Nothing may be owed."""
    hidden = Hidden(done, counts=counts)
    in_pipeline = state.open_pipeline
    # What failed half-way before may have left its portal (in a transaction that goes back to a savepoint)
    # and its statement behind; those that follow find both closed.
    first = [(_CLOSE, Kind.CLOSE), (FORGET, Kind.CLOSE)]
    for message, kind in (*first, *(one for question in questions for one in _messages(question))):
        hidden.last = Owed(kind, hidden=hidden)
        state.send(message, hidden.last)
    if in_pipeline:
        state.flush()
        return
    hidden.last = Owed(Kind.SYNC, hidden=hidden)
    state.send(SYNC_MESSAGE, hidden.last)


_EXECUTE = Execute(RESERVED).encode()
_CLOSE = Close("P", RESERVED).encode()


def _messages(question: Question) -> tuple[tuple[bytes, Kind], ...]:
    parse = Parse(RESERVED, question.text.encode(), question.types)
    bind = Bind(RESERVED, RESERVED, question.formats, question.values)
    return (
        (parse.encode(), Kind.PARSE),
        (bind.encode(), Kind.BIND),
        (_EXECUTE, Kind.EXECUTE),
        (_CLOSE, Kind.CLOSE),
        (FORGET, Kind.CLOSE),
    )

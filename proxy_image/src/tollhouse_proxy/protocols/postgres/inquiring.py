"""The previews that the guard waits for before it asks people, one at a time (see `preview`)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from tollhouse_core.approvals.effect import Preview
from tollhouse_core.decision import Obligations
from tollhouse_core.operation import AccessKind, Operation, Verb
from tollhouse_proxy.exchange import Promise, Tools
from tollhouse_proxy.ports.judging import NotRunnable, OpenSession
from tollhouse_proxy.protocols.postgres.dialect import Dialect
from tollhouse_proxy.protocols.postgres.hidden import Question
from tollhouse_proxy.protocols.postgres.preview import EXPLAINABLE, Inquiry, Rehearsal
from tollhouse_proxy.protocols.postgres.sql.consequences import Consequences
from tollhouse_proxy.protocols.postgres.sql.statement import CannotRewrite, Rewritten, Statement
from tollhouse_proxy.protocols.postgres.state import SessionState
from tollhouse_proxy.protocols.postgres.wire.backend import Report
from tollhouse_proxy.protocols.postgres.withheld import said_of

Inquiring = Callable[[Obligations], Inquiry]
"""Makes of a statement what is asked about it under these obligations. Raises CannotRewrite, Postponed,
Turned."""

BY_NAME = "it runs a prepared statement by its name"
BEHIND_OTHERS = "it stands behind other statements of the same text"
READS_CLOSED = "it reads what is not open without an approval"

Rewriting = Callable[[Statement, Obligations], Rewritten]


def inquiring(
    judge: OpenSession,
    dialect: Dialect,
    rewriting: Rewriting,
    statement: Statement,
    operation: Operation,
    question: Question,
    why: str = "",
) -> Inquiring:
    """About one statement. `why` says what keeps it from being run beforehand where it stands; "" nothing."""

    def made(obligations: Obligations) -> Inquiry:
        sent = rewriting(statement, obligations)
        kept = why or ("" if judge.unasked(_reading(operation)) else READS_CLOSED)
        consequences = Consequences(kept) if kept else dialect.consequences(statement)
        planned = is_planned(statement, operation)
        return Inquiry(replace(question, text=sent.text), planned, consequences)

    return made


def _reading(operation: Operation) -> Operation:
    """What the operation reads. Run before anybody has agreed, it tells by its time what it found: so even
    the rows that it writes to must be open, where an approved statement may compare them without a rule."""
    tables = [access for access in operation.accesses if access.kind is AccessKind.TABLE]
    written = {
        access.path for access in tables if access.needs_rule and access.verb in (Verb.WRITE, Verb.DELETE)
    }
    reads = tuple(
        replace(access, needs_rule=access.needs_rule or access.path in written)
        for access in tables
        if access.verb is Verb.READ
    )
    return replace(operation, action="SELECT", accesses=reads)


def is_planned(statement: Statement, operation: Operation) -> bool:
    """Whether the planner may be asked. It computes functions that are STABLE or IMMUTABLE: code that nobody
    has approved yet would run, and how it ends would tell what it read. FETCH cannot be explained."""
    if statement.tag not in EXPLAINABLE | {"EXECUTE"} or operation.action not in EXPLAINABLE:
        return False
    return all(access.kind is not AccessKind.FUNCTION for access in operation.accesses)


@dataclass(slots=True)
class _Wanted:
    """What the guard waits for. `rehearsal` from when it could begin."""

    obligations: Obligations
    runs: bool
    promise: Promise
    rehearsal: Rehearsal | None = None


def _nobody(_: Report | None) -> None: ...


class Previews:
    """`fail` is called for a statement that cannot run at all, with the backend's error if it was that."""

    def __init__(self, state: SessionState, tools: Tools, fail: Callable[[Report | None], None]) -> None:
        self._state = state
        self._tools = tools
        self._fail = fail
        self._wanted: _Wanted | None = None

    @property
    def outstanding(self) -> bool:
        """Whether people will be asked, and what they are told is being found out."""
        return self._wanted is not None

    def look(self, obligations: Obligations, runs: bool) -> Awaitable[Preview | NotRunnable]:
        """See `PreviewLookup`."""
        promise = self._tools.promise()
        self._wanted = _Wanted(obligations, runs, promise)
        self._tools.wake()
        return promise

    def forget(self) -> None:
        """Nobody waits any more. What is under way ends by itself."""
        if self._wanted is not None and self._wanted.rehearsal is not None:
            self._wanted.rehearsal.given_up = True
        self._wanted = None

    def let_go(self) -> None:
        """The session ends: nobody is told of anything any more."""
        self._fail = _nobody

    def go_on(self, inquiring: Inquiring | None) -> None:
        """Does what can be done now. Raises as `inquiring` does."""
        wanted = self._wanted
        if wanted is None or inquiring is None:
            return
        if wanted.rehearsal is None:
            try:
                inquiry = inquiring(wanted.obligations)
            except CannotRewrite as cannot:
                self._unrunnable(wanted, None, cannot.message)
                raise
            wanted.rehearsal = Rehearsal(
                self._state,
                inquiry,
                runs=wanted.runs,
                found=lambda preview: self._found(wanted, preview),
                failed=lambda report: self._unrunnable(
                    wanted, report, f"the backend does not take it, {said_of(report)}"
                ),
            )
        wanted.rehearsal.advance()

    def _found(self, wanted: _Wanted, preview: Preview) -> None:
        if self._wanted is wanted:
            self._wanted = None
        if not wanted.promise.done():
            wanted.promise.set_result(preview)

    def _unrunnable(self, wanted: _Wanted, report: Report | None, why: str) -> None:
        """The client hears it as the statement's own error; the guard records it."""
        if self._wanted is wanted:
            self._wanted = None
            self._fail(report)
        if not wanted.promise.done():
            wanted.promise.set_result(NotRunnable(why))

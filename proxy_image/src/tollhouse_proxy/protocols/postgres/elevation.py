"""One permitted statement that runs with a credential of its own (`Permitted.credential`).

It waits until the client's own session owes nothing, asks that session for the settings by which the
statement was read, and has an `ElevatedBackend` made. There the statement is read again with the catalog as
that role sees it, and must be the very operation that people approved; only then is it sent. How it ended is
told when the credential has been given back.
"""

from __future__ import annotations

from dataclasses import dataclass

from tollhouse_core.decision import Permitted
from tollhouse_core.operation import Operation
from tollhouse_proxy.exchange import Undertake
from tollhouse_proxy.protocols.postgres import refuse
from tollhouse_proxy.protocols.postgres.adopting import TOLD, Adopted, adopted, own_code
from tollhouse_proxy.protocols.postgres.bench import Postponed
from tollhouse_proxy.protocols.postgres.desk import Desk, Turned
from tollhouse_proxy.protocols.postgres.elevated import ElevatedBackend
from tollhouse_proxy.protocols.postgres.hidden import ask
from tollhouse_proxy.protocols.postgres.ledger import Hidden
from tollhouse_proxy.protocols.postgres.spelling import moved, positions
from tollhouse_proxy.protocols.postgres.sql.statement import (
    CannotRewrite,
    Edit,
    NotUnderstood,
    Statement,
)
from tollhouse_proxy.protocols.postgres.upkeep import Upkeep
from tollhouse_proxy.protocols.postgres.wire.frontend import Bind

_MOVED = "this session has moved on while the statement waited, so it cannot run beside it"
_NOT_OURS = "What a stronger credential touches must not be owned by this role, nor grant it TRIGGER."


@dataclass(frozen=True, slots=True)
class Job:
    """`operation` as it was judged; `start`: characters before the statement in what the client sent; `bind`
    and `types` as the client gave them in the extended protocol."""

    statement: Statement
    operation: Operation
    permitted: Permitted
    start: int = 0
    types: tuple[int, ...] = ()
    bind: Bind | None = None


class Elevation:
    """See the module."""

    def __init__(self, desk: Desk, job: Job) -> None:
        self._desk = desk
        self._job = job
        self._asked = False
        self._adopted: Adopted | None = None
        self._untold = False
        self._ours = ""
        self._errand: ElevatedBackend | None = None
        self._refusal: Exception | None = None
        self.failed = False
        """The client has been told of an error."""

    def advance(self) -> bool:
        """Goes on as far as it can; True when the client has its answer. Raises Turned and CannotRewrite, the
        statement not having run."""
        errand = self._errand
        if errand is None:
            self._prepare()
            return False
        if errand.resting:
            errand.go_on()
        if errand.broken is not None:
            raise RuntimeError("an approved statement's own session broke") from errand.broken
        if errand.learned and self._refusal is None:
            self._send(errand)
        self._desk.state.outbox.effects.extend(errand.outbox.effects)
        errand.outbox.effects.clear()
        if not errand.over:
            self._desk.state.outbox.effects.append(Undertake(errand))
            return False
        if not errand.returned:
            self._desk.state.outbox.effects.append(Undertake(errand))
            return False
        self._desk.errand = None
        self._end(errand)
        return True

    # ------------------------------------------------------------ before

    def _prepare(self) -> None:
        desk, state = self._desk, self._desk.state
        if state.ledger:
            state.flush()
            return
        if state.status != "I" or state.acted or state.skipping:
            raise Turned(refuse.error("25001", _MOVED, "", "Send it alone, outside of a transaction."))
        if not self._asked:
            self._asked = True
            ask(state, [TOLD, own_code(self._job.operation, self._job.types)], self._told)
            return
        if self._adopted is None:
            if self._untold:
                raise Turned(refuse.error("08006", "the settings of this session cannot be read"))
            return
        if self._ours:
            words = f"this session's own role could have code of its own run by it, through {self._ours}"
            raise Turned(refuse.error("42501", words, "", _NOT_OURS))
        self._errand = errand = desk.elevated(self._job.permitted.credential, self._adopted)
        desk.errand = errand
        state.outbox.effects.append(Undertake(errand))

    def _told(self, hidden: Hidden) -> None:
        self._adopted = adopted(hidden)
        self._untold = self._adopted is None
        if self._adopted is not None:
            self._ours = hidden.results[1][0][0] or ""

    def _send(self, errand: ElevatedBackend) -> None:
        try:
            self._run(errand)
        except Postponed:
            return
        except (Turned, CannotRewrite) as refusal:
            self._refusal = refusal
            errand.finish()

    def _run(self, errand: ElevatedBackend) -> None:
        """Raises Turned, CannotRewrite, Postponed."""
        desk, job = self._desk, self._job
        assert errand.upkeep is not None
        statement = self._same(errand.upkeep)
        rewritten = desk.rewritten(statement, job.permitted.obligations, errand.upkeep)
        formats = job.bind.result_formats if job.bind is not None else ()
        run = desk.run(statement, job.permitted, rewritten, formats)
        run.positions = positions([Edit(0, job.start, ""), *moved(rewritten.edits, job.start)])
        for words in job.permitted.notices:
            desk.state.say(refuse.notice(words))
        errand.run(run, rewritten, job.types, job.bind)

    def _same(self, upkeep: Upkeep) -> Statement:
        """The statement as that role reads it: it must be what was approved. Raises Turned, Postponed."""
        desk, job = self._desk, self._job
        name = job.permitted.credential
        try:
            statements = desk.understood(job.statement.text, upkeep)
        except NotUnderstood as found:
            raise Turned(_otherwise(name, found.message)) from None
        if len(statements) != 1 or meaning(statements[0].operation) != meaning(job.operation):
            raise Turned(_otherwise(name, "it names other objects there"))
        return statements[0]

    # ------------------------------------------------------------ after

    def _end(self, errand: ElevatedBackend) -> None:
        """Raises Turned or CannotRewrite where nothing was sent."""
        desk, name = self._desk, self._job.permitted.credential
        if self._refusal is not None:
            raise self._refusal
        if not errand.begun:
            if errand.cancelled:
                raise Turned(refuse.error("57014", "canceling statement due to user request"))
            words = f"the credential {name} cannot be used: {errand.failure}"
            hint = "Nothing was run. The approval is used up: send the statement again to ask anew."
            raise Turned(refuse.error("08006", words, "", hint))
        self.failed = not errand.done
        if errand.failure:
            if errand.mid_message:
                raise RuntimeError("an approved statement was lost in the middle of a row")
            words = f"the session of the credential {name} was lost: {errand.failure}"
            hint = "It is not known whether the statement took effect."
            desk.state.say(refuse.error("08006", words, "", hint))
        if self._job.statement.effect.changes_catalog:
            desk.state.dirty = True


def meaning(operation: Operation) -> object:
    """What an approval is about, as its digest has it, without parameters: those go over as they are."""
    return (
        operation.action,
        operation.canonical or operation.text,
        frozenset(operation.accesses),
        frozenset(operation.objects),
        frozenset((resource.path, resource.members) for resource in operation.resources),
    )


def _otherwise(name: str, why: str) -> bytes:
    words = f"with the credential {name} the statement would not be what was approved: {why}"
    return refuse.error("42501", words, "", "Nothing was run.")

"""Parse and Execute: the two extended messages that may have to wait for something.

Parse is read and rewritten under what would bind the statement if it ran now; nothing is counted or recorded
unless it is denied. The decision that counts is made at each Execute, with the parameters bound. Where that
decision asks for another text than the one prepared (a policy, the catalog or a parameter moved it), the
portal is bound anew to the right text; the client sees nothing of it.
"""

from __future__ import annotations

from dataclasses import replace

from tollhouse_core.decision import Obligations, Permitted, Refused, Verdict
from tollhouse_core.operation import Operation
from tollhouse_proxy.ports.judging import Completion, Outcome
from tollhouse_proxy.protocols.postgres import parameters, refuse, withholding
from tollhouse_proxy.protocols.postgres.asking import CatalogUnreadable
from tollhouse_proxy.protocols.postgres.bench import FactFailed, Postponed
from tollhouse_proxy.protocols.postgres.decisions import Judged
from tollhouse_proxy.protocols.postgres.desk import Desk, Turned
from tollhouse_proxy.protocols.postgres.elevation import Elevation, Job
from tollhouse_proxy.protocols.postgres.hidden import FORGET, RESERVED, Question
from tollhouse_proxy.protocols.postgres.inquiring import BY_NAME
from tollhouse_proxy.protocols.postgres.ledger import Kind, Owed, Run
from tollhouse_proxy.protocols.postgres.names import Portal, Prepared
from tollhouse_proxy.protocols.postgres.spelling import positions
from tollhouse_proxy.protocols.postgres.sql.statement import (
    CannotRewrite,
    NotUnderstood,
    Rewritten,
    Statement,
)
from tollhouse_proxy.protocols.postgres.stepped import NEED_STEPS
from tollhouse_proxy.protocols.postgres.wire.frontend import (
    SYNC_MESSAGE,
    Bind,
    Close,
    Describe,
    Execute,
    Parse,
)
from tollhouse_proxy.protocols.postgres.withheld import passed_on

_EMPTY = Rewritten("")
_IN_PARTS = "the rows it returns are held back until they are counted, and cannot be had in parts"
_SEVERAL = "cannot insert multiple commands into a prepared statement"

MAX_NAME_BYTES = 63
"""The server keeps names of statements and portals in fields of NAMEDATALEN (64) bytes and cuts what is
longer without a word."""


class _Task:
    """Turns every way of being refused into an ErrorResponse at the message's place."""

    def __init__(self, desk: Desk, message: bytes) -> None:
        self._desk = desk
        self._message = message

    def advance(self) -> bool:
        """Goes on as far as it can; True when the message is dealt with."""
        try:
            return self._desk.overtaken() or self._try()
        except Postponed:
            return False
        except Turned as turned:
            self._give_up(turned.words)
        except CatalogUnreadable as failed:
            self._give_up(failed.words)
        except FactFailed as failed:
            self._give_up(passed_on(failed.report, guarded=True, positions=None).encode())
        except CannotRewrite as cannot:
            self._give_up(refuse.cannot_rewrite(cannot, self._desk.state.judge.revision))
        return True

    def _try(self) -> bool:
        raise NotImplementedError

    def _give_up(self, words: bytes) -> None:
        # An exchange of our own that failed within a pipeline has made the backend skip already.
        if self._desk.state.skipping:
            self._desk.state.say(words)
        else:
            self._desk.refuse_extended(words)


class ParseTask(_Task):
    """A Parse message."""

    def __init__(self, desk: Desk, message: bytes) -> None:
        super().__init__(desk, message)
        self._parse = Parse.parse(message[5:])
        self._statement: Statement | None = None
        self._obligations: Obligations | None = None

    def _try(self) -> bool:
        desk = self._desk
        if not desk.upkeep.fresh(self._parse.text):
            return False
        if self._statement is None:
            check_name(self._parse.name)
            text = desk.decoded(self._parse.text)
            statements = self._read(text)
            if not statements:
                self._send(Prepared(text, None), self._message, _EMPTY)
                return True
            if len(statements) > 1:
                raise Turned(refuse.error("42601", _SEVERAL))
            self._statement = statements[0]
        return self._decide(self._statement)

    def _read(self, text: str) -> tuple[Statement, ...]:
        """Raises Turned. That there are several statements is said before that one of them needs what
        another makes."""
        desk = self._desk
        try:
            return desk.understood(text)
        except NotUnderstood as found:
            if found.sqlstate in NEED_STEPS and len(desk.split(text)) > 1:
                raise Turned(refuse.error("42601", _SEVERAL)) from None
            raise Turned(desk.unreadable(text, found)) from None

    def _decide(self, statement: Statement) -> bool:
        desk = self._desk
        obligations = self._obligations
        if obligations is None:
            obligations = desk.state.judge.foresee(statement.operation)
        if obligations is None or desk.bench.waiting:
            verdict = desk.bench.verdict(statement.operation, None)
            if verdict is None:
                return False
            if isinstance(verdict, Refused):
                raise Turned(refuse.refused(verdict))
            desk.state.judge.completed(Completion(verdict.operation_id, Outcome.COMPLETED, tag="PARSE"))
            obligations = verdict.obligations
        self._obligations = obligations
        rewritten = desk.rewritten(statement, obligations)
        prepared = Prepared(
            text=desk.decoded(self._parse.text),
            statement=statement,
            types=self._parse.types,
            obligations=obligations,
            rewritten=rewritten,
            epoch=repr(desk.ground[1:]),
            reading=desk.state.reading,
        )
        back = statement.start
        message = self._message
        if rewritten.edits:
            message = Parse(self._parse.name, rewritten.text.encode(), self._parse.types).encode()
        else:
            back = 0  # the client's own bytes go out, leading space and comments included
            prepared.parse = b"" if self._parse.name else message
        self._send(prepared, message, rewritten, back)
        return True

    def _send(self, prepared: Prepared, message: bytes, rewritten: Rewritten, lead: int = 0) -> None:
        state = self._desk.state
        back = positions(rewritten.edits)
        where = back if lead == 0 else lambda at: (back(at) if back else at) + lead
        change = state.names.put(state.names.statements, self._parse.name, prepared)
        state.send(
            message,
            Owed(Kind.PARSE, changes=[change], guarded=rewritten.guards_errors, positions=where),
        )


class BindTask(_Task):
    """A Bind message. Clients that prepare once send nothing else from then on: where a batch begins with it,
    the catalog is looked at first, for behind it nothing could be asked."""

    def __init__(self, desk: Desk, message: bytes) -> None:
        super().__init__(desk, message)
        self._bind = Bind.parse(message[5:])
        self._looks = desk.state.quiet

    def _try(self) -> bool:
        desk, bind, names = self._desk, self._bind, self._desk.state.names
        check_length(bind.statement)
        prepared = names.prepared(bind.statement)
        if prepared is None:
            raise Turned(no_statement(bind.statement))
        check_name(bind.portal)
        if self._looks and not desk.upkeep.fresh(prepared.text.encode()):
            return False
        guarded = prepared.rewritten is not None and prepared.rewritten.guards_errors
        portal = Portal(prepared, bind, rewritten=prepared.rewritten)
        change = names.put(names.portals, bind.portal, portal)
        desk.state.send(self._message, Owed(Kind.BIND, changes=[change], guarded=guarded))
        return True


class ExecuteTask(_Task):
    """An Execute message."""

    def __init__(self, desk: Desk, message: bytes) -> None:
        super().__init__(desk, message)
        self._execute = Execute.parse(message[5:])
        self._operation: Operation | None = None
        self._ground: object = None
        self._subject: Prepared | None = None
        self._permitted: Permitted | None = None
        self._elevation: Elevation | None = None
        self._portal: Portal | None = None
        self._unbound = False
        """The pipeline was closed while people were asked, and the portal with it."""
        self._counted: Run | None = None

    def _give_up(self, words: bytes) -> None:
        if self._permitted is not None:  # it was let through, and cannot be sent as it would have to be
            done = Completion(self._permitted.operation_id, Outcome.FAILED, error_code="42501")
            self._desk.state.judge.completed(done)
        super()._give_up(words)

    def _try(self) -> bool:
        state = self._desk.state
        if self._elevation is not None:
            return self._elevated(self._elevation)
        if self._counted is not None:
            return self._settle(self._counted)
        check_length(self._execute.portal)
        portal = self._portal = self._portal or state.names.portal(self._execute.portal)
        if portal is None:
            raise Turned(refuse.error("34000", f'portal "{self._execute.portal}" does not exist'))
        if portal.prepared.statement is None:
            state.send(self._message, Owed(Kind.EXECUTE))
            return True
        if not self._desk.upkeep.fresh(portal.prepared.text.encode()):
            return False
        if self._goes_on(portal):
            return True
        return self._decide(portal)

    def _goes_on(self, portal: Portal) -> bool:
        """A suspended portal runs on under the decision it began with, while that one stands."""
        run = portal.run
        if (
            run is None
            or run.operation not in self._desk.state.suspended
            or portal.ground != self._desk.ground
        ):
            return False
        if portal.prepared.statement is not None:
            self._desk.note(portal.prepared.statement)  # each row may set something again
        self._desk.state.send(self._message, Owed(Kind.EXECUTE, [run]))
        return True

    def _decide(self, portal: Portal) -> bool:
        desk = self._desk
        prepared = portal.prepared
        if not desk.bench.waiting and self._operation is None:
            desk.renewed(prepared)
            assert prepared.statement is not None
            self._subject = desk.subject(prepared.statement)
            operation = desk.operation(
                prepared.statement, self._subject, beside=self._beside(), parsed=prepared.reading
            )
            self._operation = self._bound(portal, operation)
            self._ground = desk.ground[1:]
        desk.stand_on(self._ground)
        assert self._operation is not None
        if self._permitted is None:
            verdict = self._verdict(portal, self._operation)
            if verdict is None:
                return False
            if isinstance(verdict, Refused):
                raise Turned(refuse.refused(verdict))
            self._permitted = verdict
        if self._permitted.credential:
            self._elevation = self._elevate(portal, self._permitted, self._operation)
            return self._elevated(self._elevation)
        self._send(portal, self._permitted)
        return self._counted is None

    def _settle(self, run: Run) -> bool:
        """The statement has run; whether it may stay is known once its answer is there."""
        state = self._desk.state
        if state.ledger:
            state.flush()
            return False
        words = withholding.undone(run, state.judge)
        if words:
            self._desk.refuse_extended(words)
            state.flush()
        else:
            for message in withholding.kept(run, state.judge):
                state.say(message)
        return True

    def _beside(self) -> str:
        """Why it does not stand alone, if it does not."""
        if self._desk.state.acted:
            return "statements before it in its pipeline are not committed yet"
        return "its rows are asked for a portion at a time" if self._execute.max_rows else ""

    def _elevate(self, portal: Portal, permitted: Permitted, operation: Operation) -> Elevation:
        """Raises Turned."""
        prepared = portal.prepared
        if prepared.statement is None or portal.bind is None or portal.run is not None:
            self._desk.own(permitted)
        assert prepared.statement is not None
        job = Job(prepared.statement, operation, permitted, 0, prepared.types, portal.bind)
        return Elevation(self._desk, job)

    def _elevated(self, elevation: Elevation) -> bool:
        if not elevation.advance():
            return False
        if elevation.failed:
            self._desk.state.skipping = True  # as the backend would, up to the Sync
        return True

    def _verdict(self, portal: Portal, operation: Operation) -> Verdict | None:
        desk, prepared = self._desk, portal.prepared
        same = prepared.permitted_in_block == desk.state.in_block
        if prepared.permitted is not None and same and not desk.bench.waiting:
            verdict = desk.state.judge.again(prepared.permitted, operation)
            if verdict is not None:
                return verdict
        bind, statement = portal.bind, prepared.statement
        assert statement is not None
        question = Question(prepared.text)
        if bind is not None:
            question = Question(prepared.text, prepared.types, bind.formats, bind.values)
        if desk.bench.previewing and bind is not None and not self._closed_pipeline():
            return None
        why = BY_NAME if self._subject is not None else ""
        return desk.verdict(statement, operation, question, why)

    def _closed_pipeline(self) -> bool:
        """Before people are asked: a pipeline that has only prepared and bound is ended, so that its
        transaction holds no lock while they think (in a transaction block a Sync ends nothing); False: not
        yet. One that has run something stays open, for a Sync would commit that."""
        state = self._desk.state
        if not state.open_pipeline or (state.executed and not state.in_block):
            return True
        if state.ledger:
            state.flush()
            return False
        state.send(SYNC_MESSAGE, Owed(Kind.SYNC, muted=True))
        self._unbound = not state.in_block
        return False

    def _bound(self, portal: Portal, operation: Operation) -> Operation:
        bind = portal.bind
        if bind is None or not bind.values:
            return operation
        shown = parameters.shown(bind.values, bind.formats, portal.prepared.types)
        return replace(operation, parameters=shown)

    def _send(self, portal: Portal, permitted: Permitted) -> None:
        desk, state, prepared = self._desk, self._desk.state, portal.prepared
        statement = prepared.statement
        assert statement is not None
        if permitted.cap is not None and self._execute.max_rows and statement.returns_rows:
            raise CannotRewrite(_IN_PARTS, "Ask for all its rows at once, without a fetch size.")
        if self._unbound and portal.bind is not None:
            change = state.names.put(state.names.portals, self._execute.portal, portal)
            owed = Owed(Kind.BIND, muted=True, guarded=True, changes=[change])
            state.send(portal.bind.encode(), owed)
        rewritten = self._wanted(portal, permitted)
        if permitted.cacheable and self._subject is None:
            prepared.permitted = permitted
            prepared.permitted_in_block = state.in_block
            assert self._operation is not None
            if portal.bind is not None:
                judged = Judged(statement, self._operation, permitted, rewritten)
                desk.memory.keep_prepared(prepared, judged)
        changes = desk.changes(statement, permitted, rewritten)
        formats = portal.bind.result_formats if portal.bind else ()
        run = desk.run(statement, permitted, rewritten, formats, self._operation)
        run.changes = changes
        portal.run = run
        portal.ground = desk.ground
        for words in permitted.notices:
            state.say(refuse.notice(words))
        if run.forbidden or run.scan is not None:
            describe = Describe("P", self._execute.portal).encode()
            state.send(describe, Owed(Kind.DESCRIBE, muted=True, describes=run, guarded=True))
        desk.note(statement)
        state.send(self._message, Owed(Kind.EXECUTE, [run]))
        if run.withheld is not None:
            state.flush()
            self._counted, self._permitted = run, None

    def _wanted(self, portal: Portal, permitted: Permitted) -> Rewritten:
        """What today's decision asks to be run; the portal is bound to it. Raises CannotRewrite."""
        desk, prepared = self._desk, portal.prepared
        statement = prepared.statement
        assert statement is not None
        if self._subject is not None:
            # What runs a prepared statement may not do so in every way: EXPLAIN would show its filter.
            desk.rewritten(statement, permitted.obligations)
            found = desk.check_subject(self._subject, permitted)
            if found is not None:
                return found
        if portal.bind is None:
            return desk.check_subject(prepared, permitted) or _EMPTY
        known = prepared.rewritten
        if known is None or permitted.obligations != prepared.obligations or prepared.renewed:
            known = self._asked_for(prepared, statement, permitted)
        if portal.rewritten is not None and known.text != portal.rewritten.text:
            if portal.run is not None:
                raise CannotRewrite(
                    "the policies have changed while this portal was open",
                    "Run the statement again: what it may show is different now.",
                )
            self._bind_anew(portal, portal.bind, known)
        return known

    def _asked_for(self, prepared: Prepared, statement: Statement, permitted: Permitted) -> Rewritten:
        """The statement under obligations other than those it was prepared under; made once for each."""
        wanted = prepared.wanted
        if wanted is None or wanted[0] is not statement or wanted[1] != permitted.obligations:
            made = self._desk.rewritten(statement, permitted.obligations)
            wanted = prepared.wanted = (statement, permitted.obligations, made)
        return wanted[2]

    def _bind_anew(self, portal: Portal, bind: Bind, wanted: Rewritten) -> None:
        state, name = self._desk.state, self._execute.portal
        types = portal.prepared.types
        for message, kind in (
            (FORGET, Kind.CLOSE),
            (Close("P", name).encode(), Kind.CLOSE),
            (Parse(RESERVED, wanted.text.encode(), types).encode(), Kind.PARSE),
            (replace(bind, statement=RESERVED).encode(), Kind.BIND),
            (FORGET, Kind.CLOSE),
        ):
            state.send(message, Owed(kind, muted=True, guarded=True))
        portal.rewritten = wanted


def no_statement(name: str) -> bytes:
    """The error for a statement that is not there."""
    called = f'prepared statement "{name}"' if name else "unnamed prepared statement"
    return refuse.error("26000", f"{called} does not exist")


def check_length(name: str) -> None:
    """Raises Turned for a name that the server would cut, and so take for another than it is here."""
    if len(name.encode()) > MAX_NAME_BYTES:
        words = f"the name of a statement or portal may have {MAX_NAME_BYTES} bytes at most"
        raise Turned(refuse.error("42622", words, "", "Use a shorter name."))


def check_name(name: str) -> None:
    """Raises Turned for a name that may not be given: too long, or kept for exchanges of our own."""
    check_length(name)
    if name.startswith(RESERVED):
        raise Turned(refuse.error("42602", f"names that begin with {RESERVED} are reserved"))

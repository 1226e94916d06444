"""A Query: any number of statements in one text, judged all before any is sent."""

from __future__ import annotations

from collections.abc import Iterable

from tollhouse_core.decision import Permitted, Refused
from tollhouse_proxy.ports.judging import Completion, Outcome, Standing
from tollhouse_proxy.protocols.postgres import refuse
from tollhouse_proxy.protocols.postgres.anything import ANYTHING
from tollhouse_proxy.protocols.postgres.asking import CatalogUnreadable
from tollhouse_proxy.protocols.postgres.bench import FactFailed, Postponed
from tollhouse_proxy.protocols.postgres.counted import CountedQuery
from tollhouse_proxy.protocols.postgres.decisions import Judged, Known, is_whole
from tollhouse_proxy.protocols.postgres.desk import Desk, Turned
from tollhouse_proxy.protocols.postgres.elevation import Elevation, Job
from tollhouse_proxy.protocols.postgres.hidden import Question
from tollhouse_proxy.protocols.postgres.inquiring import BEHIND_OTHERS, BY_NAME
from tollhouse_proxy.protocols.postgres.ledger import Kind, Owed, Run
from tollhouse_proxy.protocols.postgres.names import Prepared
from tollhouse_proxy.protocols.postgres.spelling import moved, positions, spelled
from tollhouse_proxy.protocols.postgres.sql.statement import (
    CannotRewrite,
    Edit,
    NotUnderstood,
    Rewritten,
    Statement,
)
from tollhouse_proxy.protocols.postgres.stepped import NEED_STEPS, SteppedQuery, moves_names
from tollhouse_proxy.protocols.postgres.wire.backend import ReadyForQuery
from tollhouse_proxy.protocols.postgres.wire.frontend import Query
from tollhouse_proxy.protocols.postgres.withheld import passed_on

STATEMENTS_A_TURN = 20
"""So many statements of one text are judged before other sessions get their turn."""


_MOST_READINGS = 5
"""So often a text is read when the catalog moves before anybody has judged it."""

_AMONG = "it stands among other statements in one text"


class Stepwise(Exception):
    """The text is run statement by statement."""


class SimpleQuery:
    """One Query message on its way."""

    def __init__(self, desk: Desk, message: bytes) -> None:
        self._desk = desk
        self._message = message
        self._text = ""
        self._statements: tuple[Statement, ...] | None = None
        self._ground: object = None
        self._stepped: SteppedQuery | None = None
        self._subject: Prepared | None = None
        self._judged: list[Judged] = []
        self._open: Judged | None = None
        self._in_block = False
        """Whether a transaction block is open where the next statement of the text runs."""
        self._notices: list[str] = []
        self._readings = 1
        self._elevation: Elevation | None = None
        self._counted: CountedQuery | None = None

    def advance(self) -> bool:
        """Goes on as far as it can; True when the message is dealt with."""
        if self._counted is not None:
            return self._counted.advance()
        if self._stepped is not None:
            return self._stepped.advance()
        if self._desk.overtaken():
            return True
        try:
            if self._elevation is not None:
                return self._elevated(self._elevation)
            if not self._desk.upkeep.fresh(self._message[5:-1]):
                return False
            if self._may_read_anew():
                self._statements, self._readings = None, self._readings + 1
            if self._statements is None:
                if self._run_known():
                    return True
                self._text = self._desk.decoded(Query.parse(self._message[5:]).text)
                self._statements = self._read(self._text)
                self._in_block = self._desk.state.in_block
                self._ground = self._desk.ground[1:]
            self._desk.stand_on(self._ground)
            if not self._judge_all(self._statements):
                return False
            if any(judged.permitted.credential for judged in self._judged):
                self._elevation = self._elevate()
                return self._elevated(self._elevation)
            if any(judged.permitted.cap is not None for judged in self._judged):
                self._tell(self._notices)
                self._counted = CountedQuery(self._desk, self._judged)
                return self._counted.advance()
            self._send()
        except Stepwise:
            return self.advance()
        except Postponed:
            return False
        except Turned as turned:
            self._refuse(turned.words)
        except CatalogUnreadable as failed:
            self._refuse(failed.words)
        except FactFailed as failed:
            self._refuse(passed_on(failed.report, guarded=True, positions=None).encode())
        except CannotRewrite as cannot:
            self._refuse(refuse.cannot_rewrite(cannot, self._desk.state.judge.revision))
        return True

    def _may_read_anew(self) -> bool:
        """Whether the catalog has moved since the text was read, and nobody has judged any of it."""
        if self._statements is None or self._judged or self._desk.bench.asked:
            return False
        return self._readings < _MOST_READINGS and self._ground != self._desk.ground[1:]

    def _elevate(self) -> Elevation:
        """Raises Turned."""
        judged = self._judged[0]
        if len(self._judged) > 1:
            for one in self._judged:
                self._desk.own(one.permitted)
        return Elevation(
            self._desk,
            Job(judged.statement, judged.operation, judged.permitted, judged.statement.start),
        )

    def _elevated(self, elevation: Elevation) -> bool:
        if not elevation.advance():
            return False
        self._judged.clear()
        self._desk.state.say(ReadyForQuery("I").encode())
        return True

    def _read(self, text: str) -> tuple[Statement, ...]:
        """Raises Turned, and Stepwise for a text that makes what it needs."""
        desk = self._desk
        try:
            statements = desk.understood(text)
        except NotUnderstood as found:
            if found.sqlstate in NEED_STEPS:
                self._step_through(text)
            raise Turned(desk.unreadable(text, found)) from None
        if moves_names(statements) and not desk.state.judge.unbound(ANYTHING):
            self._step_through(text)
        return statements

    def _step_through(self, text: str) -> None:
        """Raises Stepwise for more than one statement."""
        try:
            pieces = self._desk.split(text)
        except NotUnderstood as found:
            raise Turned(self._desk.unreadable(text, found)) from None
        if len(pieces) > 1:
            self._stepped = SteppedQuery(self._desk, pieces)
            raise Stepwise

    def _run_known(self) -> bool:
        """The short way: this text, or its like, was permitted before on the same ground."""
        known = self._desk.memory.book.find(self._message) if is_whole(self._message) else None
        if known is None:
            return False
        if known.standing is not None:
            return self._run_standing(known, known.standing)
        judge = self._desk.state.judge
        runs: list[Run] = []
        notices: list[str] = []
        for one in known.judged:
            verdict = judge.again(one.permitted, one.operation)
            if verdict is None:
                self._release(runs)
                return False
            if isinstance(verdict, Refused):
                self._release(runs)
                raise Turned(refuse.refused(verdict))
            run = self._desk.run(one.statement, verdict, one.rewritten)
            run.positions = known.positions
            runs.append(run)
            notices += verdict.notices
        for one in known.judged:
            self._desk.note(one.statement)
        self._tell(notices)
        self._desk.state.send(known.message, Owed(Kind.QUERY, runs, positions=known.positions))
        return True

    def _run_standing(self, known: Known, standing: Standing) -> bool:
        desk = self._desk
        now = desk.upkeep.now()
        verdict = desk.state.judge.repeat(standing, known.text_of(self._message), (), now)
        if verdict is None:
            return False
        if isinstance(verdict, Refused):
            raise Turned(refuse.refused(verdict))
        if isinstance(verdict, Permitted):
            self._tell(verdict.notices)
        number = verdict.operation_id if isinstance(verdict, Permitted) else verdict
        desk.note(known.statement)
        desk.state.send(known.message or self._message, known.owed(number, self._message))
        return True

    def _tell(self, notices: Iterable[str]) -> None:
        for words in notices:
            self._desk.state.say(refuse.notice(words))

    def _release(self, runs: list[Run]) -> None:
        for run in runs:
            done = Completion(run.operation, Outcome.CANCELLED, error_code="42501")
            self._desk.state.judge.completed(done)

    def _judge_all(self, statements: tuple[Statement, ...]) -> bool:
        desk = self._desk
        turn = len(self._judged) + STATEMENTS_A_TURN
        while self._open is not None or len(self._judged) < len(statements):
            if self._open is not None:
                self._complete(self._open)
                continue
            if len(self._judged) >= turn:
                desk.bench.pause()
                return False
            statement = statements[len(self._judged)]
            if not desk.bench.waiting:
                self._subject = desk.subject(statement)
            operation = desk.operation(
                statement,
                self._subject,
                self._in_block,
                _AMONG if len(statements) > 1 else "",
                statements[: len(self._judged)],
            )
            verdict = desk.verdict(
                statement, operation, Question(statement.text), self._not_alone(statements)
            )
            if verdict is None:
                return False
            if isinstance(verdict, Refused):
                raise Turned(refuse.refused(verdict))
            self._open = Judged(statement, operation, verdict, Rewritten(statement.text))
            self._judged.append(self._open)
            self._notices += verdict.notices
        return True

    def _not_alone(self, statements: tuple[Statement, ...]) -> str:
        """Why the statement in hand cannot be run beforehand; "" where it can."""
        if self._subject is not None:
            return BY_NAME
        return BEHIND_OTHERS if len(statements) > 1 else ""

    def _complete(self, judged: Judged) -> None:
        """What a permitted statement becomes; its operation is ended if it cannot be rewritten."""
        desk, statement, permitted = self._desk, judged.statement, judged.permitted
        judged.rewritten = desk.rewritten(statement, permitted.obligations)
        if self._subject is not None:
            found = desk.check_subject(self._subject, permitted)
            if found is not None:
                judged.rewritten = Rewritten(
                    judged.rewritten.text,
                    judged.rewritten.edits,
                    found.forbidden_origins,
                    found.guards_errors,
                )
        judged.changes = desk.changes(statement, permitted, judged.rewritten)
        self._in_block = statement.effect.in_transaction(self._in_block)
        self._open = None

    def _refuse(self, words: bytes) -> None:
        """All or nothing: what was permitted before the refused one does not run either."""
        desk = self._desk
        for judged in reversed(self._judged):
            desk.state.names.undo(judged.changes)
            done = Completion(judged.permitted.operation_id, Outcome.CANCELLED, error_code="42501")
            desk.state.judge.completed(done)
        self._judged.clear()
        desk.refuse_query(words)

    def _send(self) -> None:
        desk, state = self._desk, self._desk.state
        edits: list[Edit] = []
        for judged in self._judged:
            edits += moved(judged.rewritten.edits, judged.statement.start)
        message = self._message if not edits else Query(spelled(self._text, edits).encode()).encode()
        back = positions(edits)
        runs: list[Run] = []
        book = desk.memory.book
        for judged in self._judged:
            run = desk.run(judged.statement, judged.permitted, judged.rewritten, judged=judged.operation)
            run.positions = back
            run.changes = judged.changes
            runs.append(run)
            desk.note(judged.statement)
        self._tell(self._notices)
        state.send(message, Owed(Kind.QUERY, runs, positions=back))
        if is_whole(self._message):
            desk.memory.keep(book, self._message, message, tuple(self._judged), back)

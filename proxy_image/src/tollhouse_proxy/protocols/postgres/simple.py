"""A Query: any number of statements in one text, judged all before any is sent."""

from __future__ import annotations

from dataclasses import dataclass, field

from tollhouse_core.decision import Permitted, Refused
from tollhouse_core.operation import Operation
from tollhouse_proxy.ports.judging import Completion, Outcome
from tollhouse_proxy.protocols.postgres import refuse
from tollhouse_proxy.protocols.postgres.bench import FactFailed
from tollhouse_proxy.protocols.postgres.desk import Desk, Turned
from tollhouse_proxy.protocols.postgres.hidden import Question
from tollhouse_proxy.protocols.postgres.ledger import Kind, Owed, Positions, Run
from tollhouse_proxy.protocols.postgres.names import Change, Prepared
from tollhouse_proxy.protocols.postgres.spelling import moved, positions, spelled
from tollhouse_proxy.protocols.postgres.sql.statement import (
    CannotRewrite,
    Edit,
    EffectKind,
    NotUnderstood,
    Rewritten,
    Statement,
)
from tollhouse_proxy.protocols.postgres.stepped import UNKNOWN_NAMES, SteppedQuery
from tollhouse_proxy.protocols.postgres.upkeep import CatalogUnreadable
from tollhouse_proxy.protocols.postgres.wire.frontend import Query
from tollhouse_proxy.protocols.postgres.withheld import passed_on

_MAX_CACHED = 512
_MAX_CACHED_TEXT = 16 * 1024
_NAMING = frozenset(
    {
        EffectKind.PREPARE,
        EffectKind.EXECUTE,
        EffectKind.DEALLOCATE,
        EffectKind.DECLARE,
        EffectKind.FETCH,
        EffectKind.CLOSE,
        EffectKind.DISCARD,
    }
)


@dataclass(slots=True)
class Judged:
    """One statement that may run."""

    statement: Statement
    operation: Operation
    permitted: Permitted
    rewritten: Rewritten
    changes: list[Change] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Known:
    """A text that was permitted before, and may be again on the same ground."""

    ground: object
    message: bytes
    judged: tuple[Judged, ...]
    positions: Positions | None


class SimpleCache:
    """Texts of one session that were permitted, by their exact bytes."""

    def __init__(self) -> None:
        self._known: dict[bytes, Known] = {}

    def get(self, message: bytes, ground: object) -> Known | None:
        """What is known of this very text on this ground."""
        known = self._known.get(message)
        return known if known is not None and known.ground == ground else None

    def put(self, message: bytes, known: Known) -> None:
        """Remembers; a full memory is emptied."""
        if len(message) > _MAX_CACHED_TEXT:
            return
        if len(self._known) >= _MAX_CACHED:
            self._known.clear()
        self._known[message] = known


class Stepwise(Exception):
    """The text is run statement by statement."""


class SimpleQuery:
    """One Query message on its way."""

    def __init__(self, desk: Desk, cache: SimpleCache, message: bytes) -> None:
        self._desk = desk
        self._cache = cache
        self._message = message
        self._text = ""
        self._statements: tuple[Statement, ...] | None = None
        self._ground: object = None
        self._stepped: SteppedQuery | None = None
        self._subject: Prepared | None = None
        self._judged: list[Judged] = []
        self._in_block = False
        """Whether a transaction block is open where the next statement of the text runs."""
        self._notices: list[str] = []

    def advance(self) -> bool:
        """Goes on as far as it can; True when the message is dealt with."""
        if self._stepped is not None:
            return self._stepped.advance()
        try:
            if not self._desk.upkeep.fresh(self._message[5:-1]):
                return False
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
            self._send()
        except Stepwise:
            return self.advance()
        except Turned as turned:
            self._refuse(turned.words)
        except CatalogUnreadable as failed:
            self._refuse(failed.words)
        except FactFailed as failed:
            self._refuse(passed_on(failed.report, guarded=True, positions=None).encode())
        except CannotRewrite as cannot:
            self._refuse(refuse.cannot_rewrite(cannot, self._desk.state.judge.revision))
        return True

    def _read(self, text: str) -> tuple[Statement, ...]:
        """Raises Turned, and Stepwise for a text that makes what it needs."""
        desk = self._desk
        try:
            return desk.understood(text)
        except NotUnderstood as found:
            if found.sqlstate in UNKNOWN_NAMES:
                pieces = desk.dialect.split(text)
                if len(pieces) > 1:
                    self._stepped = SteppedQuery(desk, pieces)
                    raise Stepwise from None
            raise Turned(desk.unreadable(text, found)) from None

    def _run_known(self) -> bool:
        """The short way: the very text was permitted before on the same ground."""
        known = self._cache.get(self._message, (self._desk.ground, self._desk.state.in_block))
        if known is None:
            return False
        judge = self._desk.state.judge
        runs: list[Run] = []
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
            self._desk.note(one.statement)
        self._desk.state.send(known.message, Owed(Kind.QUERY, runs, positions=known.positions))
        return True

    def _release(self, runs: list[Run]) -> None:
        for run in runs:
            done = Completion(run.operation, Outcome.CANCELLED, error_code="42501")
            self._desk.state.judge.completed(done)

    def _judge_all(self, statements: tuple[Statement, ...]) -> bool:
        desk = self._desk
        while len(self._judged) < len(statements):
            statement = statements[len(self._judged)]
            if not desk.bench.waiting:
                self._subject = desk.subject(statement)
            operation = desk.operation(statement, self._subject, self._in_block)
            verdict = desk.bench.verdict(operation, Question(statement.text))
            if verdict is None:
                return False
            if isinstance(verdict, Refused):
                raise Turned(refuse.refused(verdict))
            self._accept(statement, verdict, operation)
            self._in_block = statement.effect.in_transaction(self._in_block)
        return True

    def _accept(self, statement: Statement, permitted: Permitted, operation: Operation) -> None:
        """Enters a permitted statement; its operation is ended if it cannot be rewritten."""
        desk = self._desk
        judged = Judged(statement, operation, permitted, Rewritten(statement.text))
        self._judged.append(judged)
        self._notices += permitted.notices
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
        ground = desk.ground, state.in_block
        for judged in self._judged:
            run = desk.run(judged.statement, judged.permitted, judged.rewritten)
            run.positions = back
            run.changes = judged.changes
            runs.append(run)
            desk.note(judged.statement)
        for words in self._notices:
            state.say(refuse.notice(words))
        state.send(message, Owed(Kind.QUERY, runs, positions=back))
        self._remember(message, back, ground)

    def _remember(self, message: bytes, back: Positions | None, ground: object) -> None:
        judged = tuple(self._judged)
        if not judged or any(
            not one.permitted.cacheable or one.statement.effect.kind in _NAMING or one.statement.effect.inner
            for one in judged
        ):
            return
        self._cache.put(self._message, Known(ground, message, judged, back))

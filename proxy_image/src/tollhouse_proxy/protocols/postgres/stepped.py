"""A Query whose later statements need what its earlier ones make: `CREATE TABLE t ...; INSERT INTO t ...`.

It cannot be judged as a whole, for what it speaks of does not exist yet, or is something else by then
(`ALTER TABLE t RENAME ...; CREATE VIEW t ...; TABLE t`). It is run statement by statement
in one pipeline without a Sync, which is one implicit transaction as the Query would have been; the catalog is
read again in between. A refusal fails that transaction, so nothing of the text stays (unless it says COMMIT
itself).
"""

from __future__ import annotations

from collections.abc import Sequence

from tollhouse_core.decision import Permitted, Refused
from tollhouse_core.operation import AccessKind
from tollhouse_proxy.ports.judging import Completion, Outcome
from tollhouse_proxy.protocols.postgres import refuse, withholding
from tollhouse_proxy.protocols.postgres.asking import CatalogUnreadable
from tollhouse_proxy.protocols.postgres.bench import FactFailed, Postponed
from tollhouse_proxy.protocols.postgres.desk import Desk, Turned
from tollhouse_proxy.protocols.postgres.hidden import FORGET, RESERVED, Question
from tollhouse_proxy.protocols.postgres.inquiring import BEHIND_OTHERS
from tollhouse_proxy.protocols.postgres.ledger import Kind, Owed, Run
from tollhouse_proxy.protocols.postgres.names import Prepared
from tollhouse_proxy.protocols.postgres.spelling import moved, positions
from tollhouse_proxy.protocols.postgres.sql.statement import (
    CannotRewrite,
    Edit,
    EffectKind,
    NotUnderstood,
    Rewritten,
    Statement,
)
from tollhouse_proxy.protocols.postgres.wire.frontend import Bind, Close, Describe, Execute, Parse
from tollhouse_proxy.protocols.postgres.withheld import passed_on

NEED_STEPS = frozenset({"42P01", "42703", "42704", "42883", "3F000", "0A000"})
"""What is said of a text that needs an object which is not there yet, or another role or search_path."""

_AMONG = "it stands among statements that make what it needs"
_COPY_ALONE = "COPY FROM STDIN cannot stand behind statements that make what it needs"


def moves_names(statements: Sequence[Statement]) -> bool:
    """Whether one that reads or writes stands behind one that may change what its names mean."""
    changed = False
    for one in statements:
        accesses = one.operation.accesses
        if changed and (not accesses or any(each.kind is not AccessKind.COMMAND for each in accesses)):
            return True
        changed = changed or one.effect.changes_catalog
    return False


class SteppedQuery:
    """`pieces` are the statements' texts and where each begins in the client's."""

    def __init__(self, desk: Desk, pieces: tuple[tuple[str, int], ...]) -> None:
        self._desk = desk
        self._pieces = pieces
        self._at = 0
        self._statement: Statement | None = None
        self._subject: Prepared | None = None
        self._permitted: Permitted | None = None
        self._counted: Run | None = None

    def advance(self) -> bool:
        """Goes on as far as it can; True when the text is dealt with."""
        state = self._desk.state
        try:
            while not state.skipping and self._at < len(self._pieces):
                if state.ledger:
                    state.flush()
                    return False
                self._settle()
                if not self._step():
                    return False
            if self._counted is not None and not state.skipping:
                if state.ledger:
                    state.flush()
                    return False
                self._settle()
        except Postponed:
            return False
        except Turned as turned:
            return self._refuse(turned.words)
        except CatalogUnreadable as failed:
            return self._refuse(failed.words)
        except FactFailed as failed:
            return self._refuse(passed_on(failed.report, guarded=True, positions=None).encode())
        except CannotRewrite as cannot:
            return self._refuse(refuse.cannot_rewrite(cannot, state.judge.revision))
        return self._end()

    def _settle(self) -> None:
        """What the statement before has written stays, or (Turned) nothing of the text does."""
        run, self._counted = self._counted, None
        if run is not None:
            answer_or_turn(self._desk, run)

    def _end(self) -> bool:
        """The Sync: the transaction is committed, or what failed is over."""
        self._desk.state.skipping = False
        self._desk.state.sync()
        return True

    def _refuse(self, words: bytes) -> bool:
        if self._permitted is not None:  # it was let through, and cannot be sent as it would have to be
            done = Completion(self._permitted.operation_id, Outcome.FAILED, error_code="42501")
            self._desk.state.judge.completed(done)
        state = self._desk.state
        if not state.open_pipeline:
            self._desk.refuse_query(words)
            return True
        if state.skipping:
            state.say(words)
        else:
            self._desk.refuse_extended(words)
        return self._end()

    def _step(self) -> bool:
        desk = self._desk
        text, start = self._pieces[self._at]
        if not desk.upkeep.fresh(text.encode()):
            return False
        if self._statement is None:
            [self._statement] = self._read(text, start)
            self._subject = desk.subject(self._statement)
            if self._statement.effect.kind is EffectKind.COPY_IN:
                raise Turned(refuse.error("0A000", _COPY_ALONE, "", "Send it as a query of its own."))
        if self._permitted is None:
            operation = desk.operation(self._statement, self._subject, beside=_AMONG)
            verdict = desk.verdict(self._statement, operation, Question(text), BEHIND_OTHERS)
            if verdict is None:
                return False
            if isinstance(verdict, Refused):
                raise Turned(refuse.refused(verdict))
            self._permitted = verdict
        desk.own(self._permitted)
        self._send(self._statement, self._permitted, start)
        self._at += 1
        self._statement = self._permitted = None
        return True

    def _read(self, text: str, start: int) -> tuple[Statement, ...]:
        try:
            return self._desk.understood(text)
        except NotUnderstood as found:
            if found.position is not None:
                found.position += start
            raise Turned(self._desk.unreadable(text, found)) from None

    def _send(self, statement: Statement, permitted: Permitted, start: int) -> None:
        desk, state = self._desk, self._desk.state
        rewritten = desk.rewritten(statement, permitted.obligations)
        if self._subject is not None:
            found = desk.check_subject(self._subject, permitted)
            if found is not None:
                rewritten = Rewritten(
                    rewritten.text, rewritten.edits, found.forbidden_origins, found.guards_errors
                )
        run = desk.run(statement, permitted, rewritten, judged=desk.operation(statement, self._subject))
        run.changes = desk.changes(statement, permitted, rewritten)
        run.positions = positions([Edit(0, start, ""), *moved(rewritten.edits, start)])
        for words in permitted.notices:
            state.say(refuse.notice(words))
        send_step(desk, statement, rewritten, run)
        if run.withheld is not None:
            self._counted = run


def send_step(desk: Desk, statement: Statement, rewritten: Rewritten, run: Run) -> None:
    """One statement of a Query, as a part of a pipeline without its Sync."""
    guarded = rewritten.guards_errors
    for message, owed in (
        (FORGET, Owed(Kind.CLOSE, muted=True)),
        (
            Parse(RESERVED, rewritten.text.encode()).encode(),
            Owed(Kind.PARSE, muted=True, guarded=guarded, positions=run.positions),
        ),
        (Bind(RESERVED, RESERVED).encode(), Owed(Kind.BIND, muted=True, guarded=guarded)),
        (Describe("P", RESERVED).encode(), Owed(Kind.DESCRIBE, describes=run, guarded=guarded)),
        (Execute(RESERVED).encode(), Owed(Kind.EXECUTE, [run])),
        (Close("P", RESERVED).encode(), Owed(Kind.CLOSE, muted=True)),
        (FORGET, Owed(Kind.CLOSE, muted=True)),
    ):
        desk.state.send(message, owed)
    desk.note(statement)


def answer_or_turn(desk: Desk, run: Run) -> None:
    """Says what a counted statement has answered. Raises Turned where what it wrote must not stay."""
    words = withholding.undone(run, desk.state.judge)
    if words:
        raise Turned(words)
    for message in withholding.kept(run, desk.state.judge):
        desk.state.say(message)

"""A Query with a statement whose rows are counted before they stay (`withholding`).

It has been judged as a whole already. It is run statement by statement in one pipeline without a Sync, which
is one implicit transaction as the Query would have been; behind a counted statement nothing goes out before
it is known that what it wrote may stay. What the last one answered is told when it is committed.
"""

from __future__ import annotations

from collections.abc import Sequence

from tollhouse_proxy.ports.judging import Completion, Outcome
from tollhouse_proxy.protocols.postgres import refuse, withholding
from tollhouse_proxy.protocols.postgres.decisions import Judged
from tollhouse_proxy.protocols.postgres.desk import Desk, Turned
from tollhouse_proxy.protocols.postgres.ledger import Kind, Owed, Run
from tollhouse_proxy.protocols.postgres.spelling import moved, positions
from tollhouse_proxy.protocols.postgres.sql.statement import Edit, EffectKind
from tollhouse_proxy.protocols.postgres.stepped import answer_or_turn, send_step
from tollhouse_proxy.protocols.postgres.wire.frontend import SYNC_MESSAGE

_COPY_BESIDE = "COPY FROM STDIN cannot stand in one text with a statement whose rows are counted"


class CountedQuery:
    """`judged` are all statements of the text, permitted and rewritten."""

    def __init__(self, desk: Desk, judged: Sequence[Judged]) -> None:
        self._desk = desk
        self._judged = list(judged)
        self._at = 0
        self._counted: Run | None = None

    def advance(self) -> bool:
        """Goes on as far as it can; True when the text is dealt with."""
        state = self._desk.state
        try:
            while not state.skipping and self._at < len(self._judged):
                if not self._settled():
                    return False
                self._step(self._judged[self._at])
                self._at += 1
            if not state.skipping and not self._settled(last=True):
                return False
        except Turned as turned:
            self._desk.refuse_extended(turned.words)
        return self._end()

    def _settled(self, *, last: bool = False) -> bool:
        """Whether it is known that what has been written may stay. Raises Turned where it may not."""
        run, state = self._counted, self._desk.state
        if run is None:
            return True
        if state.ledger:
            state.flush()
            return False
        if last:
            words = withholding.undone(run, state.judge)
            if words:
                self._counted = None
                raise Turned(words)
        else:
            self._counted = None
            answer_or_turn(self._desk, run)
        return True

    def _step(self, judged: Judged) -> None:
        desk, statement = self._desk, judged.statement
        if statement.effect.kind is EffectKind.COPY_IN:
            raise Turned(refuse.error("0A000", _COPY_BESIDE, "", "Send it as a query of its own."))
        run = desk.run(statement, judged.permitted, judged.rewritten)
        run.changes = judged.changes
        start = statement.start
        run.positions = positions([Edit(0, start, ""), *moved(judged.rewritten.edits, start)])
        send_step(desk, statement, judged.rewritten, run)
        if run.withheld is not None:
            self._counted = run

    def _end(self) -> bool:
        """The Sync: what was written is committed, or what failed is over, and what was not run never is."""
        state = self._desk.state
        for judged in reversed(self._judged[self._at :]):
            state.names.undo(judged.changes)
            state.judge.completed(
                Completion(judged.permitted.operation_id, Outcome.CANCELLED, error_code="42501")
            )
        committed = [self._counted] if self._counted is not None and not state.skipping else []
        state.skipping = False
        state.send(SYNC_MESSAGE, Owed(Kind.SYNC, committed))
        return True

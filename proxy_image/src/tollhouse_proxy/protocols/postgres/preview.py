"""What a statement that people are asked about would do: the planner's estimate, and a run that is undone.

The run is one pipeline of our own whose last message can only fail, so that its implicit transaction is
rolled back whatever happens: when the statement fails, when it is cancelled, when this process dies. Within a
client's transaction it stands between a savepoint and the way back to it instead. Either way locks are held
as long as the run takes, which is bounded, and not while people think.

What has effects that stay is not run (`sql.consequences`); the request then says so in words.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tollhouse_core.approvals.effect import Preview
from tollhouse_proxy.protocols.postgres.hidden import BACK, HOLD, Question, ask
from tollhouse_proxy.protocols.postgres.ledger import Hidden
from tollhouse_proxy.protocols.postgres.sql.consequences import Consequences
from tollhouse_proxy.protocols.postgres.state import SessionState
from tollhouse_proxy.protocols.postgres.wire.backend import Report
from tollhouse_proxy.protocols.postgres.withheld import said_of
from tollhouse_proxy.protocols.postgres.withholding import rows_written

RUN_MILLISECONDS = 5_000
"""How long a run may take, and"""
LOCK_MILLISECONDS = 1_000
"""how long it may wait for a lock; the client's own bounds hold where they are shorter."""

EXPLAINABLE = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"})
_BOUNDED = """
SELECT pg_catalog.set_config(s.name,
  LEAST(NULLIF(s.setting::pg_catalog.int8, 0),
    CASE s.name WHEN 'lock_timeout' THEN {lock} ELSE {run} END)::pg_catalog.text, true)
FROM pg_catalog.pg_settings s WHERE s.name IN ('lock_timeout', 'statement_timeout')
""".strip()
_FAILS = Question("tollhouse rolls back this preview")
_IN_PIPELINE = "it stands in a pipeline behind statements that have run"


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A statement as it would be sent, rewritten and with its parameters, and what it does besides.
    `planned`: whether the planner may be asked about it."""

    question: Question
    planned: bool
    consequences: Consequences


class Rehearsal:
    """One preview. `found` gets what came of it; `failed` the error of a statement that cannot be planned.

    Advance it whenever nothing is owed.
    """

    def __init__(
        self,
        state: SessionState,
        inquiry: Inquiry,
        *,
        runs: bool,
        found: Callable[[Preview], None],
        failed: Callable[[Report], None],
    ) -> None:
        self._state = state
        self._inquiry = inquiry
        self._runs = runs
        self._found = found
        self._failed = failed
        self._planned: Preview | None = None
        self._reason = inquiry.consequences.reason
        self._under_way = False
        self.given_up = False
        """The client has cancelled: its statement fails, and its transaction with it."""

    def advance(self) -> None:
        """Asks what is to be asked next."""
        if self._under_way or self._state.ledger:
            self._state.flush()
        elif self._planned is not None:
            self._run(self._planned)
        elif self._inquiry.planned:
            self._explain()
        else:
            self._end(Preview(), self._reason)

    def _ask(
        self, questions: list[Question], done: Callable[[Hidden], None], *, counts: bool = False
    ) -> None:
        self._under_way = True

        def told(hidden: Hidden) -> None:
            self._under_way = False
            done(hidden)

        ask(self._state, questions, told, counts=counts)

    # ------------------------------------------------------------ the plan

    def _explain(self) -> None:
        question = self._inquiry.question
        text = f"EXPLAIN (VERBOSE, FORMAT JSON) {question.text}"
        questions = [Question(text, question.types, question.formats, question.values)]
        if self._runs and not self._reason and self._inquiry.consequences.question:
            questions.append(Question(self._inquiry.consequences.question))
        self._ask(questions, self._explained)

    def _explained(self, hidden: Hidden) -> None:
        if hidden.error is not None:
            self._failed(hidden.error)
            return
        planned = Preview(planned_rows(hidden.results), planned_relations(hidden.results))
        if len(hidden.results) > 1:
            self._reason = hidden.results[1][0][0] or ""
        if not self._reason and not self._state.quiet:
            self._reason = _IN_PIPELINE
        if self._reason or not self._runs:
            self._end(planned, self._reason)
        else:
            self._planned = planned

    def _end(self, planned: Preview, reason: str) -> None:
        note = f"not run beforehand: {reason}" if reason and self._runs else ""
        self._found(Preview(planned.estimated_rows, planned.relations, note=note))

    # ------------------------------------------------------------ the run

    def _run(self, planned: Preview) -> None:
        self._planned = None
        question = self._inquiry.question
        bounded = Question(_BOUNDED.format(lock=LOCK_MILLISECONDS, run=RUN_MILLISECONDS))
        if self._state.status == "T":
            steps = [HOLD, bounded, question, *BACK]
            self._ask(steps, lambda hidden: self._ran_within(planned, hidden), counts=True)
        else:
            steps = [bounded, question, _FAILS]
            self._ask(steps, lambda hidden: self._ran(planned, hidden, at=1), counts=True)

    def _ran_within(self, planned: Preview, hidden: Hidden) -> None:
        """Where the client has cancelled there is no way back: it hears an error, its transaction failed."""
        if hidden.error is None or self.given_up:
            self._ran(planned, hidden, at=2)
        else:
            self._ask(list(BACK), lambda back: self._came_back(planned, hidden, back))

    def _came_back(self, planned: Preview, hidden: Hidden, back: Hidden) -> None:
        if back.error is not None:
            self._failed(back.error)
        else:
            self._ran(planned, hidden, at=2)

    def _ran(self, planned: Preview, hidden: Hidden, *, at: int) -> None:
        """The statement was step `at`; if it failed, its answer is not there."""
        counted = rows_written(hidden.tags[at]) if len(hidden.tags) > at else None
        if counted is not None:
            self._found(Preview(planned.estimated_rows, planned.relations, counted))
        elif hidden.error is None:
            self._end(planned, "its answer tells no number of rows")
        else:
            self._end(planned, f"it failed when it was run, {said_of(hidden.error)}")


def planned_rows(results: list[list[tuple[str | None, ...]]]) -> int | None:
    """Rows the planner expects to be returned, or to be written; None when it cannot be told."""
    try:
        plan = json.loads(results[0][0][0] or "")[0]["Plan"]
        if plan["Node Type"] == "ModifyTable":
            return int(max(child["Plan Rows"] for child in plan["Plans"]))
        return int(plan["Plan Rows"])
    except (LookupError, TypeError, ValueError):
        return None


def planned_relations(results: list[list[tuple[str | None, ...]]]) -> tuple[str, ...]:
    """Tables in the plan, as `schema.table`, in its order; () when they cannot be told."""
    try:
        pending: list[Any] = [json.loads(results[0][0][0] or "")[0]["Plan"]]
    except (LookupError, TypeError, ValueError):
        return ()
    found: dict[str, None] = {}
    while pending:
        node = pending.pop(0)
        if not isinstance(node, dict):
            continue
        if isinstance(name := node.get("Relation Name"), str):
            schema = node.get("Schema")
            found[f"{schema}.{name}" if isinstance(schema, str) else name] = None
        for below in ("Target Tables", "Plans"):
            inner = node.get(below)
            pending.extend(inner if isinstance(inner, list) else ())
    return tuple(found)

"""Where a statement waits: facts are looked up, people are asked, long texts are read apart."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tollhouse_core.decision import Permitted, Refusal, Refused, RuleRef, Verdict
from tollhouse_core.operation import Operation
from tollhouse_proxy.exchange import Forget, Promise, Settled, Tools, Wait
from tollhouse_proxy.ports.judging import Completion, Outcome
from tollhouse_proxy.protocols.postgres import refuse
from tollhouse_proxy.protocols.postgres.hidden import Question, ask
from tollhouse_proxy.protocols.postgres.inquiring import Inquiring, Previews
from tollhouse_proxy.protocols.postgres.ledger import Hidden
from tollhouse_proxy.protocols.postgres.preview import EXPLAINABLE, planned_rows
from tollhouse_proxy.protocols.postgres.state import SessionState
from tollhouse_proxy.protocols.postgres.wire.backend import Report

ESTIMATED_ROWS = "estimatedRows"


class Postponed(Exception):
    """What was asked for is being made apart: advance the task again when something has happened."""


class Cancelled(Exception):
    """The client cancelled what was being made apart."""


@dataclass(slots=True)
class _Made:
    """Something that is made apart, and what came of it."""

    key: object
    number: int
    value: Any = None
    error: BaseException | None = None
    done: bool = False


class FactFailed(Exception):
    """The planner refused the statement; it is the statement's own error."""

    def __init__(self, report: Report) -> None:
        super().__init__("the statement cannot be planned")
        self.report = report


class Bench:
    """Asks the judge about one operation at a time."""

    def __init__(self, state: SessionState, tools: Tools) -> None:
        self._state = state
        self._tools = tools
        self._number = 0
        self._waiting = False
        self._told = False
        self._settled: Verdict | None = None
        self._asked: tuple[Question, Promise] | None = None
        self._failed: Report | None = None
        self._made: list[_Made] = []
        self._previews = Previews(state, tools, self._unrunnable)

    @property
    def previewing(self) -> bool:
        """Whether people will be asked, and a preview for them is outstanding."""
        return self._previews.outstanding

    @property
    def waiting(self) -> bool:
        """Whether a verdict is outstanding."""
        return self._waiting

    @property
    def asked(self) -> bool:
        """Whether somebody was asked for a verdict, and it is outstanding or not taken yet."""
        return self._waiting or self._settled is not None or self._failed is not None

    @property
    def quiet(self) -> bool:
        """Whether nothing is outstanding, or was given and not taken."""
        return not (self._made or self.asked)

    @property
    def failing(self) -> bool:
        """Whether an exchange of our own has failed, and nobody was told yet."""
        return self._failed is not None

    def verdict(
        self, operation: Operation, question: Question | None, inquiring: Inquiring | None = None
    ) -> Verdict | None:
        """The verdict; None: ask again with the same operation when something has happened. `question` is
        the statement for the planner, `inquiring` makes what people are told of its effect. Raises
        FactFailed, and as `inquiring` does."""
        if self._failed is not None:
            report, self._failed = self._failed, None
            if self._waiting:
                self._forget()
            raise FactFailed(report)
        if self._settled is not None:
            verdict, self._settled = self._settled, None
            return verdict
        if self._waiting:
            self._explain()
            self._previews.go_on(inquiring)
            return None
        preview = None if inquiring is None else self._previews.look
        answer = self._state.judge.judge(operation, self._lookup(operation, question), self._tell, preview)
        if isinstance(answer, Permitted | Refused):
            return answer
        self._number += 1
        self._waiting = True
        self._told = False
        self._state.outbox.effects.append(Wait(self._number, answer))
        self._state.flush()
        return None

    def made(self, key: object, make: Callable[[], Awaitable[Any]]) -> Any:
        """What `make` gives for `key`, made once for the message in hand. Raises Postponed until it is there,
        then what `make` raised, or Cancelled."""
        for one in self._made:
            if one.key == key:
                if not one.done:
                    raise Postponed
                if one.error is not None:
                    raise one.error
                return one.value
        self._number += 1
        self._made.append(_Made(key, self._number))
        self._state.outbox.effects.append(Wait(self._number, make()))
        self._state.flush()
        raise Postponed

    def pause(self) -> None:
        """Others get their turn; the task is advanced again right after."""
        self._tools.wake()

    def settle(self, settled: Settled) -> None:
        """The answer to Wait. An error of the guard ends the session."""
        for one in self._made:
            if one.number == settled.number and not one.done:
                one.value, one.error, one.done = settled.value, settled.error, True
                return
        if not self._waiting or settled.number != self._number:
            return
        self._waiting = False
        if settled.error is not None:
            raise settled.error
        self._settled = settled.value
        if self._told:
            # People took their time: what the statement means is looked at again before it goes.
            self._state.doubt()

    def cancel(self) -> bool:
        """The client cancels the statement that waits; False: none does."""
        for one in self._made:
            if not one.done:
                self._state.outbox.effects.append(Forget(one.number))
                one.error, one.done = Cancelled(), True
                return True
        if not self._waiting:
            return False
        self._forget()
        self._settled = Refused(
            Refusal.CANCELLED,
            "canceling statement due to user request",
            "It waited for a decision; the request for approval is withdrawn.",
            RuleRef(),
            self._state.judge.revision,
        )
        return True

    def reset(self) -> None:
        """Another message begins: a verdict that nobody took is not for it."""
        self._clear()
        if self._waiting:
            self._forget()
        untaken, self._settled, self._failed = self._settled, None, None
        if isinstance(untaken, Permitted):
            done = Completion(untaken.operation_id, Outcome.CANCELLED)
            self._state.judge.completed(done)

    def withdraw(self) -> None:
        """The session ends."""
        self._clear()
        if self._waiting:
            self._forget()
        self._previews.let_go()

    def _clear(self) -> None:
        if self._made:
            for one in self._made:
                if not one.done:
                    self._state.outbox.effects.append(Forget(one.number))
            self._made.clear()

    def _forget(self) -> None:
        self._waiting = False
        self._asked = None
        self._previews.forget()
        self._state.outbox.effects.append(Forget(self._number))

    def _tell(self, name: str, words: str) -> None:
        self._told = True
        said = words if name in words else f"{words} ({name})"
        self._state.say(refuse.notice(said, json.dumps({"decision": "pending", "request": name})))
        self._tools.wake()

    def _lookup(self, operation: Operation, question: Question | None) -> Any:
        def facts(names: frozenset[str]) -> Awaitable[Mapping[str, object]]:
            promise = self._tools.promise()
            if question is None or ESTIMATED_ROWS not in names or operation.action not in EXPLAINABLE:
                promise.set_result({})
            else:
                self._asked = (question, promise)
                self._tools.wake()
            return promise

        return facts

    def _explain(self) -> None:
        """Asks the planner as soon as nothing is owed."""
        if self._asked is None or self._state.ledger:
            self._state.flush()
            return
        question, promise = self._asked
        self._asked = None

        def done(hidden: Hidden) -> None:
            if hidden.error is not None:
                self._failed = hidden.error
            elif not promise.done():
                promise.set_result({ESTIMATED_ROWS: planned_rows(hidden.results)})

        text = f"EXPLAIN (FORMAT JSON) {question.text}"
        ask(self._state, [Question(text, question.types, question.formats, question.values)], done)

    def _unrunnable(self, report: Report | None) -> None:
        self._waiting = False
        self._failed = report

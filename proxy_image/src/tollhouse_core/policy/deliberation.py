"""What one evaluation finds out on its way: conditions run once each, and what they read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import Enum, auto

from tollhouse_core.decision import Mode, Observation, RuleRef
from tollhouse_core.identity import Session
from tollhouse_core.operation import Operation
from tollhouse_core.policy.conditions import Condition, ConditionFailed, Situation
from tollhouse_core.policy.rules import Head


class Truth(Enum):
    """The answer of a condition; FAILED is turned into the stricter answer before it leaves here."""

    YES = auto()
    NO = auto()
    UNKNOWN = auto()
    FAILED = auto()


class Deliberation:
    """One evaluation's notes."""

    __slots__ = (
        "_answers",
        "_asked",
        "_failures",
        "_now",
        "_observations",
        "_operation",
        "missing",
        "session",
        "steady",
    )

    def __init__(
        self, asked_facts: frozenset[str], session: Session, operation: Operation | None, now: datetime
    ) -> None:
        self.session = session
        self._operation = operation
        self._now = now
        self.missing: set[str] = set()
        self.steady = True
        self._asked = asked_facts
        self._answers: dict[RuleRef, Truth] = {}
        self._failures: dict[RuleRef, str] = {}
        self._observations: dict[RuleRef, Observation] = {}

    @property
    def cacheable(self) -> bool:
        """Whether the answer may be used again for statements of the same form; not while
        something is observed, since every time counts."""
        return self.steady and not self._observations

    @property
    def observed(self) -> tuple[Observation, ...]:
        """What rules that do not bind would have done, and conditions that failed, by name."""
        if not self._observations:
            return ()
        return tuple(
            self._observations[ref] for ref in sorted(self._observations, key=lambda r: (r.policy, r.rule))
        )

    def opens(self, head: Head) -> Truth:
        """For an allow: a failed condition opens nothing."""
        if head.condition is None:
            return Truth.YES
        answer = self._answer(head, head.condition)
        if answer is Truth.FAILED:
            self._observe(head, "allow", "the rule did not count")
            return Truth.NO
        return answer

    def binds(self, head: Head, would: str, message: str) -> Truth:
        """For a deny or an approval: a failed condition binds. Notes what does not bind by mode."""
        answer = Truth.YES if head.condition is None else self._answer(head, head.condition)
        if answer is Truth.FAILED:
            self._observe(head, would, message or "the rule counted")
            return Truth.YES
        if answer is Truth.YES and head.mode is not Mode.ENFORCE:
            self._observe(head, would, message)
        return answer

    def binds_quietly(self, head: Head, would: str) -> bool:
        """For obligations: whether they bind. An unknown one is asked for, and counts meanwhile."""
        if head.condition is None:
            return True
        answer = self._answer(head, head.condition)
        if answer is Truth.FAILED:
            self._observe(head, would, "the rule counted")
        return answer is not Truth.NO

    def _observe(self, head: Head, would: str, message: str) -> None:
        failure = self._failures.get(head.ref, "")
        words = f"its condition failed ({failure})" if failure else ""
        said = f"{words}; {message}" if words and message else words or message
        self._observations[head.ref] = Observation(head.ref, head.mode, would, said)

    def _answer(self, head: Head, condition: Condition) -> Truth:
        known = self._answers.get(head.ref)
        if known is None:
            known = self._answers[head.ref] = self._ask(head.ref, condition)
        return known

    def _ask(self, ref: RuleRef, condition: Condition) -> Truth:
        facts: Mapping[str, object] = self._operation.facts if self._operation else {}
        missing = {
            name for name in self._asked if name not in facts and f"operation.{name}" in condition.reads
        }
        if missing:
            self.missing |= missing
            self.steady = False
            return Truth.UNKNOWN
        if not condition.steady:
            self.steady = False
        try:
            return (
                Truth.YES
                if condition.holds(Situation(self._operation, self.session, self._now))
                else Truth.NO
            )
        except ConditionFailed as failure:
            self._failures[ref] = str(failure)
            return Truth.FAILED

"""A gate whose judges decide and let nothing through."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from tollhouse_core.clock import Clock
from tollhouse_core.decision import (
    Decision,
    NeedsFacts,
    Obligations,
    Permitted,
    Refusal,
    Refused,
    RuleRef,
    SessionTerms,
)
from tollhouse_core.identity import Identity, Session
from tollhouse_core.operation import Operation
from tollhouse_core.policy.bundle import PolicyBundle
from tollhouse_core.policy.evaluate import evaluate
from tollhouse_proxy.ports.judging import (
    Completion,
    FactLookup,
    Overrun,
    PreviewLookup,
    Standing,
    Waiting,
)

DRY = "explained, not run"


@dataclass(frozen=True, slots=True)
class Judged:
    """One operation and what the engine says of it. `refused` is set where it was not understood."""

    operation: Operation
    decision: Decision | None
    refused: str = ""


@dataclass(slots=True)
class DryGate:
    """Opens a session for anybody and keeps what its judge decides."""

    bundle: PolicyBundle
    clock: Clock
    judged: list[Judged] = field(default_factory=list)
    facts_unknown: set[str] = field(default_factory=set)
    turned_away: str = ""
    _judge: DryJudge | None = None

    def open(self, session: Session) -> DryJudge:
        """See the Gate port."""
        self._judge = DryJudge(self, session)
        return self._judge

    def roles(self, session: Session, offered: Iterable[str]) -> tuple[str, ...]:
        """All of them: nobody logs in."""
        return tuple(offered)

    def judge_rest(self, operations: Iterable[Operation]) -> None:
        """Judges what a refusal of the first of several statements kept from being judged."""
        judged = [done.operation for done in self.judged]
        for operation in operations:
            found = next((at for at, one in enumerate(judged) if one.says_what(operation)), None)
            if found is not None:
                del judged[found]
            elif self._judge:
                self._judge.decide(operation)

    def refused(self, address: str, reason: str, identity: Identity | None = None) -> None:
        """Keeps the reason."""
        self.turned_away = reason


class DryJudge:
    """Decides like the real one, then refuses."""

    def __init__(self, gate: DryGate, session: Session) -> None:
        self._gate = gate
        self._session = session

    @property
    def revision(self) -> str:
        """The bundle's."""
        return self._gate.bundle.revision

    @property
    def terms(self) -> SessionTerms:
        """No bounds: it lasts for one statement."""
        return SessionTerms()

    @property
    def lost(self) -> str:
        """Never."""
        return ""

    def judge(
        self,
        operation: Operation,
        facts: FactLookup,
        waiting: Waiting,
        preview: PreviewLookup | None = None,
    ) -> Refused:
        """Decides, and lets nothing through."""
        self.decide(operation)
        return Refused(Refusal.DENIED, DRY, "", RuleRef(), self.revision)

    def decide(self, operation: Operation) -> None:
        """Facts that cost something are not asked for: they count as unknown, hence the stricter."""
        decision = self._decide(operation)
        if isinstance(decision, NeedsFacts):
            self._gate.facts_unknown |= decision.names
            unknown = dict.fromkeys(decision.names)
            decision = self._decide(replace(operation, facts={**operation.facts, **unknown}))
        self._gate.judged.append(Judged(operation, decision))

    def foresee(self, operation: Operation) -> Obligations | None:
        """None: whoever prepares must have it judged, which is what we are here for."""
        return None

    def freely(self, operation: Operation) -> bool:
        """Nothing is ever permitted."""
        return False

    def unasked(self, operation: Operation) -> bool:
        """Nothing is ever permitted."""
        return False

    def unbound(self, operation: Operation) -> bool:
        """Nothing is ever permitted."""
        return False

    def again(self, permitted: Permitted, operation: Operation) -> None:
        """Nothing is ever permitted."""
        return

    @property
    def principal(self) -> str:
        """Nothing is remembered."""
        return ""

    def standing(self, permitted: Permitted, operation: Operation) -> None:
        """Nothing is ever permitted."""
        return

    def repeat(
        self, standing: Standing, text: str, parameters: tuple[str | None, ...], now_monotonic: float
    ) -> None:
        """Nothing stands."""
        return

    def repeated(
        self, standing: Standing, number: int, rows: int, size: int, tag: str, now_monotonic: float
    ) -> bool:
        """Nothing stands."""
        return False

    def spent(self, operation_id: int, rows: int, size: int) -> Overrun | None:
        """Nothing goes out."""
        return None

    def completed(self, completion: Completion) -> None:
        """Nothing was begun."""

    def unreadable(self, operation: Operation, message: str, code: str) -> Refused | None:
        """Keeps why."""
        self._gate.judged.append(Judged(operation, None, message))
        return None

    def credential_refused(self, code: str, *, fetched_anew: bool) -> None:
        """Nothing to record."""

    def close(self, reason: str) -> None:
        """Nothing to record."""

    def _decide(self, operation: Operation) -> Decision:
        return evaluate(self._gate.bundle, self._session, operation, self._gate.clock.now())

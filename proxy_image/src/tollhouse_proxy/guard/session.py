"""One session's judge: bundle, decision, limits, approval, audit, verdict, in that order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tollhouse_core.audit.event import EventKind
from tollhouse_core.decision import (
    Allow,
    Decision,
    Deny,
    Limit,
    Mode,
    NeedsApproval,
    NeedsFacts,
    Obligations,
    Observation,
    Permitted,
    Refusal,
    Refused,
    RuleRef,
    SessionTerms,
    Verdict,
)
from tollhouse_core.identity import Session
from tollhouse_core.operation import Operation
from tollhouse_core.policy.bundle import PolicyBundle
from tollhouse_core.policy.evaluate import evaluate
from tollhouse_core.policy.sessions import admits, role_decision, session_terms, turned_out
from tollhouse_proxy.guard.answers import ill_fitted
from tollhouse_proxy.guard.approval import ApprovalDesk, Granted
from tollhouse_proxy.guard.counters import Counters
from tollhouse_proxy.guard.house import House
from tollhouse_proxy.guard.journal import Journal
from tollhouse_proxy.guard.limits import Exceeded, Meter, limit_message, retry_hint
from tollhouse_proxy.guard.records import MAX_TEXT, decision_record, operation_record
from tollhouse_proxy.guard.standing import COMPLETED, Standing, standing_for
from tollhouse_proxy.guard.vouching import issuer_of
from tollhouse_proxy.ports.audit import AuditUnavailable
from tollhouse_proxy.ports.judging import Completion, FactLookup, Outcome, Overrun, PreviewLookup, Waiting
from tollhouse_proxy.ports.judging import Standing as JudgeStanding

_log = logging.getLogger("tollhouse.guard")


_ANY_TIME = datetime.min.replace(tzinfo=UTC)

_TURNED_DOWN = {Refusal.DENIED: ("deny", "denied"), Refusal.LIMIT: ("limit", "limited")}
"""Refusals that audit and counters know by the same words as those without people."""


_Running = tuple[tuple[Limit, ...], float]
"""A permitted operation that has not ended yet: its limits, and when it began (monotonic seconds)."""


class SessionJudge:
    """The Judge of one session (`tollhouse_proxy.ports.judging`)."""

    def __init__(self, house: House, session: Session) -> None:
        self._house = house
        self._in_force = house.in_force
        self._session = session
        self._journal = Journal(session.id, house.sink, house.clock)
        self._tally = self._journal.tally
        self._running: dict[int, _Running] = self._tally.running
        self._meter = Meter(house.limits, house.clock, session.identity)
        self._desk = ApprovalDesk(house, session, self._journal)
        self._counters: Counters = house.counters
        self._operations = house.counters.operations
        self._admitted_by = house.in_force.revision
        self._vouched_by = self._issuer(house.in_force.bundle)
        self._closed = False
        terms = replace(session, id="", address="", started_at=_ANY_TIME)
        self._principal = repr(terms)

    @property
    def revision(self) -> str:
        """The bundle in force now."""
        return self._house.in_force.revision

    @property
    def journal(self) -> Journal:
        """The session's own chain of events."""
        return self._journal

    @property
    def terms(self) -> SessionTerms:
        """See the port."""
        bundle = self._house.in_force.bundle
        if bundle is None:
            return SessionTerms()
        return session_terms(bundle, self._session, self._house.clock.now())

    @property
    def lost(self) -> str:
        """See the port."""
        bundle = self._house.in_force.bundle
        if bundle is None or bundle.revision == self._admitted_by:
            return ""
        if not admits(bundle, self._session.identity):
            return f"no policy gives {self._session.identity.name} access any more"
        if self._role_lost(bundle):
            return f"no policy gives {self._session.identity.name} the role {self._session.role} any more"
        if self._issuer(bundle) != self._vouched_by:
            return f"the connection does not trust who vouched for {self._session.identity.name} any more"
        if why := turned_out(bundle, self._session.identity, self._house.clock.now()):
            return why
        self._admitted_by = bundle.revision
        return ""

    def unreadable(self, operation: Operation, message: str, code: str) -> Refused | None:
        """See the port. A limit that is used up answers first; else the protocol's own words do."""
        bundle = self._house.in_force.bundle
        if bundle is None:
            return no_bundle()
        decision = self._evaluate(bundle, operation)
        limits = () if isinstance(decision, NeedsFacts) else limits_of(decision)
        deny = Deny(bundle.revision, RuleRef(), f"{code}: {message}", limits=limits)
        verdict = self._settle(operation, deny)
        if isinstance(verdict, Refused) and verdict.refusal is not Refusal.DENIED:
            return verdict
        return None

    def credential_refused(self, code: str, *, fetched_anew: bool) -> None:
        """See the port."""
        self._counters.credentials_refused += 1
        try:
            data = {"code": code, "fetchedAnew": fetched_anew}
            self._journal.write(EventKind.CREDENTIAL_REFUSED, data)
        except AuditUnavailable as error:
            _log.error("session %s: a refused credential cannot be recorded: %s", self._session.id, error)

    def close(self, reason: str) -> None:
        """See the port. What was still running is lost from sight, and recorded so."""
        if self._closed:
            return
        self._closed = True
        self._counters.sessions_open -= 1
        try:
            for number in tuple(self._running):
                self.completed(Completion(number, Outcome.LOST))
            self._journal.write(EventKind.SESSION_CLOSED, {"reason": reason})
        except AuditUnavailable as error:
            _log.error("session %s: its end cannot be recorded: %s", self._session.id, error)

    def judge(
        self,
        operation: Operation,
        facts: FactLookup,
        waiting: Waiting,
        preview: PreviewLookup | None = None,
    ) -> Verdict | Awaitable[Verdict]:
        """See the port. Answers at once unless a fact or people must be asked."""
        bundle = self._house.in_force.bundle
        if bundle is None:
            return no_bundle()
        decision = self._evaluate(bundle, operation)
        if isinstance(decision, Allow | Deny):
            return self._settle(operation, decision)
        return self._deliberate(operation, decision, facts, waiting, preview)

    def again(self, permitted: Permitted, operation: Operation) -> Verdict | None:
        """See the port."""
        if not permitted.cacheable or permitted.revision != self.revision:
            return None
        allow = Allow(permitted.revision, permitted.rule, permitted.obligations, cacheable=True)
        return self._settle(operation, allow)

    @property
    def principal(self) -> str:
        """See the port."""
        bundle = self._house.in_force.bundle
        reads_address = bundle is not None and any(
            "session.address" in rule.head.condition.reads
            for rule in bundle.rules
            if rule.head.condition is not None
        )
        return self._principal + (self._session.address if reads_address else "")

    def standing(self, permitted: Permitted, operation: Operation) -> Standing | None:
        """See the port."""
        bundle = self._house.in_force.bundle
        if bundle is None or not permitted.cacheable or permitted.revision != bundle.revision:
            return None
        redacts = self._house.redactor.redacts(bundle)
        bare = replace(operation, text="", canonical="", parameters=())
        return standing_for(bundle, permitted, bare, self._counters.row(permitted.rule), redacts=redacts)

    def repeat(
        self, standing: JudgeStanding, text: str, parameters: tuple[str | None, ...], now_monotonic: float
    ) -> int | Permitted | Refused | None:
        """See the port."""
        if TYPE_CHECKING:
            assert isinstance(standing, Standing)
        if standing.bundle is not self._in_force.bundle or self._closed:
            return None
        if standing.limits and (unusual := self._count_again(standing, text, parameters)) is not None:
            return unusual
        if standing.redacts:
            hide, bundle = self._house.redactor.text, standing.bundle
            text = hide(text, bundle)
            parameters = tuple(None if value is None else hide(value, bundle) for value in parameters)
        tally = self._tally
        try:
            if parameters:
                number = tally.begin(standing.bound_form, (text, parameters), standing.limits, now_monotonic)
            else:
                number = tally.begin(standing.form, (text,), standing.limits, now_monotonic)
        except AuditUnavailable as error:
            if not standing.limits:
                return None  # judged anew, it is refused in so many words
            tally.operation += 1
            return self._unrecorded(error)
        self._operations["allowed"] += 1
        if standing.matched is not None:
            standing.matched["enforced"] += 1
        return number

    def _count_again(
        self, standing: Standing, text: str, parameters: tuple[str | None, ...]
    ) -> Permitted | Refused | None:
        """Limits count; None where none has anything to say."""
        if not standing.operation.counted:
            return None
        operation = replace(standing.operation, text=text, canonical=text, parameters=parameters)
        try:
            observed = self._meter.count_query(standing.limits)
        except Exceeded as exceeded:
            return self._limited_now(operation, exceeded)
        if not observed:
            return None
        permitted = standing.permitted
        allow = Allow(permitted.revision, permitted.rule, permitted.obligations, observed, cacheable=True)
        return self._settle(operation, allow, counted=True)

    def repeated(
        self, standing: JudgeStanding, number: int, rows: int, size: int, tag: str, now_monotonic: float
    ) -> bool:
        """See the port. Raises AuditUnavailable as `completed` does."""
        if TYPE_CHECKING:
            assert isinstance(standing, Standing)
        if standing.bundle is not self._in_force.bundle:
            return False
        counters = self._counters
        counters.rows += rows
        counters.bytes += size
        self._tally.end(COMPLETED, number, (tag, rows, size), now_monotonic)
        return True

    def foresee(self, operation: Operation) -> Obligations | None:
        """See the port. A condition on an unknown fact counts as the stricter outcome."""
        bundle = self._house.in_force.bundle
        if bundle is None:
            return None
        decision = self._evaluate(bundle, operation)
        if isinstance(decision, NeedsFacts):
            unknown = dict.fromkeys(decision.names)
            decision = self._evaluate(bundle, replace(operation, facts={**operation.facts, **unknown}))
        return decision.obligations if isinstance(decision, Allow | NeedsApproval) else None

    def freely(self, operation: Operation) -> bool:
        """See the port."""
        bundle = self._house.in_force.bundle
        decision = None if bundle is None else self._evaluate(bundle, operation)
        return isinstance(decision, Allow) and not decision.obligations.touches_data

    def unasked(self, operation: Operation) -> bool:
        """See the port."""
        bundle = self._house.in_force.bundle
        return bundle is not None and isinstance(self._evaluate(bundle, operation), Allow)

    def unbound(self, operation: Operation) -> bool:
        """See the port."""
        bundle = self._house.in_force.bundle
        if bundle is None:
            return False
        mine = bundle.applicable(self._session.identity)
        # A condition may speak of names: it holds for ANYTHING and not for what a view turns into.
        if not mine.only_opens or any(mine.meeting(one).opens is None for one in operation.accesses):
            return False
        decision = self._evaluate(bundle, operation)
        return isinstance(decision, Allow) and decision.cacheable

    def spent(self, operation_id: int, rows: int, size: int) -> Overrun | None:
        """See the port."""
        self._counters.rows += rows
        self._counters.bytes += size
        running = self._running.get(operation_id)
        if running is None or not running[0]:
            return None
        exceeded = self._meter.spend(running[0], rows, size)
        if exceeded is None:
            return None
        return Overrun(
            limit_message(exceeded.limit),
            retry_hint(exceeded.retry_after_seconds),
            exceeded.retry_after_seconds,
            exceeded.limit.rule,
            self.revision,
        )

    def completed(self, completion: Completion) -> None:
        """See the port. An outcome that cannot be recorded raises AuditUnavailable."""
        running = self._running.pop(completion.operation_id, None)
        if running is None:
            return
        duration = (self._house.clock.monotonic() - running[1]) * 1000
        self._journal.write(
            EventKind.OPERATION_COMPLETED,
            {
                "operation": completion.operation_id,
                "outcome": completion.outcome.value,
                "tag": completion.tag,
                "rows": completion.rows,
                "bytes": completion.bytes,
                "durationMs": round(duration, 3),
                "errorCode": completion.error_code,
                **({"message": completion.message} if completion.message else {}),
            },
        )

    def _role_lost(self, bundle: PolicyBundle) -> bool:
        session = self._session
        if not session.role:
            return False
        return isinstance(role_decision(bundle, session, session.role, self._house.clock.now()), Deny)

    def _issuer(self, bundle: PolicyBundle | None) -> str | None:
        return (
            issuer_of(bundle, self._session.identity.via or self._session.identity.provider)
            if bundle
            else None
        )

    def _evaluate(self, bundle: PolicyBundle, operation: Operation) -> Decision:
        return evaluate(bundle, self._session, operation, self._house.clock.now())

    def _settle(
        self,
        operation: Operation,
        decision: Allow | Deny,
        request: str = "",
        credential: str = "",
        *,
        counted: bool = False,
    ) -> Verdict:
        """Limits, audit, verdict. `request` names the approval that led here, and `credential` what it runs
        with then; `counted` says that limits have counted the operation already."""
        number = self._tally.operation
        self._tally.operation += 1
        limits = limits_of(decision)
        observed = decision.observed
        try:
            if operation.counted and limits and not counted:
                observed += self._meter.count_query(limits)
            self._counters.observed(observed)
            if isinstance(decision, Deny):
                return self._refuse(number, operation, decision, observed)
            permitted = self._permit(number, operation, decision, observed, request, credential)
            return replace(permitted, credential=credential) if credential else permitted
        except Exceeded as exceeded:
            return self._limited(number, operation, exceeded)
        except AuditUnavailable as error:
            return self._unrecorded(error)

    def _unrecorded(self, error: AuditUnavailable) -> Refused:
        self._counters.operations["unavailable"] += 1
        return unrecorded(error, self.revision)

    def _permit(
        self,
        number: int,
        operation: Operation,
        decision: Allow,
        observed: tuple[Observation, ...],
        request: str,
        credential: str,
    ) -> Permitted:
        record = self._record("allow", number, operation, decision, observed)
        if request:
            record["request"] = request
        if credential:
            record["credential"] = credential
        self._journal.write(EventKind.OPERATION_DECIDED, record)
        self._counters.operations["allowed"] += 1
        self._counters.enforced(decision.rule)
        self._running[number] = (decision.obligations.limits, self._house.clock.monotonic())
        notices = tuple(
            f"policy {seen.rule.policy}, rule {seen.rule.rule} (Warn): {seen.message or seen.would}"
            for seen in observed
            if seen.mode is Mode.WARN
        )
        cacheable = decision.cacheable and not notices
        return Permitted(number, decision.revision, decision.rule, decision.obligations, notices, cacheable)

    def _refuse(
        self, number: int, operation: Operation, decision: Deny, observed: tuple[Observation, ...]
    ) -> Refused:
        record = self._record("deny", number, operation, decision, observed, decision.message)
        self._journal.write(EventKind.OPERATION_DECIDED, record)
        self._counters.operations["denied"] += 1
        self._counters.enforced(decision.rule)
        return Refused(Refusal.DENIED, decision.message, decision.hint, decision.rule, decision.revision)

    def _limited_now(self, operation: Operation, exceeded: Exceeded) -> Refused:
        number = self._tally.operation
        self._tally.operation += 1
        return self._limited(number, operation, exceeded)

    def _limited(self, number: int, operation: Operation, exceeded: Exceeded) -> Refused:
        rule, revision = exceeded.limit.rule, self.revision
        message = limit_message(exceeded.limit)
        deny = Deny(revision, rule, message)
        try:
            self._journal.write(
                EventKind.OPERATION_DECIDED, self._record("limit", number, operation, deny, (), message)
            )
        except AuditUnavailable as error:
            return self._unrecorded(error)
        self._counters.operations["limited"] += 1
        self._counters.enforced(rule)
        hint = retry_hint(exceeded.retry_after_seconds)
        return Refused(
            Refusal.LIMIT,
            message,
            hint,
            rule,
            revision,
            retry_after_seconds=exceeded.retry_after_seconds,
        )

    def _turned_down(self, operation: Operation, refused: Refused) -> Refused:
        """Records a No that came of asking people, or of not being able to."""
        name, counted = _TURNED_DOWN.get(refused.refusal, (refused.refusal.value, refused.refusal.value))
        deny = Deny(refused.revision, refused.rule, refused.message)
        number = self._tally.operation
        self._tally.operation += 1
        record = self._record(name, number, operation, deny, (), refused.message)
        if refused.request:
            record["request"] = refused.request
        try:
            self._journal.write(EventKind.OPERATION_DECIDED, record)
        except AuditUnavailable as error:
            return self._unrecorded(error)
        self._counters.operations[counted] += 1
        return refused

    def _given_up(self, operation: Operation, decision: NeedsApproval) -> None:
        """The client cancelled while people were asked. After a session's end nothing is added to it."""
        if self._closed:
            return
        message = "the client cancelled while it waited for approval"
        self._turned_down(
            operation, Refused(Refusal.CANCELLED, message, "", decision.rule, decision.revision)
        )

    def _record(
        self,
        name: str,
        number: int,
        operation: Operation,
        decision: Allow | Deny,
        observed: tuple[Observation, ...],
        message: str = "",
    ) -> dict[str, object]:
        shown = self._house.redactor.recorded(operation, self._house.in_force.bundle, MAX_TEXT)
        return operation_record(number, shown, len(operation.text)) | decision_record(
            name, decision.rule, decision.revision, observed, message
        )

    async def _deliberate(
        self,
        operation: Operation,
        decision: NeedsFacts | NeedsApproval,
        facts: FactLookup,
        waiting: Waiting,
        preview: PreviewLookup | None,
    ) -> Verdict:
        settled = await self._with_facts(operation, decision, facts)
        if isinstance(settled, Refused):
            return settled
        operation, found = settled
        if isinstance(found, Allow | Deny):
            return self._settle(operation, found)
        try:
            if operation.counted:
                self._counters.observed(self._meter.count_query(found.obligations.limits))
        except Exceeded as exceeded:
            return self._limited_now(operation, exceeded)
        if (refused := ill_fitted(operation, found)) is not None:
            return self._turned_down(operation, refused)
        try:
            granted = await self._desk.seek(operation, found, waiting, preview)
        except asyncio.CancelledError:
            self._given_up(operation, found)
            raise
        if isinstance(granted, Refused):
            return self._turned_down(operation, granted)
        return await self._release(operation, granted, facts)

    async def _with_facts(
        self, operation: Operation, decision: Decision, facts: FactLookup
    ) -> tuple[Operation, Allow | Deny | NeedsApproval] | Refused:
        """Finds what rules asked for, once a name; a fact that cannot be found is None."""
        while isinstance(decision, NeedsFacts):
            found = dict.fromkeys(decision.names) | dict(await facts(decision.names))
            operation = replace(operation, facts={**operation.facts, **found})
            bundle = self._house.in_force.bundle
            if bundle is None:
                return no_bundle()
            decision = self._evaluate(bundle, operation)
        return operation, decision

    async def _release(self, operation: Operation, granted: Granted, facts: FactLookup) -> Verdict:
        """Judges once more what people approved: policy may have moved while they thought."""
        bundle = self._house.in_force.bundle
        if bundle is None:
            return no_bundle()
        settled = await self._with_facts(operation, self._evaluate(bundle, operation), facts)
        if isinstance(settled, Refused):
            return settled
        operation, decision = settled
        credential = ""
        cap = None
        if operation.writes_rows:
            cap = self._desk.cap(granted, decision if isinstance(decision, NeedsApproval) else None)
        if isinstance(decision, NeedsApproval):
            credential = next(iter(decision.credentials), "")
            if not granted.covers(decision):
                why = "the policy has changed since it was asked"
                return self._turned_down(operation, await self._desk.void(granted, decision, why))
            decision = Allow(decision.revision, decision.rule, decision.obligations, decision.observed)
        if isinstance(decision, Deny):
            await self._desk.void(granted, decision, "the policy denies it now")
            return self._settle(operation, decision, counted=True)
        refused = await self._desk.use(granted)
        if refused is not None:
            return self._turned_down(operation, refused)
        decision = replace(decision, cacheable=False)
        verdict = self._settle(operation, decision, granted.names, credential, counted=True)
        return replace(verdict, cap=cap) if isinstance(verdict, Permitted) else verdict


def limits_of(decision: Allow | Deny | NeedsApproval) -> tuple[Limit, ...]:
    """The limits that count this operation, whatever the decision is."""
    return decision.limits if isinstance(decision, Deny) else decision.obligations.limits


def no_bundle() -> Refused:
    """Nothing is allowed before a policy is in force."""
    return Refused(
        Refusal.UNAVAILABLE,
        "no policy is in force for this connection yet",
        "Try again when the operator has compiled one.",
        RuleRef(),
        "",
    )


def unrecorded(error: AuditUnavailable, revision: str) -> Refused:
    """What cannot be recorded does not happen."""
    return Refused(
        Refusal.UNAVAILABLE,
        f"the audit cannot record this operation, so it is refused: {error}",
        "Try again later; nothing was sent to the backend.",
        RuleRef(),
        revision,
    )

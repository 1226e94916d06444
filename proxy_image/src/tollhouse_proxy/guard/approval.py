"""Asking people: requests made, waited for, used once, or withdrawn.

The operator's status is not believed: every verdict here comes from the core's own tally of the
votes. A request is used by writing its phase with optimistic concurrency, so that of two proxies
that saw the same approval exactly one runs it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from tollhouse_core.api.approval_request import ApprovalRequest, Phase
from tollhouse_core.approvals.digest import operation_digest, template_digest
from tollhouse_core.approvals.request import make_request
from tollhouse_core.approvals.tally import Tally, describe, describe_grant, next_deadline, tally
from tollhouse_core.audit.event import EventKind
from tollhouse_core.decision import (
    ApprovalTerms,
    Covers,
    Deny,
    NeedsApproval,
    Refusal,
    Refused,
    RuleRef,
    WhileWaiting,
)
from tollhouse_core.identity import Session
from tollhouse_core.operation import Operation
from tollhouse_proxy.guard.house import House
from tollhouse_proxy.guard.journal import Journal
from tollhouse_proxy.guard.limits import retry_hint
from tollhouse_proxy.ports.audit import AuditUnavailable
from tollhouse_proxy.ports.judging import Waiting
from tollhouse_proxy.ports.stores import StoreRefused, StoreUnavailable

RETRY_SECONDS = 0.5
"""How soon an unreachable store is asked again while an operation waits."""

USE_ATTEMPTS = 5
"""How often a lost race for the phase is looked at again before the operation is refused."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Granted:
    """Requests that people approved, one for each rule that asked."""

    requests: tuple[ApprovalRequest, ...]

    @property
    def names(self) -> str:
        """The requests' names, for the audit."""
        return ", ".join(request.metadata.name or "" for request in self.requests)

    def covers(self, decision: NeedsApproval) -> bool:
        """Whether every rule that asks now is one that people were asked for, unchanged."""
        asked = {request.spec.policy.rule_hash for request in self.requests}
        return all(rule.hash in asked for rule, _ in decision.terms)


@dataclass(frozen=True, slots=True)
class Asked:
    """An operation that needs approval, its digest, and its template's ("" where it has none)."""

    operation: Operation
    digest: str
    template: str


class _Refusing(Exception):
    """Carries a verdict out of the steps below."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.message)
        self.refused = refused


class ApprovalDesk:
    """Where one session's operations wait for people."""

    def __init__(self, house: House, session: Session, journal: Journal) -> None:
        self._house = house
        self._session = session
        self._journal = journal

    async def seek(
        self, operation: Operation, decision: NeedsApproval, waiting: Waiting
    ) -> Granted | Refused:
        """Waits until people have decided; what it answers has not been used yet.

        Cancelled while it waits (the client cancelled, or went away), it withdraws its requests.
        """
        asked = Asked(
            operation,
            operation_digest(self._session, operation),
            template_digest(self._session, operation),
        )
        try:
            if any(terms.while_waiting is WhileWaiting.FAIL_FAST for _, terms in decision.terms):
                return await self._without_waiting(asked, decision)
            return await self._holding(asked, decision, waiting)
        except _Refusing as refusing:
            return refusing.refused
        except (StoreUnavailable, StoreRefused) as error:
            return self._refused(
                Refusal.UNAVAILABLE,
                f"an approval is needed and cannot be asked for now: {error}",
                "Try again later; nothing was sent to the backend.",
                decision.rule,
                decision.revision,
            )
        except AuditUnavailable as error:
            return self._refused(
                Refusal.UNAVAILABLE,
                f"the audit cannot record the request for approval: {error}",
                "Try again later; nothing was sent to the backend.",
                decision.rule,
                decision.revision,
            )

    async def use(self, granted: Granted) -> Refused | None:
        """Marks every request as used; a Refused when one of them no longer opens anything."""
        for request in granted.requests:
            refused = await self._use_one(request)
            if refused is not None:
                return refused
        return None

    async def void(self, granted: Granted, decision: NeedsApproval | Deny, why: str) -> Refused:
        """Withdraws what no longer fits and says why."""
        await self._withdraw(granted.requests, why)
        return self._refused(
            Refusal.DENIED,
            f"the approval {granted.names} no longer fits: {why}",
            "Send the statement again to ask anew.",
            decision.rule,
            decision.revision,
        )

    async def _holding(self, asked: Asked, decision: NeedsApproval, waiting: Waiting) -> Granted:
        made: list[ApprovalRequest] = []
        try:
            granted = await self._granted_before(asked, decision)
            for rule, terms in decision.terms:
                if rule.hash not in granted:
                    made.append(await self._create(asked, rule, terms, decision.revision))
            for request in made:
                waiting(request.metadata.name or "", _waiting_words(request))
            decided = [await self._decided(request, decision) for request in made]
        except BaseException as error:
            await asyncio.shield(self._withdraw(made, _why_withdrawn(error)))
            raise
        return Granted((*granted.values(), *decided))

    async def _granted_before(self, asked: Asked, decision: NeedsApproval) -> dict[str, ApprovalRequest]:
        """By rule: requests whose grant opens this operation too."""
        if all(terms.grant is None for _, terms in decision.terms):
            return {}
        return {
            request.spec.policy.rule_hash: request
            for request in await self._found(asked, decision)
            if request.spec.grant is not None and tally(request, self._now()).phase is Phase.APPROVED
        }

    async def _found(self, asked: Asked, decision: NeedsApproval) -> list[ApprovalRequest]:
        """This identity's requests that are about this operation, newest first."""
        digests = [asked.digest]
        if asked.template and any(
            terms.grant is not None and terms.grant.covers is Covers.TEMPLATE for _, terms in decision.terms
        ):
            digests.append(asked.template)
        found = [request for digest in digests for request in await self._house.approvals.find(digest)]
        return [request for request in found if self._is_ours(request)]

    async def _without_waiting(self, asked: Asked, decision: NeedsApproval) -> Granted:
        """FailFast: what is approved already opens; else the request's name goes to the client."""
        found = await self._found(asked, decision)
        approved, pending = [], []
        for rule, terms in decision.terms:
            standing = [request for request in found if request.spec.policy.rule_hash == rule.hash]
            tallied = [(request, tally(request, self._now())) for request in standing]
            open_ones = [request for request, result in tallied if result.phase is Phase.APPROVED]
            waiting_ones = [request for request, result in tallied if result.phase is Phase.PENDING]
            # A denial answers the same question until the request would have ended by itself.
            denied = [
                (request, result)
                for request, result in tallied
                if result.phase is Phase.DENIED and self._now() < request.spec.expires_at
            ]
            if open_ones:
                approved.append(open_ones[0])
            elif denied and not waiting_ones:
                raise _Refusing(self._not_approved(*denied[0], decision))
            else:
                pending.append(
                    waiting_ones[0]
                    if waiting_ones
                    else await self._create(asked, rule, terms, decision.revision)
                )
        if pending:
            raise _Refusing(self._pending(pending[0], decision))
        return Granted(tuple(approved))

    def _is_ours(self, request: ApprovalRequest) -> bool:
        requester, grant = request.spec.requester, request.spec.grant
        identity = self._session.identity
        if grant is not None and grant.session is not None and request.spec.session != self._session.id[:128]:
            return False
        return (
            requester.name == identity.name
            and requester.provider == identity.provider
            and request.spec.connection == self._session.connection
        )

    async def _create(
        self, asked: Asked, rule: RuleRef, terms: ApprovalTerms, revision: str
    ) -> ApprovalRequest:
        self._room_for_one_more(rule, revision)
        request = make_request(
            session=self._session,
            operation=self._house.redactor(asked.operation, self._house.in_force.bundle),
            rule=rule,
            terms=terms,
            digest=asked.digest,
            template=asked.template,
            instance=self._house.instance,
            now=self._now(),
        )
        stored = await self._house.approvals.create(request)
        self._house.asking.made(self._asker, stored.metadata.name or "", stored.spec.expires_at)
        self._journal.write(
            EventKind.APPROVAL_REQUESTED,
            {
                "request": stored.metadata.name,
                "digest": asked.digest,
                "policy": rule.policy,
                "rule": rule.rule,
                "revision": revision,
                "action": asked.operation.action,
                "text": stored.spec.operation.text,
                "opens": describe_grant(stored.spec.grant),
                "expiresAt": stored.spec.expires_at.isoformat(),
            },
        )
        return stored

    def _room_for_one_more(self, rule: RuleRef, revision: str) -> None:
        """Raises _Refusing when too much of this identity's is open already."""
        now = self._now()
        until = self._house.asking.wait_until(self._asker, now)
        if until is None:
            return
        seconds = max(1.0, (until - now).total_seconds())
        raise _Refusing(
            Refused(
                Refusal.LIMIT,
                f"{self._session.identity.name} has too many approval requests open; this would be one more",
                f"Wait for an answer to one of them, or {retry_hint(seconds).lower()}",
                rule,
                revision,
                retry_after_seconds=seconds,
            )
        )

    @property
    def _asker(self) -> tuple[str, str]:
        return self._session.identity.provider, self._session.identity.name

    async def _decided(self, request: ApprovalRequest, decision: NeedsApproval) -> ApprovalRequest:
        """The approved request. Raises _Refusing when it is denied, expired or gone."""
        name = request.metadata.name or ""
        while True:
            current = await self._patiently(lambda: self._house.approvals.get(name), request)
            if current is None:
                raise _Refusing(self._gone(name, decision))
            result = tally(current, self._now())
            if result.phase is Phase.PENDING:
                seen = await self._next_change(current, result)
                if seen is None:
                    continue
                current, result = seen
            self._house.asking.ended(self._asker, name)
            self._resolved(current, result)
            if result.phase is Phase.APPROVED:
                return current
            await self._house.approvals.set_phase(current, result.phase, result.message)
            raise _Refusing(self._not_approved(current, result, decision))

    async def _next_change(
        self, request: ApprovalRequest, result: Tally
    ) -> tuple[ApprovalRequest, Tally] | None:
        """Watches until the tally is no longer pending; None when it must be looked at anew
        (a deadline passed, the request is gone, or the store cannot be reached)."""
        seconds = max(0.05, (next_deadline(request, self._now()) - self._now()).total_seconds())
        try:
            async with asyncio.timeout(seconds):
                async for changed in self._house.approvals.watch(request.metadata.name or ""):
                    result = tally(changed, self._now())
                    if result.phase is not Phase.PENDING:
                        return changed, result
        except TimeoutError:
            return None
        except StoreUnavailable:
            await asyncio.sleep(RETRY_SECONDS)
        return None

    async def _patiently(self, ask: Callable[[], Awaitable[T]], request: ApprovalRequest) -> T:
        """Asks until the store answers, at most until the request has expired."""
        while True:
            try:
                return await ask()
            except StoreUnavailable:
                if self._now() >= request.spec.expires_at:
                    raise
                await asyncio.sleep(RETRY_SECONDS)

    async def _use_one(self, request: ApprovalRequest) -> Refused | None:
        name = request.metadata.name or ""
        current: ApprovalRequest | None = request
        for _ in range(USE_ATTEMPTS):
            if current is None:
                break
            result = tally(current, self._now())
            if result.phase is not Phase.APPROVED:
                break
            try:
                if await self._mark_used(current):
                    self._house.asking.ended(self._asker, name)
                    return None
                current = await self._house.approvals.get(name)
            except (StoreUnavailable, StoreRefused) as error:
                return self._refused(
                    Refusal.UNAVAILABLE,
                    f"the approval {name} cannot be marked as used, so the operation is refused: {error}",
                    "Try again later; nothing was sent to the backend.",
                    RuleRef(request.spec.policy.name, request.spec.policy.rule),
                    self._house.in_force.revision,
                    name,
                )
        return self._refused(
            Refusal.DENIED,
            f"the approval {name} has been used, withdrawn or has expired",
            "Send the statement again to ask anew.",
            RuleRef(request.spec.policy.name, request.spec.policy.rule),
            self._house.in_force.revision,
            name,
        )

    async def _mark_used(self, request: ApprovalRequest) -> bool:
        """False: somebody else was first."""
        grant = request.spec.grant
        if grant is None:
            return await self._house.approvals.set_phase(request, Phase.USED, "the operation has run")
        uses = (request.status.uses or 0) + 1
        phase = Phase.APPROVED if uses < grant.uses else Phase.USED
        words = f"the grant has opened {uses} of at most {grant.uses} operations"
        return await self._house.approvals.count_use(request, phase, words, self._now())

    async def _withdraw(self, requests: Sequence[ApprovalRequest], why: str) -> None:
        """Best effort: a request that cannot be withdrawn now expires by itself and opens nothing,
        because nobody holds its operation any more."""
        for request in requests:
            self._house.asking.ended(self._asker, request.metadata.name or "")
            try:
                await self._withdraw_one(request, why)
            except (StoreUnavailable, StoreRefused):
                continue

    async def _withdraw_one(self, request: ApprovalRequest, why: str) -> None:
        for _ in range(USE_ATTEMPTS):
            current = await self._house.approvals.get(request.metadata.name or "")
            if current is None or tally(current, self._now()).phase not in (Phase.PENDING, Phase.APPROVED):
                return
            if await self._house.approvals.set_phase(current, Phase.WITHDRAWN, why):
                return

    def _resolved(self, request: ApprovalRequest, result: Tally) -> None:
        self._journal.write(
            EventKind.APPROVAL_RESOLVED,
            {
                "request": request.metadata.name,
                "phase": result.phase.value,
                "message": result.message,
                "votes": [
                    {
                        "by": vote.by,
                        "decision": vote.decision.value,
                        "reason": vote.reason or "",
                        "at": vote.at.isoformat() if vote.at else None,
                    }
                    for vote in request.spec.votes
                ],
            },
        )

    def _pending(self, request: ApprovalRequest, decision: NeedsApproval) -> Refused:
        name = request.metadata.name or ""
        return self._refused(
            Refusal.PENDING,
            f"policy {decision.rule.policy}, rule {decision.rule.rule}: approval {name} is pending",
            f"Send the same statement again once {name} is approved.",
            decision.rule,
            decision.revision,
            name,
        )

    def _not_approved(self, request: ApprovalRequest, result: Tally, decision: NeedsApproval) -> Refused:
        name = request.metadata.name or ""
        return self._refused(
            Refusal.DENIED,
            f"denied by policy {decision.rule.policy}, rule {decision.rule.rule}: "
            f"approval {name} is {result.phase.value.lower()}: {result.message}",
            "Ask the approvers, then send the statement again to make a new request.",
            decision.rule,
            decision.revision,
            name,
        )

    def _gone(self, name: str, decision: NeedsApproval) -> Refused:
        return self._refused(
            Refusal.DENIED,
            f"the approval request {name} was deleted before anybody decided",
            "Send the statement again to ask anew.",
            decision.rule,
            decision.revision,
            name,
        )

    def _refused(
        self, refusal: Refusal, message: str, hint: str, rule: RuleRef, revision: str, request: str = ""
    ) -> Refused:
        return Refused(refusal, message, hint, rule, revision, request)

    def _now(self) -> datetime:
        return self._house.clock.now()


def _waiting_words(request: ApprovalRequest) -> str:
    who = " and ".join(describe(entry) for entry in request.spec.approvers)
    until = request.spec.expires_at.strftime("%H:%M:%S UTC")
    opens = f"; it would open {describe_grant(request.spec.grant)}" if request.spec.grant else ""
    return f"waiting for approval {request.metadata.name} by {who}, until {until}{opens}"


def _why_withdrawn(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError):
        return "the client cancelled or went away"
    return "another approval of the same operation was not given"

"""Asking people: which requests an operation needs, which there are already, and making the rest.

What becomes of a request once it is made is in `requests`, what a client reads of it in `answers`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from tollhouse_core.api.approval_request import ApprovalRequest, Phase
from tollhouse_core.approvals.digest import operation_digest, template_digest
from tollhouse_core.approvals.effect import Preview, cannot_be_held, row_cap
from tollhouse_core.approvals.request import make_request
from tollhouse_core.approvals.tally import describe_grant, tally
from tollhouse_core.audit.event import EventKind
from tollhouse_core.decision import (
    ApprovalTerms,
    Covers,
    Deny,
    NeedsApproval,
    PreviewMode,
    Refusal,
    Refused,
    RowCap,
    RuleRef,
    WhileWaiting,
)
from tollhouse_core.identity import Session
from tollhouse_core.operation import Operation
from tollhouse_proxy.guard import answers
from tollhouse_proxy.guard.answers import Refusing
from tollhouse_proxy.guard.house import House
from tollhouse_proxy.guard.journal import Journal
from tollhouse_proxy.guard.limits import retry_hint
from tollhouse_proxy.guard.requests import Requests
from tollhouse_proxy.ports.audit import AuditUnavailable
from tollhouse_proxy.ports.judging import NotRunnable, PreviewLookup, Waiting
from tollhouse_proxy.ports.stores import StoreRefused, StoreUnavailable


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


@dataclass(slots=True)
class Asked:
    """An operation that needs approval, its digest, and its template's ("" where it has none). `look` finds
    its effect, which is found once, for the first request that is made."""

    operation: Operation
    digest: str
    template: str
    look: PreviewLookup | None = None
    preview: Preview | None = None

    async def previewed(self, decision: NeedsApproval) -> Preview | None:
        """What people are shown. Raises Refusing where it cannot run at all."""
        # Its own session may lack the rights of the credential it would run with: there it cannot be asked.
        if self.preview is None and self.look is not None and not decision.credentials:
            runs = any(terms.preview is PreviewMode.EXECUTE for _, terms in decision.terms)
            found = await self.look(decision.obligations, runs)
            if isinstance(found, NotRunnable):
                raise Refusing(answers.not_runnable(found.why, decision))
            self.preview = found
        return self.preview


class ApprovalDesk:
    """Where one session's operations wait for people."""

    def __init__(self, house: House, session: Session, journal: Journal) -> None:
        self._house = house
        self._session = session
        self._journal = journal
        self._asker = session.identity.provider, session.identity.name
        self._requests = Requests(house, journal, self._asker)

    async def seek(
        self,
        operation: Operation,
        decision: NeedsApproval,
        waiting: Waiting,
        preview: PreviewLookup | None = None,
    ) -> Granted | Refused:
        """Waits until people have decided; what it answers has not been used yet.

        Cancelled while it waits (the client cancelled, or went away), it withdraws its requests.
        """
        asked = Asked(
            operation,
            operation_digest(self._session, operation),
            template_digest(self._session, operation),
            preview,
        )
        try:
            if (rule := cannot_be_held(operation.uncounted, decision)) is not None:
                return answers.uncounted(operation.uncounted, rule, decision.revision)
            if any(terms.while_waiting is WhileWaiting.FAIL_FAST for _, terms in decision.terms):
                return await self._without_waiting(asked, decision)
            return await self._holding(asked, decision, waiting)
        except Refusing as refusing:
            return refusing.refused
        except (StoreUnavailable, StoreRefused) as error:
            words = f"an approval is needed and cannot be asked for now: {error}"
            return answers.unavailable(words, decision)
        except AuditUnavailable as error:
            return answers.unavailable(f"the audit cannot record the request for approval: {error}", decision)

    def cap(self, granted: Granted, decision: NeedsApproval | None) -> RowCap | None:
        """How many rows what people approved may write, under the rules in force now."""
        return row_cap(granted.requests, decision)

    async def use(self, granted: Granted) -> Refused | None:
        """Marks every request as used; a Refused when one of them no longer opens anything."""
        for request in granted.requests:
            refused = await self._requests.use(request)
            if refused is not None:
                return refused
        return None

    async def void(self, granted: Granted, decision: NeedsApproval | Deny, why: str) -> Refused:
        """Withdraws what no longer fits and says why."""
        await self._requests.withdraw(granted.requests, why)
        return answers.no_longer_fits(granted.names, why, decision.rule, decision.revision)

    async def _holding(self, asked: Asked, decision: NeedsApproval, waiting: Waiting) -> Granted:
        made: list[ApprovalRequest] = []
        try:
            granted = await self._granted_before(asked, decision)
            for rule, terms in decision.terms:
                if rule.hash not in granted:
                    made.append(await self._create(asked, rule, terms, decision))
            for request in made:
                waiting(request.metadata.name or "", answers.waiting(request))
            decided = await self._all_decided(made, decision)
        except BaseException as error:
            await asyncio.shield(self._requests.withdraw(made, _why_withdrawn(error)))
            raise
        return Granted((*granted.values(), *decided))

    async def _all_decided(
        self, made: Sequence[ApprovalRequest], decision: NeedsApproval
    ) -> list[ApprovalRequest]:
        """Every request approved; the first that is not, whichever it is, ends the waiting for all."""
        waits = [asyncio.ensure_future(self._requests.decided(request, decision)) for request in made]
        try:
            return await asyncio.gather(*waits)
        finally:
            for one in waits:
                one.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

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
                raise Refusing(answers.not_approved(*denied[0], decision))
            else:
                pending.append(
                    waiting_ones[0] if waiting_ones else await self._create(asked, rule, terms, decision)
                )
        if pending:
            raise Refusing(answers.pending(pending[0], decision))
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
        self, asked: Asked, rule: RuleRef, terms: ApprovalTerms, decision: NeedsApproval
    ) -> ApprovalRequest:
        self._room_for_one_more(rule, decision.revision)
        preview = await asked.previewed(decision)
        request = make_request(
            session=self._session,
            operation=self._house.redactor(asked.operation, self._house.in_force.bundle),
            rule=rule,
            terms=terms,
            digest=asked.digest,
            template=asked.template,
            instance=self._house.instance,
            now=self._now(),
            preview=preview,
        )
        stored = await self._stored(request)
        self._house.asking.made(self._asker, stored.metadata.name or "", stored.spec.expires_at)
        record = {
            "request": stored.metadata.name,
            "digest": asked.digest,
            "policy": rule.policy,
            "rule": rule.rule,
            "revision": decision.revision,
            "action": asked.operation.action,
            "text": stored.spec.operation.text,
            "opens": describe_grant(stored.spec.grant),
            "expiresAt": stored.spec.expires_at.isoformat(),
            **_effect_record(stored),
        }
        try:
            self._journal.write(EventKind.APPROVAL_REQUESTED, record)
        except AuditUnavailable:
            await self._requests.withdraw([stored], "the audit cannot record it")
            raise
        return stored

    async def _stored(self, request: ApprovalRequest) -> ApprovalRequest:
        """The request as it was made. Cancelled meanwhile, it is withdrawn as soon as it is there: nobody
        would wait for it, and no record would say that it was asked."""
        making = asyncio.ensure_future(self._house.approvals.create(request))
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError as error:
            with suppress(StoreUnavailable, StoreRefused):
                await self._requests.withdraw([await making], _why_withdrawn(error))
            raise

    def _room_for_one_more(self, rule: RuleRef, revision: str) -> None:
        """Raises Refusing when too much of this identity's is open already."""
        now = self._now()
        until = self._house.asking.wait_until(self._asker, now)
        if until is None:
            return
        seconds = max(1.0, (until - now).total_seconds())
        raise Refusing(
            Refused(
                Refusal.LIMIT,
                f"{self._session.identity.name} has too many approval requests open; this would be one more",
                f"Wait for an answer to one of them, or {retry_hint(seconds).lower()}",
                rule,
                revision,
                retry_after_seconds=seconds,
            )
        )

    def _now(self) -> datetime:
        return self._house.clock.now()


def _effect_record(request: ApprovalRequest) -> dict[str, object]:
    effect = request.spec.effect
    told = effect.model_dump(mode="json", by_alias=True, exclude_defaults=True) if effect else {}
    return {"effect": told} if told else {}


def _why_withdrawn(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError):
        return "the client cancelled or went away"
    return "another approval of the same operation was not given"

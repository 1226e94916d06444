"""The life of one identity's ApprovalRequests once they are made: decided, used, withdrawn.

The operator's status is not believed: every verdict here comes from the core's own tally of the
votes. A request is used by writing its phase with optimistic concurrency, so that of two proxies
that saw the same approval exactly one runs it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar

from tollhouse_core.api.approval_request import ApprovalRequest, Phase
from tollhouse_core.approvals.tally import Tally, next_deadline, tally
from tollhouse_core.audit.event import EventKind
from tollhouse_core.decision import NeedsApproval, Refused
from tollhouse_proxy.guard import answers
from tollhouse_proxy.guard.answers import Refusing
from tollhouse_proxy.guard.asking import Owner
from tollhouse_proxy.guard.house import House
from tollhouse_proxy.guard.journal import Journal
from tollhouse_proxy.ports.stores import StoreRefused, StoreUnavailable

RETRY_SECONDS = 0.5
"""How soon an unreachable store is asked again while an operation waits."""

USE_ATTEMPTS = 5
"""How often a lost race for the phase is looked at again before the operation is refused."""

T = TypeVar("T")


class Requests:
    """What becomes of the requests that `asker` made in one session."""

    def __init__(self, house: House, journal: Journal, asker: Owner) -> None:
        self._house = house
        self._journal = journal
        self._asker = asker

    async def decided(self, request: ApprovalRequest, decision: NeedsApproval) -> ApprovalRequest:
        """The approved request. Raises Refusing when it is denied, expired or gone."""
        name = request.metadata.name or ""
        while True:
            current = await self._patiently(lambda: self._house.approvals.get(name), request)
            if current is None:
                raise Refusing(answers.gone(name, decision))
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
            raise Refusing(answers.not_approved(current, result, decision))

    async def use(self, request: ApprovalRequest) -> Refused | None:
        """Marks it as used; a Refused when it no longer opens anything."""
        revision = self._house.in_force.revision
        current: ApprovalRequest | None = request
        for _ in range(USE_ATTEMPTS):
            if current is None or tally(current, self._now()).phase is not Phase.APPROVED:
                break
            try:
                if await self._mark_used(current):
                    self._house.asking.ended(self._asker, request.metadata.name or "")
                    return None
                current = await self._house.approvals.get(request.metadata.name or "")
            except (StoreUnavailable, StoreRefused) as error:
                return answers.cannot_be_used(request, error, revision)
        return answers.spent(request, revision)

    async def withdraw(self, requests: Sequence[ApprovalRequest], why: str) -> None:
        """Best effort: a request that cannot be withdrawn now expires by itself and opens nothing,
        because nobody holds its operation any more."""
        for request in requests:
            self._house.asking.ended(self._asker, request.metadata.name or "")
            try:
                await self._withdraw_one(request, why)
            except (StoreUnavailable, StoreRefused):
                continue

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

    async def _mark_used(self, request: ApprovalRequest) -> bool:
        """False: somebody else was first."""
        grant = request.spec.grant
        if grant is None:
            return await self._house.approvals.set_phase(request, Phase.USED, "the operation has run")
        uses = (request.status.uses or 0) + 1
        phase = Phase.APPROVED if uses < grant.uses else Phase.USED
        words = f"the grant has opened {uses} of at most {grant.uses} operations"
        return await self._house.approvals.count_use(request, phase, words, self._now())

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

    def _now(self) -> datetime:
        return self._house.clock.now()

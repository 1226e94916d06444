"""The credential source of the Connection as it is now; it may change while sessions run."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tollhouse_proxy.ports.credentials import Credential, CredentialSource, CredentialUnavailable


@dataclass(slots=True, eq=False)
class _Lender:
    """A source, and how many hold something of it or are about to."""

    source: CredentialSource
    debtors: int = 0


class CurrentSource:
    """New sessions borrow from the newest source; each credential goes back to where it came from.

    A source that is no longer the newest is closed, behind, once nobody owes it anything.
    """

    def __init__(self) -> None:
        self._newest: _Lender | None = None
        self._lent: dict[str, _Lender] = {}
        self._former: set[_Lender] = set()
        self._closing: set[asyncio.Task[None]] = set()

    async def use(self, source: CredentialSource) -> None:
        """From now on new credentials come from `source`."""
        if self._newest is not None:
            self._former.add(self._newest)
        self._newest = _Lender(source)
        self._close_unused()

    def retire(self) -> None:
        """Lends no more until `use` is called again."""
        if self._newest is not None:
            self._former.add(self._newest)
            self._newest = None
        self._close_unused()

    async def acquire(self) -> Credential:
        """See the port."""
        lender = self._newest
        if lender is None:
            raise CredentialUnavailable("backend credential unavailable: no source is in force yet")
        lender.debtors += 1
        lent = False
        try:
            credential = await lender.source.acquire()
            lent = bool(credential.lease)
            if lent:
                self._lent[credential.lease] = lender
            return credential
        finally:
            if not lent:
                self._settled(lender)

    async def renew(self, credential: Credential) -> Credential:
        """See the port."""
        lender = self._lent.get(credential.lease)
        return credential if lender is None else await lender.source.renew(credential)

    async def release(self, credential: Credential) -> None:
        """See the port."""
        lender = self._lent.pop(credential.lease, None)
        if lender is None:
            return
        try:
            await lender.source.release(credential)
        finally:
            self._settled(lender)

    async def close(self) -> None:
        """See the port."""
        lenders = [*self._former, *([self._newest] if self._newest else [])]
        self._former.clear()
        await asyncio.gather(*(lender.source.close() for lender in lenders), *self._closing)

    def _settled(self, lender: _Lender) -> None:
        lender.debtors -= 1
        self._close_unused()

    def _close_unused(self) -> None:
        for lender in [lender for lender in self._former if not lender.debtors]:
            self._former.discard(lender)
            task = asyncio.create_task(lender.source.close(), name="close-credential-source")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

"""The credential source of the Connection as it is now; it may change while sessions run."""

from __future__ import annotations

from tollhouse_proxy.ports.credentials import Credential, CredentialSource, CredentialUnavailable


class CurrentSource:
    """New sessions borrow from the newest source; each credential goes back to where it came from."""

    def __init__(self) -> None:
        self._source: CredentialSource | None = None
        self._lenders: dict[str, CredentialSource] = {}
        self._former: list[CredentialSource] = []

    async def use(self, source: CredentialSource) -> None:
        """From now on new credentials come from `source`."""
        if self._source is not None:
            self._former.append(self._source)
        self._source = source
        await self._close_unused()

    async def acquire(self) -> Credential:
        """See the port."""
        source = self._source
        if source is None:
            raise CredentialUnavailable("no credential source is in force yet")
        credential = await source.acquire()
        if credential.lease:
            self._lenders[credential.lease] = source
        return credential

    async def renew(self, credential: Credential) -> Credential:
        """See the port."""
        return await self._lender(credential).renew(credential)

    async def release(self, credential: Credential) -> None:
        """See the port."""
        lender = self._lender(credential)
        await lender.release(credential)
        self._lenders.pop(credential.lease, None)
        await self._close_unused()

    async def close(self) -> None:
        """See the port."""
        for source in [*self._former, self._source]:
            if source is not None:
                await source.close()

    def _lender(self, credential: Credential) -> CredentialSource:
        lender = self._lenders.get(credential.lease, self._source)
        if lender is None:
            raise CredentialUnavailable("no credential source is in force yet")
        return lender

    async def _close_unused(self) -> None:
        lending = {id(source) for source in self._lenders.values()}
        unused = [source for source in self._former if id(source) not in lending]
        self._former = [source for source in self._former if id(source) in lending]
        for source in unused:
            await source.close()

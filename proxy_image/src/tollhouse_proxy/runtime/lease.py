"""The backend credential of one session: acquired, kept alive, given back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tollhouse_core.clock import Clock
from tollhouse_proxy.ports.credentials import Credential, CredentialSource, CredentialUnavailable

_RENEW_AT = 2 / 3
_AT_LEAST_SECONDS = 1.0
_LEASES_TOGETHER = 3.0


class Lease:
    """One session's credential. `ended(words)` is called when it can no longer be kept alive."""

    def __init__(self, source: CredentialSource, clock: Clock, ended: Callable[[str], None]) -> None:
        self._source = source
        self._clock = clock
        self._ended = ended
        self._credential: Credential | None = None
        self._keeping: asyncio.Task[None] | None = None

    async def acquire(self) -> Credential:
        """Raises CredentialUnavailable."""
        self._credential = await self._source.acquire()
        if self._credential.expires_at is not None and self._credential.lease:
            self._keeping = asyncio.create_task(self._keep())
        return self._credential

    def hand_to(self, ended: Callable[[str], None]) -> None:
        """From now on somebody else is told of its end."""
        self._ended = ended

    async def release(self) -> None:
        """Gives it back; does nothing the second time."""
        if self._keeping is not None:
            self._keeping.cancel()
            self._keeping = None
        credential, self._credential = self._credential, None
        if credential is not None:
            await self._source.release(credential)

    def _left(self) -> float:
        assert self._credential is not None
        assert self._credential.expires_at is not None
        return (self._credential.expires_at - self._clock.now()).total_seconds()

    async def _keep(self) -> None:
        while self._credential is not None:
            before = self._left()
            await asyncio.sleep(max(before * _RENEW_AT, _AT_LEAST_SECONDS))
            try:
                renewed = await self._source.renew(self._credential)
            except CredentialUnavailable:
                if self._left() <= _LEASES_TOGETHER:
                    self._ended("the backend's credential could not be renewed")
                    return
                continue
            self._credential = renewed
            if renewed.expires_at is None:
                return
            # A lease at its greatest age is not lengthened any more: the session ends with it.
            if self._left() <= _LEASES_TOGETHER:
                await asyncio.sleep(max(self._left() - _AT_LEAST_SECONDS, 0))
                self._ended("the backend's credential has reached its greatest age")
                return

"""A session's credential is kept alive, given back once, and its end ends the session."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from time import monotonic

import pytest

from kit import wait
from tollhouse_core.secret import Secret
from tollhouse_proxy.ports.credentials import Credential, CredentialUnavailable
from tollhouse_proxy.runtime.lease import Lease


class RealClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return monotonic()


@dataclass
class ShortLeases:
    """Leases of `seconds`; renewed `times` times at most."""

    seconds: float
    times: int = 100
    renewed: int = 0
    released: list[Credential] = field(default_factory=list)

    async def acquire(self) -> Credential:
        return self._dated(Credential("u", Secret("p"), "lease/1"))

    async def renew(self, credential: Credential) -> Credential:
        if self.renewed >= self.times:
            raise CredentialUnavailable("sealed")
        self.renewed += 1
        return self._dated(credential)

    async def release(self, credential: Credential) -> None:
        self.released.append(credential)

    async def close(self) -> None:
        return None

    def _dated(self, credential: Credential) -> Credential:
        return replace(credential, expires_at=datetime.now(UTC) + timedelta(seconds=self.seconds))


async def test_a_lease_is_renewed_and_given_back_once() -> None:
    source, ended = ShortLeases(4.5), list[str]()
    lease = Lease(source, RealClock(), ended.append)
    await lease.acquire()

    async def renewed() -> bool:
        return source.renewed >= 1

    await wait.until_async(renewed, within=6)
    await lease.release()
    await lease.release()
    assert len(source.released) == 1
    assert ended == []


async def test_a_lease_that_cannot_be_renewed_ends_the_session() -> None:
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    lease = Lease(ShortLeases(1.5, times=0), RealClock(), ended.set_result)
    await lease.acquire()
    assert "could not be renewed" in await asyncio.wait_for(ended, 5)
    await lease.release()


async def test_a_credential_without_an_end_is_left_alone() -> None:
    class Fixed(ShortLeases):
        async def acquire(self) -> Credential:
            return Credential("u", Secret("p"))

    source = Fixed(1)
    lease = Lease(source, RealClock(), pytest.fail)
    await lease.acquire()
    await lease.release()
    assert source.renewed == 0

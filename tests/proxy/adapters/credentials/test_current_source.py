"""A Connection whose credentials are edited while sessions run."""

from __future__ import annotations

import asyncio

import pytest

from kit import wait
from tollhouse_core.secret import Secret
from tollhouse_proxy.adapters.credentials.current import CurrentSource
from tollhouse_proxy.ports.credentials import Credential, CredentialUnavailable


class Source:
    """Implements CredentialSource; `gate` holds acquisitions up, `lease` False lends without one."""

    def __init__(self, name: str, *, lease: bool = True) -> None:
        self.name = name
        self.lease = lease
        self.gate: asyncio.Event | None = None
        self.trouble: Exception | None = None
        self.released: list[str] = []
        self.renewed: list[str] = []
        self.closed = False
        self.made = 0

    async def acquire(self) -> Credential:
        if self.gate is not None:
            await self.gate.wait()
        assert not self.closed
        if self.trouble is not None:
            raise self.trouble
        self.made += 1
        lease = f"{self.name}-{self.made}" if self.lease else ""
        return Credential(self.name, Secret("x"), lease)

    async def renew(self, credential: Credential) -> Credential:
        self.renewed.append(credential.lease)
        return credential

    async def release(self, credential: Credential) -> None:
        assert not self.closed
        self.released.append(credential.lease)

    async def close(self) -> None:
        self.closed = True


async def closed(source: Source) -> None:
    async def is_closed() -> bool:
        return source.closed

    await wait.until_async(is_closed, what=f"{source.name} is closed")


async def test_each_credential_goes_back_to_where_it_came_from() -> None:
    current, old, new = CurrentSource(), Source("old"), Source("new")
    await current.use(old)
    first = await current.acquire()
    await current.use(new)
    second = await current.acquire()
    assert (first.username, second.username) == ("old", "new")
    await current.renew(first)
    assert old.renewed == ["old-1"]
    assert not old.closed
    await current.release(first)
    assert old.released == ["old-1"]
    await closed(old)
    await current.release(second)
    assert not new.closed
    await current.close()
    assert new.closed


async def test_a_source_is_not_closed_under_somebody_who_waits_for_it() -> None:
    current, old = CurrentSource(), Source("old")
    old.gate = asyncio.Event()
    await current.use(old)
    waiting = asyncio.create_task(current.acquire())
    await asyncio.sleep(0)
    await current.use(Source("new"))
    await asyncio.sleep(0)
    assert not old.closed
    old.gate.set()
    credential = await waiting
    assert credential.username == "old"
    await current.release(credential)
    await closed(old)
    await current.close()


@pytest.mark.parametrize("end", ["cancelled", "refused", "without a lease"])
async def test_a_borrower_who_gets_nothing_to_give_back_keeps_nothing_open(end: str) -> None:
    current, old = CurrentSource(), Source("old", lease=end != "without a lease")
    old.gate = asyncio.Event()
    old.trouble = CredentialUnavailable("no") if end == "refused" else None
    await current.use(old)
    waiting = asyncio.create_task(current.acquire())
    await asyncio.sleep(0)
    await current.use(Source("new"))
    if end == "cancelled":
        waiting.cancel()
    old.gate.set()
    await asyncio.gather(waiting, return_exceptions=True)
    await closed(old)
    await current.close()


async def test_before_a_source_is_there_nothing_is_lent_and_nothing_taken_back() -> None:
    current = CurrentSource()
    with pytest.raises(CredentialUnavailable):
        await current.acquire()
    await current.release(Credential("u", Secret("x"), "lease"))
    await current.close()

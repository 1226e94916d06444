"""The listener, on real sockets."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, cast

import pytest
import uvloop

from kit.clock import SetClock
from kit.ports import LOOPBACK
from tollhouse_proxy.exchange import Input, Outbox
from tollhouse_proxy.runtime.serving import RuntimeSettings, serve
from tollhouse_proxy.runtime.session import Parts

CONNECTIONS = 200


class Silent:
    """A machine that does nothing with what it is given."""

    def __init__(self) -> None:
        self.outbox = Outbox()
        self.idle, self.busy, self.unfinished = True, False, 0

    def client_data(self, data: bytes) -> None: ...

    def backend_data(self, data: bytes) -> None: ...

    def receive(self, happening: Input) -> None: ...


@contextmanager
def clients(port: int) -> Iterator[None]:
    """As many as CONNECTIONS, all connected while the loop stands still."""
    with ExitStack() as held:
        for _ in range(CONNECTIONS):
            held.enter_context(socket.create_connection((LOOPBACK, port), timeout=10))
        yield


async def turns_until_taken() -> int:
    taken: list[str] = []

    def factory(address: str, **about: Any) -> Silent:
        taken.append(address)
        return Silent()

    parts = Parts(cast(Any, factory), cast(Any, None), cast(Any, None), SetClock(), lambda: None)
    serving = await serve(RuntimeSettings(LOOPBACK, 0), parts)
    turns = 0
    try:
        with clients(serving.port):
            async with asyncio.timeout(60):
                while len(taken) < CONNECTIONS:
                    await asyncio.sleep(0)
                    turns += 1
    finally:
        await serving.drain(0)
    return turns


def test_connections_that_wait_are_taken_many_in_each_turn_of_the_loop() -> None:
    """A turn may be long under load, and a cancel waits behind the connections before it."""
    assert uvloop.run(turns_until_taken()) <= CONNECTIONS / 4


async def test_a_listener_that_cannot_be_opened_whole_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    opened: list[asyncio.Server] = []
    create = loop.create_server

    async def until_there_are_no_more(*given: Any, **named: Any) -> asyncio.Server:
        if len(opened) == 3:
            raise OSError(errno.EMFILE, "too many open files")
        opened.append(await create(*given, **named))
        return opened[-1]

    monkeypatch.setattr(loop, "create_server", until_there_are_no_more)
    parts = Parts(cast(Any, None), cast(Any, None), cast(Any, None), SetClock(), lambda: None)
    with pytest.raises(OSError, match="too many open files"):
        await serve(RuntimeSettings(LOOPBACK, 0), parts)
    assert [one.is_serving() for one in opened] == [False] * 3

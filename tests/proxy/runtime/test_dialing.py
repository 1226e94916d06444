"""Backends that lie while the connection is made: nothing of ours is given to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from tollhouse_proxy.exchange import Greeting, Target, TlsMode
from tollhouse_proxy.runtime.dialing import Unreachable, dial

GREETING = Greeting(b"may we?", b"S")
Serving = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def backend(serve: Serving) -> AsyncIterator[Target]:
    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    try:
        yield Target("127.0.0.1", server.sockets[0].getsockname()[1], TlsMode.REQUIRE)
    finally:
        server.close()
        await server.wait_closed()


def answering(data: bytes, heard: bytearray) -> Serving:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await reader.readexactly(len(GREETING.request)))
        writer.write(data)
        heard.extend(await reader.read())

    return serve


@pytest.mark.parametrize("answer", [b"N", b"E", b"S injected", b"SS", b"\0", b"R\0\0\0\x08\0\0\0\0"])
async def test_a_backend_that_strips_tls_or_says_more_than_yes_gets_nothing(answer: bytes) -> None:
    heard = bytearray()
    async with backend(answering(answer, heard)) as target:
        with pytest.raises(Unreachable, match="offers no TLS"):
            await dial(target, GREETING, 5)
    assert bytes(heard) == GREETING.request


async def test_one_that_says_yes_and_speaks_no_tls_gets_a_handshake_and_no_more() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(GREETING.request))
        writer.write(b"S")
        assert (await reader.readexactly(1)) == b"\x16"
        writer.write(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I")
        await reader.read()

    async with backend(serve) as target:
        with pytest.raises(Unreachable):
            await dial(target, GREETING, 5)


@pytest.mark.parametrize("silent", [True, False])
async def test_one_that_says_nothing_or_hangs_up_is_left_in_time(silent: bool) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if silent:
            await reader.read()

    async with backend(serve) as target:
        with pytest.raises(Unreachable, match="did not answer within" if silent else "closed"):
            await dial(target, GREETING, 0.2 if silent else 5)

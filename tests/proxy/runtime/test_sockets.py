"""What sockets are told, on either loop and for either family."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest
import uvloop

from tollhouse_proxy.runtime.sockets import KEEP_IDLE_SECONDS, tune

LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


@pytest.mark.parametrize("make", LOOPS)
def test_small_messages_go_at_once_and_a_peer_that_is_gone_is_noticed_but_not_one_that_takes_its_time(
    make: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    found: dict[int, int] = {}

    class Told(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            sock = transport.get_extra_info("socket")
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
            tune(transport)
            for option in (socket.TCP_NODELAY, socket.TCP_KEEPIDLE, socket.TCP_USER_TIMEOUT):
                found[option] = sock.getsockopt(socket.IPPROTO_TCP, option)
            found[-1] = sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)

    async def accept_one() -> None:
        server = await asyncio.get_running_loop().create_server(Told, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(5):
            while not found:
                await asyncio.sleep(0)
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()

    loop = make()
    try:
        loop.run_until_complete(accept_one())
    finally:
        loop.close()
    assert found == {
        socket.TCP_NODELAY: 1,
        socket.TCP_KEEPIDLE: KEEP_IDLE_SECONDS,
        socket.TCP_USER_TIMEOUT: 0,
        -1: 1,
    }


def test_a_unix_socket_is_left_as_it_is() -> None:
    one, other = socket.socketpair()

    class Transport(asyncio.BaseTransport):
        def get_extra_info(self, name: str, default: object = None) -> object:
            return one if name == "socket" else default

    tune(Transport())
    one.close()
    other.close()

"""Connections to the backend."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from tollhouse_proxy.exchange import Greeting, SendAside, Target, TlsMode
from tollhouse_proxy.runtime.sockets import tune
from tollhouse_proxy.runtime.tls import backend_context, certificate_hash


class Unreachable(Exception):
    """The backend cannot be reached. `str()` is safe for a client: it names no address."""


class BackendWire(asyncio.Protocol):
    """One backend connection. Until `attach`, what comes is kept."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.writable = True
        self._received: Callable[[bytes], None] | None = None
        self._lost: Callable[[], None] | None = None
        self._paused: Callable[[bool], None] | None = None
        self._early = bytearray()
        self._first: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance
        tune(transport)

    def data_received(self, data: bytes) -> None:
        """asyncio's."""
        if self._received is not None:
            self._received(data)
            return
        self._early += data
        if not self._first.done():
            assert self.transport is not None
            self.transport.pause_reading()
            self._first.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        """asyncio's."""
        if not self._first.done():
            self._first.set_exception(Unreachable("the backend closed the connection"))
            self._first.exception()
        if self._lost is not None:
            self._lost()

    def pause_writing(self) -> None:
        """asyncio's."""
        self.writable = False
        if self._paused is not None:
            self._paused(True)

    def resume_writing(self) -> None:
        """asyncio's."""
        self.writable = True
        if self._paused is not None:
            self._paused(False)

    async def answer(self) -> bytes:
        """The first bytes that came; nothing further is read until the connection is attached."""
        await self._first
        found = bytes(self._early)
        self._early.clear()
        return found

    def attach(
        self, received: Callable[[bytes], None], lost: Callable[[], None], paused: Callable[[bool], None]
    ) -> None:
        """From now on what comes goes there."""
        self._received, self._lost, self._paused = received, lost, paused
        if self._early:
            found = bytes(self._early)
            self._early.clear()
            received(found)


@dataclass(frozen=True, slots=True)
class Opened:
    """A backend connection and what is known of it."""

    wire: BackendWire
    certificate_hash: bytes | None
    verified: bool


async def dial(target: Target, greeting: Greeting, seconds: float) -> Opened:
    """Connects, with TLS as the target says. Raises Unreachable."""
    try:
        async with asyncio.timeout(seconds):
            wire = await _connect(target)
            try:
                return await _secure(wire, target, greeting)
            except BaseException:
                if wire.transport is not None:
                    wire.transport.abort()
                raise
    except TimeoutError:
        raise Unreachable(f"the backend did not answer within {seconds:g} seconds") from None
    except ssl.SSLCertVerificationError as error:
        raise Unreachable(f"the backend's certificate is not accepted: {error.verify_message}") from None
    except ssl.SSLError as error:
        raise Unreachable(f"no TLS with the backend: {error.reason or 'the handshake failed'}") from None
    except OSError as error:
        raise Unreachable(
            f"the backend cannot be reached: {error.strerror or type(error).__name__}"
        ) from None


async def _connect(target: Target) -> BackendWire:
    loop = asyncio.get_running_loop()
    if target.is_local:
        path = f"{target.host}/.s.PGSQL.{target.port}"
        _, wire = await loop.create_unix_connection(BackendWire, path)
        return wire
    _, wire = await loop.create_connection(BackendWire, target.host, target.port)
    return wire


async def _secure(wire: BackendWire, target: Target, greeting: Greeting) -> Opened:
    context = backend_context(target)
    if context is None:
        return Opened(wire, None, verified=False)
    assert wire.transport is not None
    wire.transport.write(greeting.request)
    answer = await wire.answer()
    if answer != greeting.accepted:
        raise Unreachable("the backend offers no TLS; the connection asks for it")
    loop = asyncio.get_running_loop()
    secured = await loop.start_tls(wire.transport, wire, context, server_hostname=target.host)
    assert secured is not None
    wire.transport = secured
    der = secured.get_extra_info("ssl_object").getpeercert(binary_form=True)
    return Opened(wire, certificate_hash(der) if der else None, target.tls is TlsMode.VERIFY_FULL)


async def send_aside(effect: SendAside, seconds: float) -> None:
    """Sends a few bytes on a connection of their own, and waits for the backend to close it. Never raises."""
    try:
        opened = await dial(effect.target, effect.greeting, seconds)
        transport = opened.wire.transport
        assert transport is not None
        transport.write(effect.data)
        try:
            await asyncio.wait_for(opened.wire.answer(), seconds)
        finally:
            transport.close()
    except (Unreachable, TimeoutError):
        pass
    finally:
        if effect.done is not None and not effect.done.done():
            effect.done.set_result(None)

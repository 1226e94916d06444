"""An OIDC issuer of a few lines on loopback: discovery, a key set, and every way to misbehave."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from kit.pki import Pair
from kit.ports import LOOPBACK
from kit.tokens import SigningKey, signing_key

DISCOVERY = "/.well-known/openid-configuration"


class Issuer:
    """Publishes `keys`. What it does wrong is an attribute that tests set.

    hang: requests wait for it. drip: seconds between the bytes of the key set. status: an error for every
    request. redirect: where the key set is said to have moved. document, key_set: answered instead of the
    right ones. fetched counts requests for the key set.
    """

    def __init__(self, keys: Sequence[SigningKey]) -> None:
        self.url = ""
        self.keys = list(keys)
        self.hang: asyncio.Event | None = None
        self.drip: float | None = None
        self.status = 200
        self.redirect: str | None = None
        self.document: dict[str, object] | bytes | None = None
        self.key_set: object = None
        self.body: bytes | None = None
        self.fetched = 0
        self.asked = 0
        self.waiting = 0
        self.paths: list[str] = []

    async def discovery(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        self.paths.append(request.path)
        await self._misbehave()
        if isinstance(self.document, bytes):
            return web.Response(body=self.document, content_type="application/json")
        return web.json_response(self.document or {"issuer": self.url, "jwks_uri": f"{self.url}/keys"})

    async def key_documents(self, request: web.Request) -> web.StreamResponse:
        self.fetched += 1
        self.paths.append(request.path)
        await self._misbehave()
        if self.redirect is not None and request.path == "/keys":
            raise web.HTTPFound(self.redirect)
        if self.drip is not None:
            return await self._dripped(request, self.drip)
        if self.body is not None:
            return web.Response(body=self.body, content_type="application/json")
        documents: Any = self.key_set
        return web.json_response(documents or {"keys": [key.public() for key in self.keys]})

    async def _dripped(self, request: web.Request, seconds: float) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            await answer.write(b" ")
            await asyncio.sleep(seconds)

    async def _misbehave(self) -> None:
        if self.hang is not None:
            self.waiting += 1
            await self.hang.wait()
            self.waiting -= 1
        if self.status != 200:
            raise web.HTTPServiceUnavailable()


@asynccontextmanager
async def issuing(*keys: SigningKey, tls: Pair | None = None) -> AsyncIterator[Issuer]:
    """A running issuer with these keys (default: one ES256 key); with `tls` it speaks HTTPS."""
    context = None
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.certificate, tls.key)
    issuer = Issuer(keys or [signing_key()])
    application = web.Application()
    application.router.add_get(DISCOVERY, issuer.discovery)
    application.router.add_get("/keys", issuer.key_documents)
    application.router.add_get("/moved", issuer.key_documents)
    runner = web.AppRunner(application, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, LOOPBACK, 0, ssl_context=context)
    await site.start()
    port = runner.addresses[0][1]
    issuer.url = f"{'https' if tls else 'http'}://{LOOPBACK}:{port}"
    try:
        yield issuer
    finally:
        if issuer.hang is not None:
            issuer.hang.set()
        await runner.cleanup()

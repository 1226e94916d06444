"""Fetches one JSON document from an issuer, bounded in time and size.

The one importer of aiohttp's client in this package. No proxy, cookie or credential is taken
from the environment; redirects are followed only within the same origin.
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Mapping
from urllib.parse import urljoin, urlsplit

import aiohttp

from tollhouse_identity.form import Refused, strict_json_object

MAX_DOCUMENT_BYTES = 256 * 1024
MAX_CONTEXTS = 32
MAX_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class FetchFailed(Exception):
    """The document cannot be had. `str()` completes "it ..." and holds nothing of the answer."""


class Fetcher:
    """GETs JSON objects. One session for all issuers; nothing in it is shared between hosts."""

    def __init__(self, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._session: aiohttp.ClientSession | None = None
        self._contexts: dict[str | None, ssl.SSLContext] = {}

    async def json_object(self, url: str, ca_pem: str | None) -> Mapping[str, object]:
        """The JSON object at `url`, whose certificate the authorities in `ca_pem` vouch for (None:
        the system's). Raises FetchFailed; takes at most the timeout."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                body = await self._get(url, ca_pem)
        except TimeoutError:
            raise FetchFailed(f"did not answer within {self._timeout_seconds:g} s") from None
        except aiohttp.ClientConnectorCertificateError:
            raise FetchFailed("shows a certificate that is not trusted") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise FetchFailed(f"cannot be reached ({type(error).__name__})") from None
        try:
            return strict_json_object(body, "answers with a document that")
        except Refused as problem:
            raise FetchFailed(str(problem)) from None

    async def _get(self, url: str, ca_pem: str | None) -> bytes:
        tls = await self._context(ca_pem)
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        for _ in range(1 + MAX_REDIRECTS):
            async with self._open().get(url, ssl=tls, headers=headers, allow_redirects=False) as answer:
                if answer.status not in _REDIRECTS:
                    return await _bounded_body(answer)
                target = urljoin(url, answer.headers.get("Location", ""))
            if origin(target) != origin(url):
                raise FetchFailed("redirects to another place, which is not followed")
            url = target
        raise FetchFailed("redirects too often")

    async def _context(self, ca_pem: str | None) -> ssl.SSLContext:
        """Reading the system's authorities takes tens of milliseconds: once, and in a thread."""
        context = self._contexts.get(ca_pem)
        if context is None:
            try:
                context = await asyncio.to_thread(ssl.create_default_context, cadata=ca_pem)
            except (ssl.SSLError, ValueError):
                raise FetchFailed("has a CA bundle configured that is not PEM") from None
            if len(self._contexts) >= MAX_CONTEXTS:
                self._contexts.clear()
            self._contexts[ca_pem] = context
        return context

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, limit_per_host=4, force_close=True),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
            )
        return self._session

    async def close(self) -> None:
        """Ends all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


async def _bounded_body(answer: aiohttp.ClientResponse) -> bytes:
    if answer.status != 200:
        raise FetchFailed(f"answers with HTTP status {answer.status}")
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > MAX_DOCUMENT_BYTES:
            raise FetchFailed(f"answers with more than {MAX_DOCUMENT_BYTES // 1024} KiB")
    return bytes(body)


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port (RFC 6454), the default port filled in."""
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme.lower(), (parts.hostname or "").lower(), port


def is_loopback(url: str) -> bool:
    """Whether the host is this machine by name or address, so that plain HTTP gives nothing away."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"

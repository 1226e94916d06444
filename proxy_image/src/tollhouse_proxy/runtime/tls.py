"""TLS contexts for both legs."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import Coroutine
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography import x509

from tollhouse_proxy.exchange import Target, TlsMode

ALPN = ["postgresql"]


class ServingCertificate:
    """`tls.crt` and `tls.key` of a folder, read again when they change on disk."""

    def __init__(self, folder: Path) -> None:
        self._certificate = folder / "tls.crt"
        self._key = folder / "tls.key"
        self._stamp: tuple[object, ...] = ()
        self._context: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext | None:
        """The context for new connections; None while there is no usable certificate. One that was good
        stays in use while a newer one on disk cannot be read (it may be half written)."""
        try:
            stamp = tuple(
                (file.stat().st_mtime_ns, file.stat().st_ino, file.stat().st_size)
                for file in (self._certificate, self._key)
            )
            if stamp != self._stamp:
                self._context = server_context(self._certificate, self._key)
                self._stamp = stamp
        except (OSError, ssl.SSLError):
            return self._context
        return self._context


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """For the client leg: TLS 1.2 and later."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(ALPN)
    return context


def backend_context(target: Target) -> ssl.SSLContext | None:
    """For the backend leg; None where it has no TLS."""
    if target.tls is TlsMode.DISABLE or target.is_local:
        return None
    return _context(target.tls, target.ca_pem)


@lru_cache(maxsize=8)
def _context(mode: TlsMode, ca_pem: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=ca_pem)
    context.set_alpn_protocols(ALPN)
    if mode is TlsMode.REQUIRE:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def certificate_hash(der: bytes) -> bytes:
    """tls-server-end-point (RFC 5929): MD5 and SHA-1 signatures are bound by SHA-256."""
    algorithm = x509.load_der_x509_certificate(der).signature_hash_algorithm
    name = algorithm.name if algorithm is not None else "sha256"
    return hashlib.new("sha256" if name in {"md5", "sha1"} else name, der).digest()


async def with_begun(
    handshake: Coroutine[Any, Any, asyncio.Transport | None], plain: asyncio.Transport, begun: bytes
) -> asyncio.Transport | None:
    """The outcome of `loop.start_tls`, to whose side of TLS `begun` is given first: bytes of the handshake
    that were read before it was known to be one."""
    if not begun:
        return await handshake
    task = asyncio.ensure_future(handshake)
    try:
        # One turn for start_tls to put its protocol in place, one for that protocol to be connected. Nothing
        # is read from the socket before the turn after these.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if not task.done():
            _give(plain.get_protocol(), begun)
        return await task
    finally:
        task.cancel()


def _give(protocol: Any, data: bytes) -> None:
    """Hands bytes to a BufferedProtocol as the loop would."""
    while data:
        with memoryview(protocol.get_buffer(len(data))) as room:
            size = min(len(room), len(data))
            room[:size] = data[:size]
        protocol.buffer_updated(size)
        data = data[size:]

"""The untyped packets a connection begins with (protocol chapter, "Start-up")."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from tollhouse_proxy.protocols.postgres.wire import body as fields
from tollhouse_proxy.protocols.postgres.wire.body import Body
from tollhouse_proxy.protocols.postgres.wire.errors import ProtocolError

MAX_STARTUP = 10_000
"""PostgreSQL's own bound on a startup packet."""

SSL_CODE = 80877103
GSSENC_CODE = 80877104
CANCEL_CODE = 80877102

_HEAD = Struct("!II")
_MAX_CANCEL_KEY = 256


class NoStartup(ProtocolError):
    """What came speaks another protocol, or leaves at once. PostgreSQL answers it nothing."""


@dataclass(frozen=True, slots=True)
class SSLRequest:
    """May we speak TLS?"""

    @staticmethod
    def encode() -> bytes:
        """The packet."""
        return _HEAD.pack(8, SSL_CODE)


@dataclass(frozen=True, slots=True)
class GSSENCRequest:
    """May we speak GSSAPI encryption?"""

    @staticmethod
    def encode() -> bytes:
        """The packet."""
        return _HEAD.pack(8, GSSENC_CODE)


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """Stop what that backend process does. The key has 4 to 256 bytes (4 before protocol 3.2)."""

    pid: int
    key: bytes

    def encode(self) -> bytes:
        """The packet."""
        return _HEAD.pack(12 + len(self.key), CANCEL_CODE) + fields.oid(self.pid) + self.key


@dataclass(frozen=True, slots=True)
class StartupMessage:
    """Protocol version and settings, in the order sent."""

    major: int
    minor: int
    settings: tuple[tuple[str, str], ...]

    def encode(self) -> bytes:
        """The packet."""
        pairs = b"".join(fields.text(name) + fields.text(value) for name, value in self.settings)
        return _HEAD.pack(9 + len(pairs), self.major << 16 | self.minor) + pairs + b"\0"


StartupPacket = SSLRequest | GSSENCRequest | CancelRequest | StartupMessage


class StartupReader:
    """Collects one startup packet at a time."""

    def __init__(self) -> None:
        self._data = b""

    @property
    def rest(self) -> bytes:
        """What came behind the last packet."""
        return self._data

    def feed(self, data: bytes) -> None:
        """Takes the next chunk. Raises ProtocolError when far more came than a packet can hold."""
        self._data += data
        if len(self._data) > 2 * MAX_STARTUP:
            raise ProtocolError("more than a startup packet was sent before any answer")

    def next(self) -> StartupPacket | None:
        """The next packet, or None when more bytes are needed."""
        if len(self._data) < 4:
            return None
        length = int.from_bytes(self._data[:4], "big")
        if not 8 <= length <= MAX_STARTUP:
            raise NoStartup(f"a startup packet announces {length} bytes; allowed are 8 to {MAX_STARTUP}")
        if len(self._data) < length:
            return None
        packet, self._data = self._data[:length], self._data[length:]
        return parse_startup(packet)


def parse_startup(packet: bytes) -> StartupPacket:
    """One whole packet, length included. Raises ProtocolError."""
    body = Body("startup packet", packet)
    body.int32()
    code = body.oid()
    match code:
        case 80877103:
            body.end()
            return SSLRequest()
        case 80877104:
            body.end()
            return GSSENCRequest()
        case 80877102:
            return _cancel(body)
        case _:
            return _startup(code, body)


def _cancel(body: Body) -> CancelRequest:
    pid = body.oid()
    key = body.rest()
    if not 4 <= len(key) <= _MAX_CANCEL_KEY:
        raise ProtocolError(f"a cancel key has {len(key)} bytes; allowed are 4 to {_MAX_CANCEL_KEY}")
    return CancelRequest(pid, key)


def _startup(code: int, body: Body) -> StartupMessage:
    major, minor = code >> 16, code & 0xFFFF
    if major != 3:
        return StartupMessage(major, minor, ())
    settings: list[tuple[str, str]] = []
    while True:
        name = body.text()
        if not name:
            break
        settings.append((name, body.text()))
    body.end()
    return StartupMessage(major, minor, tuple(settings))

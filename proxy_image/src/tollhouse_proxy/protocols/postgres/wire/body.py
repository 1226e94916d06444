"""The fields of a message body: strict reading, and writing."""

from __future__ import annotations

from struct import Struct

from tollhouse_proxy.protocols.postgres.wire.errors import ProtocolError

_INT16 = Struct("!h")
_UINT16 = Struct("!H")
_INT32 = Struct("!i")
_UINT32 = Struct("!I")

MAX_MESSAGE = 0x7FFFFFFF


class Body:
    """Reads one message body from front to back; every read is checked against its end."""

    __slots__ = ("_at", "_data", "_name")

    def __init__(self, name: str, data: bytes) -> None:
        self._name = name
        self._data = data
        self._at = 0

    def int16(self) -> int:
        """A signed 16-bit integer."""
        return int(_INT16.unpack_from(self._data, self._take(2))[0])

    def count16(self) -> int:
        """A number of things: 16 bits, unsigned (PostgreSQL allows 65535 parameters)."""
        return int(_UINT16.unpack_from(self._data, self._take(2))[0])

    def int32(self) -> int:
        """A signed 32-bit integer."""
        return int(_INT32.unpack_from(self._data, self._take(4))[0])

    def oid(self) -> int:
        """An unsigned 32-bit integer."""
        return int(_UINT32.unpack_from(self._data, self._take(4))[0])

    def byte(self) -> int:
        """One byte."""
        return self._data[self._take(1)]

    def octets(self, size: int) -> bytes:
        """Exactly `size` bytes."""
        if size < 0:
            raise ProtocolError(f"{self._name}: a length of {size} is negative")
        at = self._take(size)
        return self._data[at : at + size]

    def rest(self) -> bytes:
        """All that is left."""
        return self.octets(len(self._data) - self._at)

    def value(self) -> bytes | None:
        """A length and that many bytes; -1 is NULL."""
        size = self.int32()
        if size == -1:
            return None
        return self.octets(size)

    def cstring(self) -> bytes:
        """Bytes up to the next NUL, without it."""
        end = self._data.find(b"\0", self._at)
        if end < 0:
            raise ProtocolError(f"{self._name}: a string has no terminator")
        found = self._data[self._at : end]
        self._at = end + 1
        return found

    def text(self) -> str:
        """A cstring in UTF-8."""
        try:
            return self.cstring().decode()
        except UnicodeDecodeError:
            raise ProtocolError(f"{self._name}: a string is not UTF-8") from None

    def end(self) -> None:
        """Nothing may be left."""
        if self._at != len(self._data):
            raise ProtocolError(f"{self._name}: {len(self._data) - self._at} bytes too many")

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return len(self._data) - self._at

    def _take(self, size: int) -> int:
        at = self._at
        if at + size > len(self._data):
            raise ProtocolError(f"{self._name}: the body ends too early")
        self._at = at + size
        return at


def message(kind: bytes, *parts: bytes) -> bytes:
    """One message: type, length, body."""
    size = 4 + sum(map(len, parts))
    if size > MAX_MESSAGE:
        raise ProtocolError(f"a message of {size} bytes is too long")
    return b"".join((kind, _INT32.pack(size), *parts))


def int16(value: int) -> bytes:
    """A signed 16-bit integer."""
    return _INT16.pack(value)


def count16(value: int) -> bytes:
    """An unsigned 16-bit integer."""
    return _UINT16.pack(value)


def int32(value: int) -> bytes:
    """A signed 32-bit integer."""
    return _INT32.pack(value)


def oid(value: int) -> bytes:
    """An unsigned 32-bit integer."""
    return _UINT32.pack(value)


def cstring(value: bytes) -> bytes:
    """Bytes and a NUL. They must hold none themselves."""
    if b"\0" in value:
        raise ProtocolError("a string holds a NUL")
    return value + b"\0"


def text(value: str) -> bytes:
    """A cstring in UTF-8."""
    return cstring(value.encode())


def value(content: bytes | None) -> bytes:
    """A length and bytes; NULL is -1."""
    if content is None:
        return b"\xff\xff\xff\xff"
    return _INT32.pack(len(content)) + content

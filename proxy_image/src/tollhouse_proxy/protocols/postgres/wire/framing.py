"""Where one message ends and the next begins.

The framer holds what has come and was not taken yet, in pieces: memory grows with the bytes that
came, never with the length a header announces. Any chunking gives the same messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct

from tollhouse_proxy.kits import kernel
from tollhouse_proxy.protocols.postgres.wire.errors import ProtocolError

HEADER = 5
_LENGTH = Struct("!I")

Caps = Mapping[int, int]
"""Message type -> greatest allowed length (its own four bytes included)."""


class Framer:
    """Cuts a stream of typed messages. A type that `caps` does not name is refused."""

    __slots__ = ("_at", "_caps", "_data", "_have", "_need", "_parts", "_side")

    def __init__(self, side: str, caps: Caps) -> None:
        self._side = side
        self._caps = caps
        self._data = b""
        self._at = 0
        self._parts: list[bytes] = []
        self._have = 0
        self._need = 0

    @property
    def waiting(self) -> int:
        """How many bytes are held."""
        return len(self._data) - self._at + self._have

    def feed(self, data: bytes) -> None:
        """Takes the next chunk."""
        if self._parts:
            self._parts.append(data)
            self._have += len(data)
            if self._have >= self._need:
                self._join()
            return
        self._data = self._data[self._at :] + data
        self._at = 0

    def next(self) -> bytes | None:
        """The next whole message, header included, or None when more bytes are needed.

        Raises ProtocolError for an unknown type, a length below 4 or above the type's cap, as
        soon as the header is there.
        """
        data, at = self._data, self._at
        have = len(data) - at
        if have < HEADER:
            self._data, self._at = data[at:], 0
            return None
        size = 1 + self._length(data, at)
        if have < size:
            self._wait(size)
            return None
        self._at = at + size
        return data[at : at + size]

    def run(self, kinds: bytes) -> bytes:
        """The whole messages of some kinds (`kernel.kinds`) that come next, in one piece; b"" where the next
        one is of another kind, or not whole, or not allowed: `next` says what it is."""
        at = self._at
        self._at, _, _ = kernel.run(self._data, at, kinds)
        return self._data[at : self._at]

    def _length(self, data: bytes, at: int) -> int:
        kind = data[at]
        length: int = _LENGTH.unpack_from(data, at + 1)[0]
        cap = self._caps.get(kind)
        if cap is None:
            raise ProtocolError(f"message type {kind:#04x} is not one that {self._side} may send")
        if not 4 <= length <= cap:
            raise ProtocolError(
                f"a message of type {chr(kind)!r} announces {length} bytes; allowed are 4 to {cap}"
            )
        return length

    def _wait(self, size: int) -> None:
        """Sets the rest aside until `size` bytes of it are there."""
        self._parts = [self._data[self._at :]]
        self._have = len(self._parts[0])
        self._need = size
        self._data, self._at = b"", 0

    def _join(self) -> None:
        self._data = b"".join(self._parts)
        self._at = 0
        self._parts = []
        self._have = 0

"""Messages a client sends (protocol chapter, "Message Formats")."""

from __future__ import annotations

from dataclasses import dataclass

from tollhouse_proxy.protocols.postgres.wire import body as fields
from tollhouse_proxy.protocols.postgres.wire.body import Body, message
from tollhouse_proxy.protocols.postgres.wire.errors import ProtocolError

KIB = 1024
MIB = 1024 * KIB

QUERY, PARSE, BIND, DESCRIBE, EXECUTE = b"Q"[0], b"P"[0], b"B"[0], b"D"[0], b"E"[0]
CLOSE, SYNC, FLUSH, TERMINATE = b"C"[0], b"S"[0], b"H"[0], b"X"[0]
COPY_DATA, COPY_DONE, COPY_FAIL = b"d"[0], b"c"[0], b"f"[0]
FUNCTION_CALL, PASSWORD = b"F"[0], b"p"[0]

MAX_TEXT = 64 * MIB
"""The longest text that is taken in; the reader of SQL refuses much shorter ones, in words."""

MAX_NAMES = 4 * KIB
CAPS = {
    QUERY: MAX_TEXT,
    PARSE: MAX_TEXT + 512 * KIB,
    BIND: 256 * MIB,
    DESCRIBE: MAX_NAMES,
    EXECUTE: MAX_NAMES,
    CLOSE: MAX_NAMES,
    SYNC: 4,
    FLUSH: 4,
    TERMINATE: 4,
    COPY_DATA: 1024 * MIB,
    COPY_DONE: 4,
    COPY_FAIL: 64 * KIB,
    FUNCTION_CALL: 256 * MIB,
}
LOGIN_CAPS = {PASSWORD: 128 * KIB, TERMINATE: 4}


@dataclass(frozen=True, slots=True)
class Query:
    """A text of any number of statements. `text` is its bytes without the closing NUL."""

    text: bytes

    @classmethod
    def parse(cls, data: bytes) -> Query:
        """From a body. Exactly one NUL, at the end."""
        if not data or data.find(b"\0") != len(data) - 1:
            raise ProtocolError("Query: the text must hold one NUL, as its last byte")
        return cls(data[:-1])

    def encode(self) -> bytes:
        """The message."""
        return message(b"Q", fields.cstring(self.text))


@dataclass(frozen=True, slots=True)
class Parse:
    """Prepare a statement under a name ("" is the unnamed one)."""

    name: str
    text: bytes
    types: tuple[int, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> Parse:
        """From a body."""
        body = Body("Parse", data)
        name, text = body.text(), body.cstring()
        types = tuple(body.oid() for _ in range(body.count16()))
        body.end()
        return cls(name, text, types)

    def encode(self) -> bytes:
        """The message."""
        types = b"".join(map(fields.oid, self.types))
        return message(
            b"P", fields.text(self.name), fields.cstring(self.text), fields.count16(len(self.types)), types
        )


@dataclass(frozen=True, slots=True)
class Bind:
    """Make a portal of a prepared statement. Formats: 0 text, 1 binary; none, one for all, or
    one each."""

    portal: str
    statement: str
    formats: tuple[int, ...] = ()
    values: tuple[bytes | None, ...] = ()
    result_formats: tuple[int, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> Bind:
        """From a body."""
        body = Body("Bind", data)
        portal, statement = body.text(), body.text()
        formats = _formats(body)
        values = tuple(body.value() for _ in range(body.count16()))
        results = _formats(body)
        body.end()
        if len(formats) > 1 and len(formats) != len(values):
            raise ProtocolError(f"Bind: {len(formats)} formats for {len(values)} parameters")
        return cls(portal, statement, formats, values, results)

    def encode(self) -> bytes:
        """The message."""
        return message(
            b"B",
            fields.text(self.portal),
            fields.text(self.statement),
            fields.count16(len(self.formats)),
            b"".join(map(fields.int16, self.formats)),
            fields.count16(len(self.values)),
            b"".join(map(fields.value, self.values)),
            fields.count16(len(self.result_formats)),
            b"".join(map(fields.int16, self.result_formats)),
        )


def _formats(body: Body) -> tuple[int, ...]:
    formats = tuple(body.int16() for _ in range(body.count16()))
    if any(code not in {0, 1} for code in formats):
        raise ProtocolError("Bind: a format code must be 0 or 1")
    return formats


def _kind_and_name(title: str, data: bytes) -> tuple[str, str]:
    body = Body(title, data)
    kind = body.byte()
    name = body.text()
    body.end()
    if kind not in b"SP":
        raise ProtocolError(f"{title}: expected 'S' or 'P', found {kind:#04x}")
    return chr(kind), name


@dataclass(frozen=True, slots=True)
class Describe:
    """Describe a statement (`kind` "S") or a portal ("P")."""

    kind: str
    name: str

    @classmethod
    def parse(cls, data: bytes) -> Describe:
        """From a body."""
        return cls(*_kind_and_name("Describe", data))

    def encode(self) -> bytes:
        """The message."""
        return message(b"D", self.kind.encode(), fields.text(self.name))


@dataclass(frozen=True, slots=True)
class Close:
    """Close a statement ("S") or a portal ("P")."""

    kind: str
    name: str

    @classmethod
    def parse(cls, data: bytes) -> Close:
        """From a body."""
        return cls(*_kind_and_name("Close", data))

    def encode(self) -> bytes:
        """The message."""
        return message(b"C", self.kind.encode(), fields.text(self.name))


@dataclass(frozen=True, slots=True)
class Execute:
    """Run a portal; `max_rows` 0 is without bound."""

    portal: str
    max_rows: int = 0

    @classmethod
    def parse(cls, data: bytes) -> Execute:
        """From a body."""
        body = Body("Execute", data)
        found = cls(body.text(), body.int32())
        body.end()
        return found

    def encode(self) -> bytes:
        """The message."""
        return message(b"E", fields.text(self.portal), fields.int32(self.max_rows))


@dataclass(frozen=True, slots=True)
class PasswordMessage:
    """The password, whatever the method makes of it."""

    password: bytes

    @classmethod
    def parse(cls, data: bytes) -> PasswordMessage:
        """From a body."""
        body = Body("PasswordMessage", data)
        found = cls(body.cstring())
        body.end()
        return found

    def encode(self) -> bytes:
        """The message."""
        return message(b"p", fields.cstring(self.password))


@dataclass(frozen=True, slots=True)
class SASLInitialResponse:
    """The chosen mechanism and its first words."""

    mechanism: str
    data: bytes | None

    @classmethod
    def parse(cls, data: bytes) -> SASLInitialResponse:
        """From a body."""
        body = Body("SASLInitialResponse", data)
        found = cls(body.text(), body.value())
        body.end()
        return found

    def encode(self) -> bytes:
        """The message."""
        return message(b"p", fields.text(self.mechanism), fields.value(self.data))


@dataclass(frozen=True, slots=True)
class SASLResponse:
    """The mechanism's further words."""

    data: bytes

    @classmethod
    def parse(cls, data: bytes) -> SASLResponse:
        """From a body."""
        return cls(data)

    def encode(self) -> bytes:
        """The message."""
        return message(b"p", self.data)


@dataclass(frozen=True, slots=True)
class CopyData:
    """A piece of a COPY, in either direction."""

    data: bytes

    @classmethod
    def parse(cls, data: bytes) -> CopyData:
        """From a body."""
        return cls(data)

    def encode(self) -> bytes:
        """The message."""
        return message(b"d", self.data)


@dataclass(frozen=True, slots=True)
class CopyFail:
    """The client gives a COPY up."""

    reason: str

    @classmethod
    def parse(cls, data: bytes) -> CopyFail:
        """From a body."""
        body = Body("CopyFail", data)
        found = cls(body.text())
        body.end()
        return found

    def encode(self) -> bytes:
        """The message."""
        return message(b"f", fields.text(self.reason))


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """The fast path to a function by oid. Arguments' formats as in Bind."""

    function: int
    formats: tuple[int, ...]
    values: tuple[bytes | None, ...]
    result_format: int

    @classmethod
    def parse(cls, data: bytes) -> FunctionCall:
        """From a body."""
        body = Body("FunctionCall", data)
        function = body.oid()
        formats = _formats(body)
        values = tuple(body.value() for _ in range(body.count16()))
        result = body.int16()
        body.end()
        return cls(function, formats, values, result)

    def encode(self) -> bytes:
        """The message."""
        return message(
            b"F",
            fields.oid(self.function),
            fields.count16(len(self.formats)),
            b"".join(map(fields.int16, self.formats)),
            fields.count16(len(self.values)),
            b"".join(map(fields.value, self.values)),
            fields.int16(self.result_format),
        )


SYNC_MESSAGE = message(b"S")
FLUSH_MESSAGE = message(b"H")
TERMINATE_MESSAGE = message(b"X")
COPY_DONE_MESSAGE = message(b"c")

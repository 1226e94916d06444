"""Messages a server sends (protocol chapter, "Message Formats")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tollhouse_proxy.protocols.postgres.wire import body as fields
from tollhouse_proxy.protocols.postgres.wire.body import Body, message
from tollhouse_proxy.protocols.postgres.wire.errors import ProtocolError

AUTHENTICATION, KEY_DATA, PARAMETER_STATUS, READY, NEGOTIATE = (
    b"R"[0],
    b"K"[0],
    b"S"[0],
    b"Z"[0],
    b"v"[0],
)
PARSE_DONE, BIND_DONE, CLOSE_DONE, NO_DATA, SUSPENDED = b"1"[0], b"2"[0], b"3"[0], b"n"[0], b"s"[0]
PARAMETER_DESCRIPTION, ROW_DESCRIPTION, DATA_ROW = b"t"[0], b"T"[0], b"D"[0]
COMMAND_COMPLETE, EMPTY_QUERY, ERROR, NOTICE, NOTIFICATION = b"C"[0], b"I"[0], b"E"[0], b"N"[0], b"A"[0]
COPY_IN, COPY_OUT, COPY_BOTH, COPY_DATA, COPY_DONE = b"G"[0], b"H"[0], b"W"[0], b"d"[0], b"c"[0]
FUNCTION_RESULT = b"V"[0]

_SMALL = 64 * 1024
_LARGE = 0x3FFFFFFF + 1
CAPS = {
    AUTHENTICATION: _SMALL,
    KEY_DATA: 264,
    PARAMETER_STATUS: _LARGE,
    READY: 5,
    NEGOTIATE: _SMALL,
    PARSE_DONE: 4,
    BIND_DONE: 4,
    CLOSE_DONE: 4,
    NO_DATA: 4,
    SUSPENDED: 4,
    PARAMETER_DESCRIPTION: 4 * 65536 + _SMALL,
    ROW_DESCRIPTION: 16 * 1024 * 1024,
    DATA_ROW: _LARGE,
    COMMAND_COMPLETE: _SMALL,
    EMPTY_QUERY: 4,
    ERROR: _LARGE,
    NOTICE: _LARGE,
    NOTIFICATION: _SMALL,
    COPY_IN: _SMALL,
    COPY_OUT: _SMALL,
    COPY_BOTH: _SMALL,
    COPY_DATA: _LARGE,
    COPY_DONE: 4,
    FUNCTION_RESULT: _LARGE,
}


@dataclass(frozen=True, slots=True)
class Authentication:
    """A step of the log-in. `code`: 0 ok, 3 clear text, 5 MD5 (salt), 10 SASL (mechanisms), 11
    and 12 SASL's further words."""

    code: int
    data: bytes = b""

    @classmethod
    def parse(cls, data: bytes) -> Authentication:
        """From a body."""
        body = Body("Authentication", data)
        return cls(body.int32(), body.rest())

    def encode(self) -> bytes:
        """The message."""
        return message(b"R", fields.int32(self.code), self.data)

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """The SASL mechanisms of code 10."""
        body = Body("AuthenticationSASL", self.data)
        found: list[str] = []
        while name := body.text():
            found.append(name)
        body.end()
        return tuple(found)


@dataclass(frozen=True, slots=True)
class BackendKeyData:
    """What a cancel needs: process id, and a key of 4 to 256 bytes."""

    pid: int
    key: bytes

    @classmethod
    def parse(cls, data: bytes) -> BackendKeyData:
        """From a body."""
        body = Body("BackendKeyData", data)
        found = cls(body.oid(), body.rest())
        if not 4 <= len(found.key) <= 256:
            raise ProtocolError(f"BackendKeyData: a key of {len(found.key)} bytes")
        return found

    def encode(self) -> bytes:
        """The message."""
        return message(b"K", fields.oid(self.pid), self.key)


@dataclass(frozen=True, slots=True)
class ParameterStatus:
    """A setting's value, reported by the server."""

    name: str
    value: str

    @classmethod
    def parse(cls, data: bytes) -> ParameterStatus:
        """From a body."""
        body = Body("ParameterStatus", data)
        found = cls(body.text(), body.text())
        body.end()
        return found

    def encode(self) -> bytes:
        """The message."""
        return message(b"S", fields.text(self.name), fields.text(self.value))


@dataclass(frozen=True, slots=True)
class ReadyForQuery:
    """`status`: I idle, T in a transaction, E in a failed one."""

    status: str

    @classmethod
    def parse(cls, data: bytes) -> ReadyForQuery:
        """From a body."""
        if data not in {b"I", b"T", b"E"}:
            raise ProtocolError("ReadyForQuery: the status must be I, T or E")
        return cls(data.decode())

    def encode(self) -> bytes:
        """The message."""
        return message(b"Z", self.status.encode())


@dataclass(frozen=True, slots=True)
class NegotiateProtocolVersion:
    """The newest version served (major << 16 | minor), and the `_pq_` options not known."""

    newest: int
    unknown: tuple[str, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> NegotiateProtocolVersion:
        """From a body."""
        body = Body("NegotiateProtocolVersion", data)
        newest, count = body.oid(), body.int32()
        if not 0 <= count <= body.left:
            raise ProtocolError(f"NegotiateProtocolVersion: {count} options in {body.left} bytes")
        found = cls(newest, tuple(body.text() for _ in range(count)))
        body.end()
        return found

    def encode(self) -> bytes:
        """The message."""
        names = b"".join(map(fields.text, self.unknown))
        return message(b"v", fields.oid(self.newest), fields.int32(len(self.unknown)), names)


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a result. `table` and `attribute` are 0 where it is no plain column."""

    name: bytes
    table: int
    attribute: int
    type: int
    size: int
    modifier: int
    format: int


@dataclass(frozen=True, slots=True)
class RowDescription:
    """The columns of the rows that follow."""

    fields: tuple[Field, ...]

    @classmethod
    def parse(cls, data: bytes) -> RowDescription:
        """From a body."""
        body = Body("RowDescription", data)
        found = tuple(
            Field(
                body.cstring(), body.oid(), body.int16(), body.oid(), body.int16(), body.int32(), body.int16()
            )
            for _ in range(body.count16())
        )
        body.end()
        return cls(found)

    def encode(self) -> bytes:
        """The message."""
        columns = b"".join(
            fields.cstring(one.name)
            + fields.oid(one.table)
            + fields.int16(one.attribute)
            + fields.oid(one.type)
            + fields.int16(one.size)
            + fields.int32(one.modifier)
            + fields.int16(one.format)
            for one in self.fields
        )
        return message(b"T", fields.count16(len(self.fields)), columns)


@dataclass(frozen=True, slots=True)
class ParameterDescription:
    """The parameters' types of a statement."""

    types: tuple[int, ...]

    @classmethod
    def parse(cls, data: bytes) -> ParameterDescription:
        """From a body."""
        body = Body("ParameterDescription", data)
        found = cls(tuple(body.oid() for _ in range(body.count16())))
        body.end()
        return found

    def encode(self) -> bytes:
        """The message."""
        return message(b"t", fields.count16(len(self.types)), b"".join(map(fields.oid, self.types)))


@dataclass(frozen=True, slots=True)
class DataRow:
    """One row; None is NULL."""

    values: tuple[bytes | None, ...]

    @classmethod
    def parse(cls, data: bytes) -> DataRow:
        """From a body."""
        body = Body("DataRow", data)
        found = cls(tuple(body.value() for _ in range(body.count16())))
        body.end()
        return found

    def encode(self) -> bytes:
        """The message."""
        return message(b"D", fields.count16(len(self.values)), b"".join(map(fields.value, self.values)))


@dataclass(frozen=True, slots=True)
class CommandComplete:
    """A statement is done: "SELECT 5", "INSERT 0 1"."""

    tag: str

    @classmethod
    def parse(cls, data: bytes) -> CommandComplete:
        """From a body."""
        body = Body("CommandComplete", data)
        found = cls(body.text())
        body.end()
        return found

    def encode(self) -> bytes:
        """The message."""
        return message(b"C", fields.text(self.tag))


@dataclass(frozen=True, slots=True)
class Report:
    """ErrorResponse (`kind` "E") or NoticeResponse ("N"): fields by their one-letter codes
    (protocol chapter, "Error and Notice Message Fields")."""

    kind: str
    fields: Mapping[str, str]

    @classmethod
    def parse(cls, kind: str, data: bytes) -> Report:
        """From a body. Text that is not UTF-8 (errors before the session's encoding is known) is
        read with replacements."""
        body = Body("ErrorResponse" if kind == "E" else "NoticeResponse", data)
        found: dict[str, str] = {}
        while code := body.byte():
            found[chr(code)] = body.cstring().decode(errors="replace")
        body.end()
        return cls(kind, found)

    def encode(self) -> bytes:
        """The message."""
        content = b"".join(code.encode() + fields.text(value) for code, value in self.fields.items())
        return message(self.kind.encode(), content, b"\0")


@dataclass(frozen=True, slots=True)
class NotificationResponse:
    """A NOTIFY of some session."""

    pid: int
    channel: str
    payload: str

    @classmethod
    def parse(cls, data: bytes) -> NotificationResponse:
        """From a body."""
        body = Body("NotificationResponse", data)
        found = cls(body.oid(), body.text(), body.text())
        body.end()
        return found

    def encode(self) -> bytes:
        """The message."""
        return message(b"A", fields.oid(self.pid), fields.text(self.channel), fields.text(self.payload))


@dataclass(frozen=True, slots=True)
class CopyResponse:
    """CopyInResponse (`kind` "G"), CopyOutResponse ("H"), CopyBothResponse ("W")."""

    kind: str
    format: int
    columns: tuple[int, ...]

    @classmethod
    def parse(cls, kind: str, data: bytes) -> CopyResponse:
        """From a body."""
        body = Body("CopyResponse", data)
        found = cls(kind, body.byte(), tuple(body.int16() for _ in range(body.count16())))
        body.end()
        return found

    def encode(self) -> bytes:
        """The message."""
        return message(
            self.kind.encode(),
            bytes((self.format,)),
            fields.count16(len(self.columns)),
            b"".join(map(fields.int16, self.columns)),
        )


PARSE_DONE_MESSAGE = message(b"1")
BIND_DONE_MESSAGE = message(b"2")
CLOSE_DONE_MESSAGE = message(b"3")
EMPTY_QUERY_MESSAGE = message(b"I")

"""A PostgreSQL client of a few lines: what a load generator needs, and no more, so that it leaves the machine
to what is measured."""

from __future__ import annotations

import asyncio
import secrets
import ssl
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from tollhouse_proxy.protocols.postgres.scram import ScramClient

_HEAD = struct.Struct("!cI")
READ = 65536


class Failed(Exception):
    """The server said no. `code` is the SQLSTATE."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code} {message}")
        self.code = code


@dataclass
class Answer:
    """What came for one message, up to ReadyForQuery. Values are text, None for NULL; `copied` are the rows
    of a COPY TO."""

    rows: list[tuple[str | None, ...]] = field(default_factory=list)
    copied: list[bytes] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    error: Failed | None = None
    copy_in: bool = False


class Client:
    """One session. Any error ends in an exception; `Failed` leaves it usable."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._data = b""
        self.key: tuple[int, bytes] = (0, b"")
        self.address = ("", 0)
        self._scram: ScramClient | None = None

    @classmethod
    async def connect(
        cls,
        host: str,
        port: int,
        user: str,
        token: str,
        database: str,
        *,
        context: ssl.SSLContext | None = None,
    ) -> Self:
        """Logs in with a password in clear text, or by SCRAM; `context`: under TLS, asked for first."""
        reader, writer = await asyncio.open_connection(host, port, limit=READ)
        if context is not None:
            writer.write(struct.pack("!II", 8, 80877103))
            if await reader.readexactly(1) != b"S":
                raise ConnectionError("the server offers no TLS")
            await writer.start_tls(context, server_hostname=host)
        made = cls(reader, writer)
        made.address = (host, port)
        words = b"".join(f"{part}\0".encode() for part in ("user", user, "database", database)) + b"\0"
        writer.write(struct.pack("!II", len(words) + 8, 196608) + words)
        try:
            while (message := await made._next())[0] != b"Z":
                if message[0] == b"R":
                    made._prove(message[1], user, token)
                elif message[0] == b"K":
                    made.key = (int.from_bytes(message[1][:4], "big"), message[1][4:])
                elif message[0] == b"E":
                    raise _failed(message[1])
        except BaseException:
            writer.close()
            raise
        return made

    def _prove(self, request: bytes, user: str, token: str) -> None:
        """SCRAM is the proxy's own (`protocols/postgres/scram`): a benchmark need not write it again."""
        match int.from_bytes(request[:4], "big"):
            case 3:
                self._send(b"p", token.encode() + b"\0")
            case 10:
                self._scram = ScramClient(token, secrets.token_hex(12), None, plus=False)
                first = self._scram.first()
                self._send(b"p", b"SCRAM-SHA-256\0" + struct.pack("!I", len(first)) + first)
            case 11:
                assert self._scram is not None
                self._send(b"p", self._scram.final(request[4:]))
            case 12:
                assert self._scram is not None
                self._scram.finish(request[4:])
            case _:
                pass

    async def query(self, text: str) -> Answer:
        """A simple query. Raises Failed."""
        self._send(b"Q", text.encode() + b"\0")
        return await self._answer()

    async def ask(self, text: str, *values: str, name: str = "") -> Answer:
        """An extended query with text parameters; `name` prepares it, once. Raises Failed."""
        if text:
            self._send(b"P", f"{name}\0{text}\0".encode() + b"\0\0")
        bound = b"".join(struct.pack("!I", len(value.encode())) + value.encode() for value in values)
        self._send(b"B", f"\0{name}\0".encode() + struct.pack("!HH", 0, len(values)) + bound + b"\0\0")
        self._send(b"E", b"\0" + bytes(4))
        self._send(b"S", b"")
        return await self._answer()

    async def copy_in(self, text: str, rows: Sequence[bytes]) -> Answer:
        """COPY FROM STDIN. Raises Failed."""
        self._send(b"Q", text.encode() + b"\0")
        if (await self._answer()).copy_in:
            for row in rows:
                self._send(b"d", row)
            self._send(b"c", b"")
            return await self._answer()
        raise Failed("", "COPY did not begin")

    async def cancel(self) -> None:
        """Asks, on another connection, that what runs be stopped."""
        _, writer = await asyncio.open_connection(*self.address)
        pid, key = self.key
        writer.write(struct.pack("!III", 12 + len(key), 80877102, pid) + key)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def close(self) -> None:
        """Says good-bye."""
        self._send(b"X", b"")
        self._writer.close()
        await self._writer.wait_closed()

    def _send(self, kind: bytes, body: bytes) -> None:
        self._writer.write(_HEAD.pack(kind, len(body) + 4) + body)

    async def _next(self) -> tuple[bytes, bytes]:
        while True:
            data = self._data
            if len(data) >= 5:
                kind, length = _HEAD.unpack_from(data)
                if len(data) > length:
                    self._data = data[1 + length :]
                    return kind, data[5 : 1 + length]
            more = await self._reader.read(READ)
            if not more:
                raise ConnectionError("the server closed the connection")
            self._data = data + more

    async def _answer(self) -> Answer:
        found = Answer()
        while True:
            kind, body = await self._next()
            match kind:
                case b"D":
                    found.rows.append(_values(body))
                case b"d":
                    found.copied.append(body)
                case b"C":
                    found.tags.append(body[:-1].decode())
                case b"E":
                    found.error = _failed(body)
                case b"G":
                    found.copy_in = True
                    return found
                case b"Z":
                    if found.error is not None:
                        raise found.error
                    return found
                case _:
                    pass


def _values(body: bytes) -> tuple[str | None, ...]:
    values: list[str | None] = []
    at = 2
    for _ in range(int.from_bytes(body[:2], "big")):
        length = int.from_bytes(body[at : at + 4], "big", signed=True)
        at += 4
        if length < 0:
            values.append(None)
        else:
            values.append(body[at : at + length].decode())
            at += length
    return tuple(values)


def _failed(body: bytes) -> Failed:
    fields = {part[:1]: part[1:].decode() for part in body.split(b"\0") if part}
    return Failed(fields.get(b"C", ""), fields.get(b"M", ""))

"""The smallest client there can be: says one statement to our own listener and reads the answer."""

from __future__ import annotations

import asyncio
import struct
from dataclasses import replace

from tollhouse_core.api.connection import ProxyTlsMode
from tollhouse_core.policy.bundle import PolicyBundle

PROTOCOL_3_0 = 196608
ANSWER_SECONDS = 20.0
_NULL = -1


class NotAnswered(Exception):
    """The proxy ended the session, or answered with an error; `str()` is its own words."""


async def ask(port: int, sql: str) -> None:
    """Logs in, sends a simple Query and reads to the end of any answer. Raises NotAnswered."""
    async with asyncio.timeout(None) as bound:
        await _asked(port, bound, "explain", "explained", [sql])


async def rows_of(
    port: int, queries: list[str], *, user: str, password: str
) -> list[list[tuple[str | None, ...]]]:
    """The rows of each query, all in one session; values as text. Raises NotAnswered, for errors too."""
    async with asyncio.timeout(None) as bound:
        answers = await _asked(port, bound, user, password, queries)
    for _, said in answers:
        if said:
            raise NotAnswered(said)
    return [rows for rows, _ in answers]


_Answer = tuple[list[tuple[str | None, ...]], str]


async def _asked(
    port: int, bound: asyncio.Timeout, user: str, password: str, queries: list[str]
) -> list[_Answer]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        bound.reschedule(asyncio.get_running_loop().time() + ANSWER_SECONDS)
        words = b"user\0" + user.encode() + b"\0\0"
        writer.write(struct.pack("!ii", len(words) + 8, PROTOCOL_3_0) + words)
        writer.write(_message(b"p", password.encode() + b"\0"))
        await _until_ready(reader)
        answers = []
        for sql in queries:
            writer.write(_message(b"Q", sql.encode() + b"\0"))
            answers.append(await _until_ready(reader))
        return answers
    finally:
        writer.close()


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


async def _until_ready(reader: asyncio.StreamReader) -> _Answer:
    """Reads to ReadyForQuery: the rows, and what the last error says ("" for none). Raises NotAnswered where
    the session ends instead."""
    said = ""
    rows: list[tuple[str | None, ...]] = []
    while True:
        try:
            head = await reader.readexactly(5)
            body = await reader.readexactly(struct.unpack("!i", head[1:])[0] - 4)
        except (asyncio.IncompleteReadError, ConnectionError):
            raise NotAnswered(said or "the session was ended without a word") from None
        match head[:1]:
            case b"Z":
                return rows, said
            case b"E":
                said = _words(body)
            case b"D":
                rows.append(_values(body))


def _values(body: bytes) -> tuple[str | None, ...]:
    values: list[str | None] = []
    at = 2
    for _ in range(struct.unpack_from("!h", body)[0]):
        size = struct.unpack_from("!i", body, at)[0]
        at += 4
        if size == _NULL:
            values.append(None)
            continue
        values.append(body[at : at + size].decode("utf-8", "replace"))
        at += size
    return tuple(values)


def _words(body: bytes) -> str:
    fields = {part[:1]: part[1:].decode("utf-8", "replace") for part in body.split(b"\0") if part}
    return fields.get(b"M", "")


def plain(bundle: PolicyBundle) -> PolicyBundle:
    """The same bundle for our own client, which comes over loopback and speaks no TLS."""
    connection = bundle.connection
    tls = connection.spec.proxy.tls.model_copy(update={"mode": ProxyTlsMode.DISABLE})
    proxy = connection.spec.proxy.model_copy(update={"tls": tls})
    changed: dict[str, object] = {"proxy": proxy}
    if connection.spec.postgres is not None:  # the Connection's own credentials explain for every role
        changed["postgres"] = connection.spec.postgres.model_copy(update={"roles": {}})
    spec = connection.spec.model_copy(update=changed)
    return replace(bundle, connection=connection.model_copy(update={"spec": spec}))

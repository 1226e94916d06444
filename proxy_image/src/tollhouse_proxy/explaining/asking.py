"""The smallest client there can be: says one statement to our own listener and waits for the answer."""

from __future__ import annotations

import asyncio
import struct

PROTOCOL_3_0 = 196608
ANSWER_SECONDS = 20.0


class NotAnswered(Exception):
    """The proxy ended the session; `str()` is its own words."""


async def ask(port: int, sql: str) -> None:
    """Logs in, sends a simple Query and reads to the end of the answer. Raises NotAnswered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            words = b"user\0explain\0\0"
            writer.write(struct.pack("!ii", len(words) + 8, PROTOCOL_3_0) + words)
            writer.write(_message(b"p", b"explained\0"))
            await _until_ready(reader)
            writer.write(_message(b"Q", sql.encode() + b"\0"))
            await _until_ready(reader)
    except TimeoutError:
        raise NotAnswered(f"no answer within {ANSWER_SECONDS:g} seconds") from None
    finally:
        writer.close()


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


async def _until_ready(reader: asyncio.StreamReader) -> None:
    """Reads to ReadyForQuery. An error before it matters only where nothing follows it."""
    said = ""
    while True:
        try:
            head = await reader.readexactly(5)
            body = await reader.readexactly(struct.unpack("!i", head[1:])[0] - 4)
        except asyncio.IncompleteReadError:
            raise NotAnswered(said or "the session was ended without a word") from None
        if head[:1] == b"Z":
            return
        if head[:1] == b"E":
            said = _words(body)


def _words(body: bytes) -> str:
    fields = {part[:1]: part[1:].decode("utf-8", "replace") for part in body.split(b"\0") if part}
    return fields.get(b"M", "")

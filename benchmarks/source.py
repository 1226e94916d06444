"""A backend that has its rows ready: `python -m benchmarks.source PORT TARGET_PORT ROWS`.

Everything is passed on to a real PostgreSQL and back, but for a Query that holds MARK: it is answered here,
with the columns of `bulk` and rows made beforehand. What is measured in front of it is the way the rows take,
and no server that makes them.
"""

from __future__ import annotations

import asyncio
import sys

from benchmarks.bulk_rows import answer

MARK = b"/* from the source */"
_PIECE = 256 * 1024


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_PIECE):
        writer.write(data)
        await writer.drain()
    writer.close()


async def _serve(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: int, ready: bytes
) -> None:
    back_reader, back_writer = await asyncio.open_connection("127.0.0.1", target)
    back = asyncio.create_task(_pass_on(back_reader, writer))
    try:
        while data := await reader.read(_PIECE):
            if MARK in data:
                view = memoryview(ready)
                for at in range(0, len(view), _PIECE):
                    writer.write(view[at : at + _PIECE])
                    await writer.drain()
            else:
                back_writer.write(data)
                await back_writer.drain()
    except ConnectionError:
        pass
    finally:
        back.cancel()
        back_writer.close()
        writer.close()


async def main(port: int, target: int, rows: int) -> None:
    """Serves until it is stopped."""
    ready = answer(rows)
    server = await asyncio.start_server(
        lambda reader, writer: _serve(reader, writer, target, ready), "127.0.0.1", port
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*(int(word) for word in sys.argv[1:4])))

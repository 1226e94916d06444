"""`python -m tollhouse_proxy.reading`: the process that reads and rewrites long texts for a proxy.

It has one connection, its standard input, to the proxy that started it, and ends with it. Nothing else is
open: no network, no file. Time and memory are bounded by the kernel (an interval timer, a resource limit), so
that no text can hold the process for ever; the proxy then sees the connection close.

Frames both ways: one letter, four bytes of length, then so many bytes. From the proxy: `S` a piece of what
is shared (key, NUL, piece; an empty piece ends it), `D` a key to drop, `Q` a request. Back: `A` an answer,
`L` the last one, before the process ends to give its memory back, `E` none, and it ends.
"""

from __future__ import annotations

import resource
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from tollhouse_proxy.protocols.postgres.apart import Hand

HEAD = 5
CPU_SECONDS = 10.0
"""Of one request. A quarter of a megabyte takes a few seconds at worst; what takes longer is refused."""

MEMORY_BYTES = 2 << 30
_USED_UP_KIB = 400 * 1024
"""A process that has grown beyond this ends after its answer; another is started."""


class Stream(Protocol):
    """Both directions of the connection, buffered."""

    def read(self, size: int, /) -> bytes:
        """So many bytes; fewer when the connection is closed."""
        ...

    def write(self, data: bytes, /) -> int:
        """Buffers them."""
        ...

    def flush(self) -> None:
        """Sends what is buffered."""
        ...


def main(arguments: Sequence[str]) -> int:
    """Serves until the proxy closes the connection. The first argument, if any, stands for CPU_SECONDS."""
    cpu_seconds = float(arguments[0]) if arguments else CPU_SECONDS
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends when its proxy does, not before
    with (
        suppress(ConnectionError),  # the proxy has gone while it was being answered
        socket.socket(fileno=sys.stdin.fileno()) as link,
        link.makefile("rwb") as stream,
    ):
        _serve(stream, cpu_seconds)
    return 0


def _serve(stream: Stream, cpu_seconds: float) -> None:
    hand = Hand()
    while (frame := _read(stream)) is not None:
        kind, body = frame
        if kind == b"S":
            key, _, piece = body.partition(b"\0")
            hand.take(key.decode(), piece)
        elif kind == b"D":
            hand.drop(body.decode())
        elif not _answer(hand, body, stream, cpu_seconds):
            break


def _held_kib() -> int:
    """Memory held now. What getrusage tells is the greatest ever, and begins with that of the proxy this
    process was forked from."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return pages * resource.getpagesize() // 1024


def _read(stream: Stream) -> tuple[bytes, bytes] | None:
    head = stream.read(HEAD)
    if len(head) < HEAD:
        return None
    return head[:1], stream.read(int.from_bytes(head[1:], "big"))


def _answer(hand: Hand, request: bytes, stream: Stream, cpu_seconds: float) -> bool:
    """False: this was the last one."""
    signal.setitimer(signal.ITIMER_PROF, cpu_seconds)  # its signal ends the process
    try:
        kind, answer = b"A", hand.answer(request)
    except Exception as error:  # its words may hold the client's: they stay here
        sys.stderr.write(f"a text could not be read: {type(error).__name__}\n")
        kind, answer = b"E", b""
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    if kind == b"A" and _held_kib() > _USED_UP_KIB:
        kind = b"L"
    stream.write(kind + len(answer).to_bytes(4, "big") + answer)
    stream.flush()
    return kind == b"A"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Files that are replaced whole, and noticing that one was."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from weakref import WeakKeyDictionary

POLL_SECONDS = 0.1
"""Asking the file system ten times a second costs a proxy some microseconds, works on every file
system (network and container mounts tell no inotify events), and is well below a second."""

_NAME = re.compile(r"[a-z0-9]([-.a-z0-9]*[a-z0-9])?", re.ASCII)


def is_object_name(name: str) -> bool:
    """Whether `name` may name an object, and so a file."""
    return len(name) <= 253 and _NAME.fullmatch(name) is not None and ".." not in name


def replace_file(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Writes beside, syncs and renames. Raises OSError; the old content stands then."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(beside)
        raise


def read_file(path: Path) -> bytes | None:
    """The content; None when there is no such file. Raises OSError."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


Stamp = tuple[int, int, int]


def stamp(path: Path) -> Stamp | None:
    """What changes when a file is replaced; None when there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


class _Looks:
    """Everybody of one loop who waits for a file, looked after by one timer: two hundred sessions that
    wait for people must not wake the loop two thousand times a second."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[Stamp | None], tuple[Path, Stamp | None]] = {}
        self._armed = False

    async def other_than(self, path: Path, seen: Stamp | None) -> Stamp | None:
        """The file's stamp, once it is not `seen`."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Stamp | None] = loop.create_future()
        self._waiting[future] = path, seen
        self._arm(loop)
        try:
            return await future
        finally:
            del self._waiting[future]

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._armed:
            self._armed = True
            loop.call_later(POLL_SECONDS, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._armed = False
        for future, (path, seen) in self._waiting.items():
            if not future.done() and (now := stamp(path)) != seen:
                future.set_result(now)
        if self._waiting:
            self._arm(loop)


_looks: WeakKeyDictionary[asyncio.AbstractEventLoop, _Looks] = WeakKeyDictionary()


async def changes(path: Path) -> AsyncIterator[bool]:
    """Yields at once, and then whenever the file was replaced: whether it is there. Never ends."""
    looks = _looks.setdefault(asyncio.get_running_loop(), _Looks())
    seen = stamp(path)
    yield seen is not None
    while True:
        seen = await looks.other_than(path, seen)
        yield seen is not None

"""Files that are replaced whole, and noticing that one was."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

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


async def changes(path: Path) -> AsyncIterator[bool]:
    """Yields at once, and then whenever the file was replaced: whether it is there. Never ends."""
    seen = stamp(path)
    yield seen is not None
    while True:
        await asyncio.sleep(POLL_SECONDS)
        now = stamp(path)
        if now != seen:
            seen = now
            yield now is not None

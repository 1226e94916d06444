"""What sealed lines are written to: a file that is synced, or a stream (standard output).

Used by the writer thread alone; calls may block.
"""

from __future__ import annotations

import fcntl
import os
import select
import sys
from contextlib import suppress
from pathlib import Path
from typing import Protocol

_FILES = 4
"""How many files share a bound: the one being written, and those before it."""


class SinkBroken(OSError):
    """What was written may be lost (a failed sync). Trying again cannot mend it."""


class LineOutput(Protocol):
    """Takes whole lines in order."""

    @property
    def name(self) -> str:
        """What to call it in messages to people."""
        ...

    def write(self, lines: bytes) -> None:
        """Writes all of `lines` durably. Raises OSError, and then none of it counts as written;
        SinkBroken when nobody can tell any more what is."""
        ...

    def close(self) -> None:
        """Ends it."""
        ...


class StreamOutput:
    """Lines to an open descriptor, standard output as a rule. Durability is its reader's."""

    def __init__(self, descriptor: int, name: str) -> None:
        self._descriptor = descriptor
        self.name = name

    def write(self, lines: bytes) -> None:
        """See LineOutput. A reader that is gone has broken the stream for good."""
        with memoryview(lines) as view:
            done = 0
            while done < len(lines):
                try:
                    done += os.write(self._descriptor, view[done:])
                except BlockingIOError:
                    # Somebody who shares the descriptor made it non-blocking; we may wait.
                    select.select([], [self._descriptor], [])
                except OSError as error:
                    raise SinkBroken(error.errno, error.strerror) from error

    def close(self) -> None:
        """The descriptor is not ours to close."""


def standard_output() -> StreamOutput:
    """Lines to standard output, past Python's own buffer."""
    sys.stdout.flush()
    return StreamOutput(sys.stdout.fileno(), "standard output")


class FileOutput:
    """Lines appended to one file and synced; opened when first needed, mode 0600.

    The file may be moved away at any time (rotation): the next write goes to a new one. One
    process at a time: a second one finds it locked.

    `max_bytes` bounds what all of it takes on disk, 0 does not: a file that has had its share is
    moved to `<name>.1`, that one to `<name>.2`, and so on; the oldest goes.
    """

    def __init__(self, path: Path, max_bytes: int = 0) -> None:
        self._path = path
        self._share = max_bytes // _FILES
        self._descriptor = -1
        self._size = 0
        self._identity: tuple[int, int] | None = None
        self.name = str(path)

    def write(self, lines: bytes) -> None:
        """See LineOutput. A full disk leaves no half lines behind."""
        if self._descriptor < 0 or self._identity != self._identity_on_disk():
            self._reopen()
        if not lines:
            return
        if self._share and self._size and self._size + len(lines) > self._share:
            self._rotate()
        self._append(lines)
        self._size += len(lines)
        self._sync()

    def close(self) -> None:
        """See LineOutput."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _append(self, lines: bytes) -> None:
        done = 0
        try:
            with memoryview(lines) as view:
                while done < len(lines):
                    done += os.write(self._descriptor, view[done:])
        except OSError:
            self._take_back(done)
            raise

    def _take_back(self, done: int) -> None:
        """Leaves nothing of lines that are not whole."""
        before = max(os.fstat(self._descriptor).st_size - done, 0)
        with suppress(OSError):
            os.ftruncate(self._descriptor, before)
        if os.fstat(self._descriptor).st_size != before:
            # The next process ends the torn line; this one must not continue it twice.
            self.close()

    def _sync(self) -> None:
        """After a failed sync the kernel forgets which pages were not written: a second sync
        would say yes to what is lost."""
        try:
            os.fdatasync(self._descriptor)
        except OSError as error:
            raise SinkBroken(error.errno, f"sync failed ({error.strerror})") from error

    def _rotate(self) -> None:
        """All lines in the file are synced: each write was."""
        for number in range(_FILES - 2, 0, -1):
            with suppress(FileNotFoundError):
                self._aged(number).replace(self._aged(number + 1))
        self._path.replace(self._aged(1))
        self._reopen()

    def _aged(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def _reopen(self) -> None:
        self.close()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        is_new = not self._path.exists()
        descriptor = os.open(self._path, flags, 0o600)
        try:
            if is_new:
                _sync_folder(self._path.parent)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _end_a_torn_line(descriptor)
            status = os.fstat(descriptor)
        except BlockingIOError as error:
            os.close(descriptor)
            raise OSError(error.errno, "another process writes to it") from error
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor, self._size = descriptor, status.st_size
        self._identity = status.st_dev, status.st_ino

    def _identity_on_disk(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self._path, follow_symlinks=False)
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino


def _sync_folder(folder: Path) -> None:
    """A file's name is durable only when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _end_a_torn_line(descriptor: int) -> None:
    """A process that died while writing leaves half a line; the next one begins on its own."""
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        os.write(descriptor, b"\n")

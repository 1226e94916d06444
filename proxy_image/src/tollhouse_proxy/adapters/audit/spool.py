"""Lines a sink cannot take now, kept on disk up to a bound (`audit.whenUnavailable: Spool`)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from tollhouse_proxy.adapters.audit.lines import FileOutput

DEFAULT_BYTES = 256 * 1024 * 1024
_CHUNK_BYTES = 1024 * 1024


class SpoolFull(OSError):
    """The bound is reached."""


class Spool:
    """A file of whole lines. What a process that died left in it is delivered by the next one.

    Lines reach their sink at least once: dying between delivery and emptying repeats them, which
    the verifier shows as duplicates and never as a loss.
    """

    def __init__(self, path: Path, max_bytes: int = DEFAULT_BYTES) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._output = FileOutput(path)
        self.size = path.stat().st_size if path.exists() else 0

    def append(self, lines: bytes) -> None:
        """Keeps `lines`. Raises OSError (SpoolFull at the bound); nothing is kept then."""
        if self.size + len(lines) > self._max_bytes:
            raise SpoolFull(0, f"the spool {self._path} is full ({self._max_bytes} bytes)")
        self._output.write(lines)
        self.size += len(lines)

    def drain(self, deliver: Callable[[bytes], None]) -> None:
        """Hands everything to `deliver`, in order, and empties the spool. What `deliver` raises
        goes through; what was delivered before is not kept."""
        if not self.size:
            return
        done = 0
        try:
            with self._path.open("rb") as file:
                while lines := b"".join(file.readlines(_CHUNK_BYTES)):
                    deliver(lines)
                    done += len(lines)
        finally:
            self._forget(done)

    def close(self) -> None:
        """Closes the file; its lines stay."""
        self._output.close()

    def _forget(self, count: int) -> None:
        if not count:
            return
        rest = self._path.read_bytes()[count:]
        fresh = self._path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(rest)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
        finally:
            fresh.unlink(missing_ok=True)
        self.size = len(rest)

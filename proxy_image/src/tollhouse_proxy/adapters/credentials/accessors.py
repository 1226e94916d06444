"""What is left at Vault by a proxy that was killed, and how the next one finds it.

A lease ends with the token it was made with, and a token has an accessor: a name by which it can be ended and
nothing else, no secret. Each process writes the accessors of its tokens to a file of its own, which it keeps
locked (flock(2)) as long as it lives; the kernel lets the lock go with the process, however that ends. A file
that can be locked is a dead one's.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_LOG = logging.getLogger("tollhouse.credentials")
_SUFFIX = ".accessors"
_MOST_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Server:
    """Which Vault a token belongs to; `namespace` "" is the root namespace."""

    address: str
    namespace: str


class AccessorBook:
    """This process's file in `folder` (made where it is missing), and those of the dead. Raises OSError where
    the folder cannot be written."""

    def __init__(self, folder: Path, writer: str) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._own = folder / f"{writer}{_SUFFIX}"
        self._file = os.open(self._own, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._entered: set[str] = set()

    def enter(self, server: Server, accessor: str) -> None:
        """A token is ours from now on."""
        self._entered.add(accessor)
        self._write({"accessor": accessor, "address": server.address, "namespace": server.namespace})

    def strike(self, accessor: str) -> None:
        """It has ended."""
        if accessor in self._entered:
            self._entered.discard(accessor)
            self._write({"ended": accessor})

    def close(self) -> None:
        """A clean end: a file that names nothing any more goes."""
        if not self._entered:
            self._own.unlink(missing_ok=True)
        os.close(self._file)

    @contextmanager
    def orphans(self, server: Server) -> Iterator[list[Orphan]]:
        """What dead processes have left at that server. Each is locked meanwhile, so that no two proxies see
        to the same; a file with nothing left goes afterwards."""
        found: list[_DeadFile] = []
        try:
            for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
                dead = _DeadFile.at(path) if path != self._own else None
                if dead is not None:
                    found.append(dead)
            yield [
                Orphan(accessor, dead)
                for dead in found
                for accessor, where in dead.left.items()
                if where == server
            ]
        finally:
            for dead in found:
                dead.close()

    def _write(self, line: dict[str, str]) -> None:
        try:
            os.write(self._file, json.dumps(line).encode() + b"\n")
        except OSError as error:
            _LOG.warning(
                "a token's accessor cannot be written down (%s): were the proxy killed now, its leases "
                "would live on until their TTL",
                error.strerror,
            )


@dataclass(frozen=True, slots=True)
class Orphan:
    """A token that nobody holds."""

    accessor: str
    _file: _DeadFile

    def ended(self) -> None:
        """It is gone."""
        self._file.strike(self.accessor)


class _DeadFile:
    def __init__(self, path: Path, file: int) -> None:
        self._path = path
        self._file = file
        self.left = _left(os.read(file, _MOST_BYTES))

    @classmethod
    def at(cls, path: Path) -> _DeadFile | None:
        """None: its process lives, or another one is at it."""
        try:
            file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            return None
        return cls(path, file)

    def strike(self, accessor: str) -> None:
        self.left.pop(accessor, None)
        # On a line of its own, whatever the end of its process has cut short.
        os.write(self._file, b"\n" + json.dumps({"ended": accessor}).encode() + b"\n")

    def close(self) -> None:
        if not self.left:
            self._path.unlink(missing_ok=True)
        os.close(self._file)


def _left(text: bytes) -> dict[str, Server]:
    """Accessor to server; a line that the end of its process cut short is passed over."""
    left: dict[str, Server] = {}
    for line in text.splitlines():
        try:
            entry = json.loads(line)
            if "ended" in entry:
                left.pop(entry["ended"], None)
            else:
                left[str(entry["accessor"])] = Server(str(entry["address"]), str(entry["namespace"]))
        except (ValueError, TypeError, KeyError):
            continue
    return left

"""Servers as child processes that never outlive the test run (see `keeper`)."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from kit import keeper
from kit.wait import Hopeless

NOBODY = 65534  # servers that refuse to run as root run as this user
STOP_WITHIN = 20.0  # seconds a stopping keeper may take beyond its server's own grace


class DiedEarly(Hopeless):
    """A server ended by itself; `str()` carries the last lines of its log."""


class Server:
    """One running server: its process id, its log, and how to stop it."""

    def __init__(self, name: str, guard: subprocess.Popen[str], pid: int, log: Path, grace: float) -> None:
        self.name = name
        self.pid = pid
        self.log = log
        self._guard = guard
        self._grace = grace

    def running(self) -> bool:
        return self._guard.poll() is None

    def check(self) -> None:
        """Raise DiedEarly when the server has ended."""
        if not self.running():
            raise DiedEarly(f"{self.name} ended with {self._guard.returncode}; its log ends:\n{self.tail()}")

    def tail(self, lines: int = 15) -> str:
        """The end of the log."""
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return "(no log)"

    def signal(self, number: int) -> None:
        """Send a signal to the server itself, as a crash or a hand would."""
        os.kill(self.pid, number)

    def wait(self, within: float = 10.0) -> int:
        """Wait until the server has ended by itself; returns its exit status (128 + n for signal n)."""
        return self._guard.wait(within)

    def stop(self) -> None:
        """Stop the server and wait until it is gone; does nothing the second time."""
        for pipe in (self._guard.stdin, self._guard.stdout):
            if pipe is not None and not pipe.closed:
                pipe.close()
        try:
            self._guard.wait(self._grace + STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            self._guard.wait()


def start(
    name: str,
    argv: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    uid: int | None = None,
    stop: signal.Signals = signal.SIGTERM,
    grace: float = 10.0,
    remove: Sequence[Path] = (),
) -> Server:
    """Start a server under a keeper.

    env: the whole environment (None: this process's). uid: the user to run as (None: as now).
    stop, grace: the signal that asks it to end, and the seconds until it is killed.
    remove: folders deleted after it has ended, also when the test run was killed.
    """
    spec = {
        "argv": [str(word) for word in argv],
        "cwd": str(cwd or log.parent),
        "env": dict(os.environ if env is None else env),
        "log": str(log),
        "uid": uid,
        "stop": int(stop),
        "grace": grace,
        "remove": [str(folder) for folder in remove],
    }
    guard = subprocess.Popen(
        [sys.executable, "-I", "-S", keeper.__file__, json.dumps(spec)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert guard.stdout is not None
    word, _, rest = guard.stdout.readline().strip().partition(" ")
    server = Server(name, guard, int(rest) if word == "pid" else 0, log, grace)
    if word != "pid":
        server.stop()
        raise DiedEarly(f"{name} could not be started: {rest or 'its keeper died'}")
    return server


@contextmanager
def workshop(name: str, *, uid: int | None = None) -> Iterator[Path]:
    """A fresh folder for one server, owned by its user; removed at the end."""
    with tempfile.TemporaryDirectory(prefix=f"tollhouse-{name}-", ignore_cleanup_errors=True) as made:
        folder = Path(made)
        if uid is not None:
            os.chown(folder, uid, uid)
        yield folder


def server_user() -> int | None:
    """The user for servers that refuse root: nobody when we are root, else ourselves (None)."""
    return NOBODY if os.geteuid() == 0 else None

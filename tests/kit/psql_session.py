"""A psql that stays: statements go in, what it prints comes back, while other things happen around it."""

from __future__ import annotations

import contextlib
import itertools
import queue
import re
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from types import TracebackType

from kit.wait import GaveUp

# What the command must end in: psql, unaligned, every error with its SQLSTATE, line by line.
PSQL = "stdbuf -oL psql -X -q -A -t -v VERBOSITY=verbose"


class PsqlSession:
    """One psql process behind pipes, its errors among its output.

    `ask` sends statements and waits for their end; `send` and `expect` are the two halves of it, for
    statements that wait.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._marks = itertools.count(1)
        self.seen: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> PsqlSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def ask(self, sql: str, *, within: float = 30.0) -> str:
        """Run `sql` (one or more statements ended by semicolons); everything psql printed for it."""
        return self.result(self.send(sql), within=within)

    def send(self, sql: str) -> str:
        """Send `sql` without waiting; gives the mark that psql prints after it."""
        mark = f"mark-{next(self._marks)}-end"
        assert self._process.stdin is not None
        self._process.stdin.write(f"{sql}\n\\echo {mark}\n")
        self._process.stdin.flush()
        return mark

    def result(self, mark: str, *, within: float = 30.0) -> str:
        """What psql printed until `mark`."""
        return "\n".join(self._until(re.escape(mark), within)[:-1])

    def expect(self, pattern: str, *, within: float = 30.0) -> str:
        """Wait for a line in which `pattern` (a regular expression) is found; that line."""
        return self._until(pattern, within)[-1]

    def close(self) -> None:
        """End psql, however it stands."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(5)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _until(self, pattern: str, within: float) -> list[str]:
        end = time.monotonic() + within
        found: list[str] = []
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                said = "\n".join(found) or "(nothing)"
                raise GaveUp(f"psql printed no {pattern} within {within:g} s, but: {said}") from None
            if line is None:
                said = "\n".join(found) or "(nothing)"
                raise GaveUp(f"psql ended before it printed {pattern}: {said}")
            found.append(line)
            if re.search(pattern, line):
                return found

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.seen.append(line.rstrip("\n"))
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

"""Programs that run beside us and never outlive us."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tollhouse_operator.standalone import leash


class Child:
    """One running program. What it says goes to `log`."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path, end: signal.Signals) -> None:
        self._process = process
        self._end = end
        self.log = log

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.returncode is None

    @property
    def exit_status(self) -> int | None:
        """Its exit status once it has ended; negative: the signal that ended it."""
        return self._process.returncode

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def wait(self) -> int:
        """Returns its exit status when it ends."""
        return await self._process.wait()

    async def stop(self, seconds: float) -> None:
        """Asks it to end, and after `seconds` ends it."""
        with suppress(ProcessLookupError):
            if self.running:
                self._process.send_signal(self._end)
            try:
                await asyncio.wait_for(self._process.wait(), seconds)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()

    def last_words(self, lines: int = 5) -> str:
        """The end of its log."""
        with suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return ""


async def start_child(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str],
    log: Path,
    user: int | None = None,
    end: signal.Signals = signal.SIGTERM,
) -> Child:
    """Starts a program on a leash. Raises OSError.

    `end` is the signal that asks it to stop, and that it gets when we die. `user` is a number;
    None: as we are. It has a process group of its own: Ctrl-C reaches us alone, and we end it in
    order.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", leash.__file__),
            *(str(os.getpid()), str(int(end)), str(-1 if user is None else user), *argv),
            env=dict(environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            process_group=0,
        )
    return Child(process, log, end)

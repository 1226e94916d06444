"""One sink behind the writer thread: what it could not take yet, and where that waits."""

from __future__ import annotations

from contextlib import suppress

from tollhouse_proxy.adapters.audit.lines import LineOutput, SinkBroken
from tollhouse_proxy.adapters.audit.spool import Spool


class Channel:
    """Delivers lines to one output, in order and without loss while the process lives.

    `failure` says why it cannot take more now ("" when it can); `trouble` why lines go to the
    spool instead. Only the writer thread calls.
    """

    def __init__(self, output: LineOutput, spool: Spool | None) -> None:
        self._output = output
        self._spool = spool
        self._pending = b""
        self._broken = False
        self.failure = ""
        self.trouble = ""

    @property
    def delivered(self) -> bool:
        """Whether all that was put is written: by the output, or safe in the spool."""
        return not self._pending

    @property
    def waiting(self) -> bool:
        """Whether something should be tried again."""
        return not self._broken and bool(self.trouble)

    def put(self, lines: bytes, *, may_spool: bool) -> None:
        """Takes `lines`: to the output if possible, else to the spool, else into memory, and then
        `failure` is set. With no lines, tries again what waits."""
        self._pending += lines
        if not self._broken:
            self._deliver()
        if self._pending and may_spool and self._spool is not None:
            with suppress(OSError):
                self._spool.append(self._pending)
                self._pending = b""
        spooling = may_spool and self._spool is not None
        refuses = self._pending or (self.trouble and not spooling)
        self.failure = f"{self._output.name}: {self.trouble}" if refuses else ""

    def close(self) -> None:
        """Closes output and spool; what waits in the spool is delivered by the next process."""
        self._output.close()
        if self._spool is not None:
            self._spool.close()

    def _deliver(self) -> None:
        try:
            if self._spool is not None:
                self._spool.drain(self._output.write)
            # Also with nothing to write: a sink that cannot be opened is known from the start.
            self._output.write(self._pending)
            self._pending = b""
            self.trouble = ""
        except SinkBroken as error:
            self._broken = True
            self.trouble = f"{error.strerror}; restart the proxy once that is mended"
        except OSError as error:
            self.trouble = error.strerror or str(error)

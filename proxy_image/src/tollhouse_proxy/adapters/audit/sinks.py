"""The audit as the guard sees it: `accept` queues, one writer thread does the rest."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from tollhouse_core.api.audit_sink import AuditSinkSpec
from tollhouse_core.api.connection import WhenUnavailable
from tollhouse_core.audit.chain import Chain, Signer
from tollhouse_core.audit.event import Brief, Event
from tollhouse_proxy.adapters.audit.channel import Channel
from tollhouse_proxy.adapters.audit.lines import FileOutput, LineOutput, standard_output
from tollhouse_proxy.adapters.audit.spool import DEFAULT_BYTES, Spool
from tollhouse_proxy.adapters.audit.writer import Writer
from tollhouse_proxy.kits import kernel
from tollhouse_proxy.ports.audit import AuditUnavailable

MAX_QUEUED_EVENTS = 16_384
CLOSE_SECONDS = 10.0

_log = logging.getLogger("tollhouse.audit")


class UnsupportedSink(Exception):
    """A sort of AuditSink this version does not have. `str()` names it."""


def outputs_for(sinks: Mapping[str, AuditSinkSpec]) -> list[LineOutput]:
    """Outputs of the AuditSinks a Connection names (name -> spec). Raises UnsupportedSink."""
    outputs: list[LineOutput] = []
    for name, spec in sinks.items():
        if spec.stdout is not None:
            outputs.append(standard_output())
        elif spec.file is not None:
            outputs.append(FileOutput(Path(spec.file.path)))
        else:
            raise UnsupportedSink(
                f"AuditSink {name}: {spec.sort} is not built yet; use stdout or file, or collect those"
            )
    return outputs


class AuditSinks:
    """The AuditSink port over any number of outputs; each gets the same sealed lines.

    All of them must take a line (or its spool, where the Connection says `Spool`): while one
    cannot, nothing more is accepted. `writer` names this run of the proxy and must be new each
    time. One event loop's thread calls; a batch is synced before it counts as written.
    """

    def __init__(
        self,
        outputs: Sequence[LineOutput],
        *,
        writer: str,
        signer: Signer | None = None,
        spool_folder: Path | None = None,
        max_queued_events: int = MAX_QUEUED_EVENTS,
        when_unavailable: WhenUnavailable = WhenUnavailable.REFUSE,
    ) -> None:
        if not outputs:
            raise ValueError("an audit needs at least one output")
        encode = msgspec.json.Encoder().encode
        room = DEFAULT_BYTES // len(outputs)  # they share a volume
        spools = [
            Spool(spool_folder / f"{number}.jsonl", room) if spool_folder is not None else None
            for number in range(len(outputs))
        ]
        channels = [Channel(output, spool) for output, spool in zip(outputs, spools, strict=True)]
        chain = Chain(writer, encode, signer, kernel.press)
        self._writer = Writer(
            chain, channels, self._progress, most=max_queued_events, unavailable=AuditUnavailable
        )
        self._intake = self._writer.intake
        self.accept: Callable[[Event | Brief], None] = self._intake.accept
        """See the port."""
        self._reported = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._flushes: list[tuple[int, asyncio.Future[None]]] = []
        self.configure(when_unavailable)
        self._writer.start()

    @property
    def failure(self) -> str:
        """Why nothing is accepted now; "" when all is well. For readiness and metrics."""
        return self._writer.failure

    @property
    def backlog(self) -> int:
        """Events accepted and not written yet."""
        return self._intake.accepted - self._writer.written

    def configure(self, when_unavailable: WhenUnavailable) -> None:
        """Obeys the Connection's `audit.whenUnavailable` from now on."""
        self._writer.may_spool = when_unavailable is WhenUnavailable.SPOOL

    async def flush(self) -> None:
        """See the port. Raises AuditUnavailable when a sink fails while we wait."""
        target = self._intake.accepted
        while self._writer.written < target:
            if self._writer.failure:
                raise AuditUnavailable(self._writer.failure)
            self._loop = asyncio.get_running_loop()
            done: asyncio.Future[None] = self._loop.create_future()
            self._flushes.append((target, done))
            self._writer.hurry()
            if self._writer.written < target and not self._writer.failure:
                await done

    async def close(self) -> None:
        """See the port. What cannot be written within ten seconds is told to the log."""
        if self._intake.closed:
            return
        self._intake.closed = True
        await asyncio.to_thread(self._writer.stop, CLOSE_SECONDS)
        if self.backlog:
            _log.error("%d audit events could not be written: %s", self.backlog, self.failure)

    def _progress(self) -> None:
        """In the writer's thread."""
        failure = self._writer.failure
        if failure != self._reported:
            self._reported = failure
            if failure:
                _log.error("audit unavailable, operations are refused: %s", failure)
            else:
                _log.warning("audit available again")
        if self._flushes and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._resolve)

    def _resolve(self) -> None:
        waiting, self._flushes = self._flushes, []
        for target, done in waiting:
            if done.done():
                continue
            if self._writer.written >= target or self._writer.failure:
                done.set_result(None)
            else:
                self._flushes.append((target, done))

"""The thread that seals and writes: the loop queues events, this side does everything slow.

Group commit: while one batch is being synced the next one gathers, and the writer lingers a little before it
takes one, so that a busy proxy costs it fifty rounds a second at most: a round's system calls, and every
time that the two threads hand the interpreter over, cost more than the events. It only sleeps for good, and
must be woken, once nothing has come for a while: waking a thread for each event would cost more still.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from tollhouse_core.audit.chain import Chain
from tollhouse_core.audit.event import Brief, Event
from tollhouse_proxy.adapters.audit.channel import Channel
from tollhouse_proxy.kits import kernel

LINGER_SECONDS = 0.02
ROUNDS_UNTIL_IDLE = 5
RETRY_SECONDS = 0.5
BATCH_EVENTS = 2000


class Writer:
    """Takes events from one thread (the event loop's), by `intake`, and writes them in another.

    `written` counts events that are delivered; `on_progress` is called, in the writer's thread, when it or
    `failure` moved.
    """

    def __init__(
        self,
        chain: Chain,
        channels: Sequence[Channel],
        on_progress: Callable[[], None],
        *,
        most: int,
        unavailable: Callable[[str], Exception],
    ) -> None:
        self._chain = chain
        self._channels = tuple(channels)
        self._on_progress = on_progress
        self._wake = threading.Event()
        # Held while nobody is in a hurry. A bare lock: an Event's wait costs ten times as much.
        self._patience = threading.Lock()
        self._patience.acquire()
        self._stopping = False
        self._sealed = 0
        self._quiet_rounds = ROUNDS_UNTIL_IDLE
        self.intake = kernel.Intake(most, unavailable, self._wake.set)
        self.may_spool = False
        self.written = 0
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)

    def start(self) -> None:
        """Starts the thread; what an earlier process left in a spool is delivered first."""
        self._thread.start()

    @property
    def failure(self) -> str:
        """Why nothing more may be accepted; "" when all is well."""
        return self.intake.failure

    def hurry(self) -> None:
        """Somebody waits for what is queued: no lingering."""
        with suppress(RuntimeError):  # released already, and not taken note of yet
            self._patience.release()
        self._wake.set()

    def stop(self, timeout_seconds: float) -> bool:
        """Writes what is queued and ends the thread; False when that took too long."""
        self._stopping = True
        self.hurry()
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._put(b"")
            self._report()
            while self._turn():
                pass
            for channel in self._channels:
                channel.close()
        except Exception as error:
            # Fail closed: without its writer the audit takes nothing more.
            self.intake.failure = f"the audit writer failed: {type(error).__name__}: {str(error)[:200]}"
            self._on_progress()

    def _turn(self) -> bool:
        """One round; False when there is nothing left and it was told to stop."""
        self._await_work()
        batch = self._take()
        if batch or any(channel.waiting for channel in self._channels):
            self._put(self._chain.seal_all(batch))
            self._sealed += len(batch)
            self._report()
        return bool(self.intake.queue) or not self._stopping

    def _await_work(self) -> None:
        intake = self.intake
        waiting = any(channel.waiting for channel in self._channels)
        self._quiet_rounds = 0 if intake.queue else self._quiet_rounds + 1
        if waiting or self._quiet_rounds >= ROUNDS_UNTIL_IDLE:
            intake.idle = True
            if not intake.queue and not self._stopping:
                self._wake.wait(RETRY_SECONDS if waiting else None)
            intake.idle = False
            self._wake.clear()
        if not self._stopping:
            pause = RETRY_SECONDS if waiting and self.failure else LINGER_SECONDS
            self._patience.acquire(timeout=pause)

    def _take(self) -> list[Event | Brief]:
        queue = self.intake.queue
        return [queue.popleft() for _ in range(min(len(queue), BATCH_EVENTS))]

    def _put(self, lines: bytes) -> None:
        for channel in self._channels:
            channel.put(lines, may_spool=self.may_spool)
        self.intake.failure = "; ".join(channel.failure for channel in self._channels if channel.failure)

    def _report(self) -> None:
        if all(channel.delivered for channel in self._channels):
            self.written = self._sealed
        self._on_progress()

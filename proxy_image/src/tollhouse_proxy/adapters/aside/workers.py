"""The pool of processes: one is kept ready, a second is started when both are wanted."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from tollhouse_proxy.ports.aside import AsideFailed, Crowded, Shared, TooHard

log = logging.getLogger("tollhouse.aside")

COMMAND = (sys.executable, "-m", "tollhouse_proxy.reading")
MOST_WORKERS = 2
MOST_WAITING = 64
ANSWER_SECONDS = 60.0
"""A process bounds its own time by CPU; this bounds ours where it gets none."""

_PIECE = 64 * 1024
_SHARED_KEPT = 4
_HEAD = 5
_MOST_ANSWER = 256 * 1024 * 1024
_KEPT_VARIABLES = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "PYTHONHOME")

_TOO_HARD = "the statement takes too much time or memory to be understood; make it smaller"


class _Worker:
    """One process, one request at a time."""

    def __init__(self, process: subprocess.Popen[bytes], streams: tuple[Any, Any]) -> None:
        self.process = process
        self._reader: asyncio.StreamReader = streams[0]
        self._writer: asyncio.StreamWriter = streams[1]
        self._shared: OrderedDict[str, None] = OrderedDict()
        self.last = False

    async def ask(self, request: bytes, shared: Shared) -> bytes:
        """Raises TooHard when the process ends instead of answering."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._share(shared)
                await self._send_long(b"Q", request)
                return await self._answer()
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            self.last = True
            raise TooHard(_TOO_HARD) from None

    async def _share(self, shared: Shared) -> None:
        if shared.key in self._shared:
            self._shared.move_to_end(shared.key)
            return
        while len(self._shared) >= _SHARED_KEPT:
            dropped, _ = self._shared.popitem(last=False)
            self._send(b"D", dropped.encode())
        key = shared.key.encode() + b"\0"
        for piece in shared.pieces():
            self._send(b"S", key + piece)
            await self._writer.drain()
            await asyncio.sleep(0)
        self._send(b"S", key)
        self._shared[shared.key] = None

    async def _send_long(self, kind: bytes, body: bytes) -> None:
        """A piece at a time: what a transport has to keep, it moves with every piece that goes."""
        self._writer.write(kind + len(body).to_bytes(4, "big"))
        whole = memoryview(body)
        for at in range(0, len(body), _PIECE):
            self._writer.write(whole[at : at + _PIECE])
            await self._writer.drain()

    def _send(self, kind: bytes, body: bytes) -> None:
        self._writer.write(kind + len(body).to_bytes(4, "big"))
        self._writer.write(body)

    async def _answer(self) -> bytes:
        head = await self._reader.readexactly(_HEAD)
        size = int.from_bytes(head[1:], "big")
        if size > _MOST_ANSWER:
            raise OSError("an answer is too long")
        body = await self._reader.readexactly(size)
        self.last = head[:1] != b"A"
        if head[:1] == b"E":
            raise TooHard(_TOO_HARD)
        return body

    async def end(self) -> None:
        """Ends the process."""
        self._writer.close()
        self.process.kill()
        await asyncio.to_thread(self.process.wait)


class Workers:
    """The Aside port over processes."""

    def __init__(self, command: Sequence[str] = COMMAND, most: int = MOST_WORKERS) -> None:
        self._command = tuple(command)
        self._room = asyncio.Semaphore(most)
        self._idle: list[_Worker] = []
        self._waiting = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._starting: set[asyncio.Future[subprocess.Popen[bytes]]] = set()
        self._closed = False
        self.asked = 0

    def start(self) -> None:
        """Makes one ready, without waiting for it."""
        self._later(self._spare())

    async def ask(self, request: bytes, shared: Shared, *, patient: bool = False) -> bytes:
        """See the port. Work that nobody waits for any more is done to its end, which is bounded."""
        if patient:
            await self._room.acquire()
        else:
            await self._queue()
        task = self._later(self._do(request, shared))
        task.add_done_callback(lambda _: self._room.release())
        return await asyncio.shield(task)

    async def _queue(self) -> None:
        if self._waiting >= MOST_WAITING:
            raise Crowded("too many long statements wait to be understood; try again in a moment")
        self._waiting += 1
        try:
            await self._room.acquire()
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """Ends all processes."""
        self._closed = True
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # What a thread is starting for a task that was cancelled is put away as soon as it is there.
        await asyncio.gather(*self._starting, return_exceptions=True)
        await asyncio.gather(*(worker.end() for worker in self._idle))
        self._idle.clear()

    async def _do(self, request: bytes, shared: Shared) -> bytes:
        self.asked += 1
        worker = self._ready() or await self._started()
        answered = False
        try:
            answer = await worker.ask(request, shared)
            answered = True
            return answer
        finally:
            if answered and not worker.last and not self._closed:
                self._idle.append(worker)
            else:
                await asyncio.shield(worker.end())
                if not self._closed:
                    self._later(self._spare())

    def _ready(self) -> _Worker | None:
        while self._idle:
            worker = self._idle.pop()
            if worker.process.poll() is None:
                return worker
            self._later(worker.end())
        return None

    async def _spare(self) -> None:
        if not self._idle and not self._closed:
            try:
                self._idle.append(await self._started())
            except AsideFailed as failed:
                log.error("%s", failed)

    async def _started(self) -> _Worker:
        ours, theirs = socket.socketpair()
        environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        starting = asyncio.ensure_future(
            asyncio.to_thread(
                subprocess.Popen,
                self._command,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env=environment,
            )
        )
        self._starting.add(starting)
        starting.add_done_callback(self._starting.discard)
        starting.add_done_callback(lambda _: theirs.close())
        ours.setblocking(False)
        try:
            process = await asyncio.shield(starting)
            return _Worker(process, await asyncio.open_unix_connection(sock=ours))
        except OSError as error:
            ours.close()
            raise AsideFailed(f"long statements cannot be read now ({error.strerror})") from None
        except asyncio.CancelledError:
            # A thread that starts a process cannot be called back: what it made is put away.
            ours.close()
            starting.add_done_callback(_put_away)
            raise

    def _later(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever asked may have gone: it is told to nobody then


def _put_away(starting: asyncio.Future[subprocess.Popen[bytes]]) -> None:
    if not starting.cancelled() and starting.exception() is None:
        starting.result().kill()
        starting.result().wait()

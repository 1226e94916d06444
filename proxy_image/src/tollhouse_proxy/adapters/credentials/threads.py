"""A few threads for calls that block, never more of them under way than there are threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

T = TypeVar("T")


class BoundedThreads:
    """Runs blocking work. Who waits for a thread can be cancelled; work under way cannot, and its
    late result goes to `undo`, so that nothing that was made is left without an owner. The threads
    end with this object."""

    def __init__(self, name: str, count: int) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix=name)
        self._free = asyncio.Semaphore(count)

    async def run(self, work: Callable[[], T], undo: Callable[[T], None] | None = None) -> T:
        """The result of `work`, or what it raised."""
        await self._free.acquire()
        try:
            running = asyncio.get_running_loop().run_in_executor(self._pool, work)
        except BaseException:
            self._free.release()
            raise
        running.add_done_callback(lambda _: self._free.release())
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            if undo is not None:
                running.add_done_callback(partial(_late, undo))
            raise


def _late(undo: Callable[[T], None], done: asyncio.Future[T]) -> None:
    if not done.cancelled() and done.exception() is None:
        undo(done.result())

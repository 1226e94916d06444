"""A queue of things to look at again.

Level, not edge: what is queued is "look at this key", never what happened to it. A key is in work
once at a time; asked for again meanwhile, it is looked at once more afterwards. A failure is tried
again, later each time, and never stops the work on other keys.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

FIRST_DELAY_SECONDS = 0.2
LAST_DELAY_SECONDS = 60.0
AT_ONCE = 8

log = logging.getLogger(__name__)


class Work(Generic[K]):
    """Runs `do(key)` for every key that was added.

    `do` returns after how many seconds it wants to see the key again; None: when it is added.
    """

    def __init__(self, name: str, do: Callable[[K], Awaitable[float | None]], at_once: int = AT_ONCE) -> None:
        self._name = name
        self._do = do
        self._slots = asyncio.Semaphore(at_once)
        self._due: dict[K, tuple[float, asyncio.TimerHandle]] = {}
        self._running: dict[K, asyncio.Task[None]] = {}
        self._again: set[K] = set()
        self._failures: dict[K, int] = {}
        self._closed = False

    def add(self, key: K, after: float = 0.0) -> None:
        """Looks at `key` in `after` seconds, or earlier if that was asked for already."""
        if self._closed:
            return
        if after <= 0 and key in self._running:
            self._again.add(key)
            return
        loop = asyncio.get_running_loop()
        when = loop.time() + max(after, 0.0)
        pending = self._due.get(key)
        if pending is not None:
            if pending[0] <= when:
                return
            pending[1].cancel()
        self._due[key] = (when, loop.call_at(when, self._start, key))

    def idle(self) -> bool:
        """Whether nothing runs and nothing is due at once (timers in the future do not count)."""
        now = asyncio.get_running_loop().time()
        return not self._running and all(when > now for when, _ in self._due.values())

    async def close(self) -> None:
        """Starts nothing more, and ends what runs."""
        self._closed = True
        for _, handle in self._due.values():
            handle.cancel()
        self._due.clear()
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, key: K) -> None:
        self._due.pop(key, None)
        if key in self._running:
            self._again.add(key)
            return
        self._running[key] = asyncio.get_running_loop().create_task(
            self._run(key), name=f"{self._name} {key}"
        )

    async def _run(self, key: K) -> None:
        after: float | None = None
        try:
            async with self._slots:
                after = await self._do(key)
            self._failures.pop(key, None)
        except Exception as error:
            after = self._delay(key)
            log.warning("%s %s: %s; again in %.1f s", self._name, key, _words(error), after)
            log.debug("%s %s", self._name, key, exc_info=error)
        finally:
            self._running.pop(key, None)
        if key in self._again:
            self._again.discard(key)
            self.add(key)
        elif after is not None:
            self.add(key, after)

    def _delay(self, key: K) -> float:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        longest = min(FIRST_DELAY_SECONDS * float(1 << min(failures - 1, 16)), LAST_DELAY_SECONDS)
        return longest * (0.5 + random.random() / 2)  # noqa: S311 - spreads load, guards nothing


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:500]

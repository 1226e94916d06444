"""What this proxy tells about itself, where `kubectl get connections` can show it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol

from tollhouse_core.privileges import Excess
from tollhouse_proxy.guard.counters import Counters
from tollhouse_proxy.guard.in_force import InForce
from tollhouse_proxy.ports.stores import ProxyReport, ReportStore, StoreRefused, StoreUnavailable

log = logging.getLogger("tollhouse.report")

QUIET_SECONDS = 5.0
"""How often counters are told while nothing else changes."""

AGAIN_SECONDS = 30.0
"""How often a report is left that says nothing new: the store may have lost it (its ConfigMap was made anew),
and whoever reads it takes an old one for that of a process that is gone."""


class Reported(Protocol):
    """Where readiness and warnings come from."""

    @property
    def trouble(self) -> str:
        """Why clients cannot be served; "" when they can."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """What people should know."""
        ...


class Reporter:
    """Leaves a report at once when the bundle changes, every few seconds if counters or troubles moved, and
    now and then in any case.

    A store that cannot be reached is tried again; serving does not depend on it.
    """

    def __init__(
        self,
        instance: str,
        in_force: InForce,
        counters: Counters,
        store: ReportStore,
        serving: Reported,
        excess: Callable[[], Sequence[Excess] | None] = lambda: None,
    ) -> None:
        self._instance = instance
        self._in_force = in_force
        self._counters = counters
        self._store = store
        self._serving = serving
        self._excess = excess
        self._changed = asyncio.Event()
        self._told: ProxyReport | None = None
        self._told_at = 0.0

    async def __aenter__(self) -> Reporter:
        self._forget = self._in_force.listen(lambda _: self._changed.set())
        self._task = asyncio.create_task(self._tell_on())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._forget()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        try:
            async with asyncio.timeout(QUIET_SECONDS):
                await self._store.remove(self._instance)
        except (StoreUnavailable, StoreRefused, TimeoutError) as failure:
            log.warning("the report of %s stays behind: %s", self._instance, failure)

    async def _tell_on(self) -> None:
        while True:
            self._changed.clear()
            await self._tell()
            try:
                async with asyncio.timeout(QUIET_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _tell(self) -> None:
        report = ProxyReport(
            instance=self._instance,
            revision=self._in_force.revision,
            ready=not self._serving.trouble,
            sessions=self._counters.sessions_open,
            matched=self._counters.matched(),
            warnings=self._warnings(),
            excess=self._excess(),
        )
        now = asyncio.get_running_loop().time()
        if report == self._told and now - self._told_at < AGAIN_SECONDS:
            return
        try:
            await self._store.put(report)
            self._told, self._told_at = report, now
        except (StoreUnavailable, StoreRefused) as error:
            log.warning("the report could not be left: %s", error)

    def _warnings(self) -> tuple[str, ...]:
        problem = self._in_force.problem
        found = (f"a newer bundle was not taken: {problem}",) if problem else ()
        told = tuple(self._serving.warnings)
        trouble = self._serving.trouble
        if trouble and not any(trouble in words for words in told):
            found = (f"clients are not served: {trouble}", *found)
        return found + told

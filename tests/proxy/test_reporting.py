"""What a proxy tells of itself, and how often."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from kit import wait
from tollhouse_dialects import LANGUAGES
from tollhouse_proxy import reporting
from tollhouse_proxy.guard.counters import Counters
from tollhouse_proxy.guard.in_force import InForce
from tollhouse_proxy.ports.stores import ProxyReport, StoreUnavailable
from tollhouse_proxy.reporting import Reporter


@dataclass
class Reports:
    """A ReportStore that can lose what it has, and refuse."""

    left: dict[str, ProxyReport] = field(default_factory=dict)
    puts: int = 0
    away: bool = False

    async def put(self, report: ProxyReport) -> None:
        self.puts += 1
        if self.away:
            raise StoreUnavailable("nobody answers")
        self.left[report.instance] = report

    async def remove(self, instance: str) -> None:
        self.left.pop(instance, None)


@dataclass
class Health:
    trouble: str = ""
    warnings: tuple[str, ...] = ()


@asynccontextmanager
async def reporting_of(health: Health, store: Reports) -> AsyncIterator[Counters]:
    counters = Counters()
    async with Reporter("one", InForce(LANGUAGES), counters, store, health):
        yield counters


async def comes(store: Reports, *warnings: str) -> None:
    async def there() -> bool:
        return "one" in store.left and tuple(store.left["one"].warnings) == warnings

    await wait.until_async(there)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "QUIET_SECONDS", 0.01)


async def test_why_clients_are_not_served_is_a_warning() -> None:
    store, health = Reports(), Health("the connection cannot be prepared: no Secret orders-ca")
    async with reporting_of(health, store):
        await comes(store, "clients are not served: the connection cannot be prepared: no Secret orders-ca")
        assert not store.left["one"].ready
        health.trouble = ""
        await comes(store)
        assert store.left["one"].ready


async def test_a_trouble_that_is_told_already_is_not_told_twice() -> None:
    store = Reports()
    async with reporting_of(Health("disk full", ("audit: disk full",)), store):
        await comes(store, "audit: disk full")


async def test_a_report_that_was_lost_is_left_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "AGAIN_SECONDS", 0.05)
    store = Reports()
    async with reporting_of(Health(), store):
        await comes(store)
        store.left.clear()
        await comes(store)


async def test_what_says_nothing_new_is_not_left_at_every_look() -> None:
    store, looks = Reports(), 0

    class Looked(Health):
        @property
        def warnings(self) -> tuple[str, ...]:  # type: ignore[override]
            nonlocal looks
            looks += 1
            return ()

        @warnings.setter
        def warnings(self, value: tuple[str, ...]) -> None: ...

    async def looked_often() -> bool:
        return looks > 5

    async with reporting_of(Looked(), store):
        await wait.until_async(looked_often)
        assert store.puts == 1


async def test_a_store_that_was_away_gets_the_report_when_it_is_back() -> None:
    store = Reports(away=True)
    async with reporting_of(Health(), store):

        async def tried() -> bool:
            return store.puts > 1

        await wait.until_async(tried)
        store.away = False
        await comes(store)
    assert store.left == {}

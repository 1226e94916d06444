"""One issuer's keys, kept and renewed (through rotation, withdrawal, outage and slow issuers).

How it moves, by the age of the keys at hand:

    none            wait for a fetch; after a failure refuse at once until `retry_seconds` are over
    fresh           use them; in the last fifth of `refresh_seconds` fetch ahead, waiting for nothing
    due             wait for a fetch (bounded), so that a withdrawn key is gone; where the last
                    attempt failed already, fetch behind and go on with the keys at hand
    past keep       wait for a fetch; without it nothing is proved

A token with an unknown key asks for a fetch out of turn, at most once per `cooldown_seconds`.
There is never more than one fetch at a time, and no issuer knows of another.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tollhouse_core.clock import Clock
from tollhouse_identity.discovery import PublishedKeys
from tollhouse_identity.fetch import FetchFailed

_LOG = logging.getLogger("tollhouse.identity")


@dataclass(frozen=True, slots=True)
class KeySettings:
    """How keys are fetched and how long they are believed. All in seconds.

    `timeout` bounds each request. `refresh` is how long a withdrawn key may still count, `keep`
    how long the last keys serve while the issuer cannot be reached. `cooldown` is the least time
    between fetches for unknown keys, `retry` between attempts that failed.
    """

    timeout_seconds: float = 5.0
    refresh_seconds: float = 300.0
    keep_seconds: float = 12 * 3600.0
    cooldown_seconds: float = 10.0
    retry_seconds: float = 2.0


class KeysUnavailable(Exception):
    """No keys that may be believed now. `str()` says why, for the client."""


class IssuerKeys:
    """The keys of one issuer. `load` fetches them and raises FetchFailed."""

    def __init__(
        self, name: str, load: Callable[[], Awaitable[PublishedKeys]], clock: Clock, settings: KeySettings
    ) -> None:
        self._name = name
        self._load = load
        self._clock = clock
        self._settings = settings
        self._published: PublishedKeys | None = None
        self._published_at = 0.0
        self._flight: asyncio.Task[None] | None = None
        self._failure = ""
        self._retry_at = 0.0
        self._unknown_at: float | None = None

    async def current(self) -> PublishedKeys:
        """The keys to believe now. Raises KeysUnavailable."""
        age = self._age()
        needed = self._published is None or age > self._settings.keep_seconds
        due = age >= self._settings.refresh_seconds and not self._failure
        if needed or due:
            self._launch()
            await self._join()
        elif age >= 0.8 * self._settings.refresh_seconds:
            self._launch()
        return self._believed()

    async def after_unknown_key(self) -> PublishedKeys | None:
        """The keys after a fetch out of turn; None where the last such one is too recent."""
        now = self._clock.monotonic()
        if self._unknown_at is not None and now - self._unknown_at < self._settings.cooldown_seconds:
            if self._flight is None:
                return None
            await self._join()
        else:
            self._unknown_at = now
            await self._join()  # one that began before the key was published does not count
            self._launch()
        await self._join()
        return self._believed()

    def new_key_holds(self) -> None:
        """The fetch out of turn was worth it: the next new key need not wait for a cool-down."""
        self._unknown_at = None

    @property
    def warning(self) -> str:
        """What people should know of this issuer; "" while its keys can be had."""
        return f"identity provider {self._name}: it {self._failure}" if self._failure else ""

    def _age(self) -> float:
        return self._clock.monotonic() - self._published_at

    def _believed(self) -> PublishedKeys:
        if self._published is None or self._age() > self._settings.keep_seconds:
            why = self._failure or "was not asked in time"
            raise KeysUnavailable(f"the keys of identity provider {self._name} cannot be had now: it {why}")
        return self._published

    def _launch(self) -> None:
        if self._flight is None and self._clock.monotonic() >= self._retry_at:
            self._flight = asyncio.create_task(self._fetch(), name=f"keys of {self._name}")

    async def _join(self) -> None:
        """Waits for the fetch under way. Whoever stops waiting does not stop the fetch."""
        if self._flight is not None:
            await asyncio.wait({self._flight})

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(2 * self._settings.timeout_seconds):
                self._published = await self._load()
            self._published_at = self._clock.monotonic()
            self._failure = ""
        except FetchFailed as failure:
            self._failed(str(failure))
        except TimeoutError:
            self._failed("is too slow")
        except Exception as error:  # a fault of ours must not be believed to be an answer
            self._failed(f"could not be asked ({type(error).__name__})")
        finally:
            self._flight = None

    def _failed(self, why: str) -> None:
        self._failure = why
        self._retry_at = self._clock.monotonic() + self._settings.retry_seconds
        _LOG.warning("keys of identity provider %s: it %s", self._name, why)

    async def close(self) -> None:
        """Ends a fetch under way."""
        if self._flight is not None:
            self._flight.cancel()
            await asyncio.gather(self._flight, return_exceptions=True)

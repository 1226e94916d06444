"""Limits as a session meets them: counted for the identity over all its sessions."""

from __future__ import annotations

import math
from collections.abc import Iterable

from tollhouse_core.clock import Clock
from tollhouse_core.decision import Limit, LimitUnit, Mode, Observation
from tollhouse_core.identity import Identity
from tollhouse_core.policy.limits import LimitBook


class Exceeded(Exception):
    """A limit in mode Enforce is used up; raised to end the judging of one operation."""

    def __init__(self, limit: Limit, retry_after_seconds: float) -> None:
        super().__init__(limit.rule.rule)
        self.limit = limit
        self.retry_after_seconds = retry_after_seconds


class Meter:
    """One identity's use of its limits on this Connection."""

    def __init__(self, book: LimitBook, clock: Clock, identity: Identity) -> None:
        self._book = book
        self._clock = clock
        self._owner = (identity.provider, identity.name)

    def count_query(self, limits: Iterable[Limit]) -> tuple[Observation, ...]:
        """Counts one operation and looks whether rows and bytes are left.

        Every limit is counted before one is reported, so that a refused operation counts too.
        Raises Exceeded for the first enforced limit that is used up; returns what limits in
        mode Warn or Shadow would have done.
        """
        exceeded: Exceeded | None = None
        observed = []
        for limit in limits:
            retry = self._take(limit, 1 if limit.unit is LimitUnit.QUERIES else 0)
            if retry is None:
                continue
            if limit.mode is Mode.ENFORCE:
                exceeded = exceeded or Exceeded(limit, retry)
            else:
                observed.append(Observation(limit.rule, limit.mode, "limit", describe(limit)))
        if exceeded:
            raise exceeded
        return tuple(observed)

    def spend(self, limits: Iterable[Limit], rows: int, size: int) -> Exceeded | None:
        """Counts rows and bytes on their way out; Exceeded when they must not go."""
        for limit in limits:
            if limit.unit is LimitUnit.QUERIES:
                continue
            retry = self._take(limit, rows if limit.unit is LimitUnit.ROWS else size)
            if retry is not None and limit.mode is Mode.ENFORCE:
                return Exceeded(limit, retry)
        return None

    def _take(self, limit: Limit, amount: int) -> float | None:
        key = (*self._owner, limit.rule.policy, limit.rule.rule, limit.unit.value)
        return self._book.take(key, limit, amount, self._clock.monotonic())


def describe(limit: Limit) -> str:
    """A limit as people say it: `60 queries in 60 seconds`."""
    return f"{limit.amount} {limit.unit.value} in {limit.per_seconds:g} seconds"


def limit_message(limit: Limit) -> str:
    """What the client reads."""
    return f"limit of policy {limit.rule.policy}, rule {limit.rule.rule}: {describe(limit)} are used up"


def retry_hint(seconds: float) -> str:
    """When to try again, in whole seconds, never too early."""
    return f"Try again in {max(1, math.ceil(seconds))} seconds."

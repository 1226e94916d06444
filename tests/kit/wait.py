"""Bounded waits: a test waits for a condition, never for a length of time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

EVERY = 0.02  # seconds between two looks: short beside anything a server does, long beside a poll's cost


class GaveUp(AssertionError):
    """The condition did not come true in time; `str()` says which, how long, and what was seen last."""


class Hopeless(Exception):
    """It will never come true, waiting longer is no use: `until` lets this one through at once."""


def until(
    condition: Callable[[], T | None], *, within: float = 10.0, what: str = "", every: float = EVERY
) -> T:
    """Call `condition` until it gives something true, and return that.

    within, every: seconds. An exception counts as "not yet" (Hopeless does not); the last one is the cause of
    GaveUp.
    """
    end = time.monotonic() + within
    while True:
        seen, trouble = _look(condition)
        if seen:
            return seen
        if time.monotonic() >= end:
            raise _gave_up(condition, within, what, seen) from trouble
        time.sleep(every)


async def until_async(
    condition: Callable[[], Awaitable[T | None]],
    *,
    within: float = 10.0,
    what: str = "",
    every: float = EVERY,
) -> T:
    """`until` for a condition that awaits; the loop stays free between looks."""
    end = time.monotonic() + within
    while True:
        seen: T | None = None
        trouble: Exception | None = None
        try:
            seen = await condition()
        except Hopeless:
            raise
        except Exception as error:
            trouble = error
        if seen:
            return seen
        if time.monotonic() >= end:
            raise _gave_up(condition, within, what, seen) from trouble
        await asyncio.sleep(every)


def _look(condition: Callable[[], T | None]) -> tuple[T | None, Exception | None]:
    try:
        return condition(), None
    except Hopeless:
        raise
    except Exception as error:
        return None, error


def _gave_up(condition: object, within: float, what: str, seen: object) -> GaveUp:
    name = what or getattr(condition, "__qualname__", repr(condition))
    return GaveUp(f"waited {within:g} s for: {name}; last seen: {seen!r}")

"""Counting what moves within a window, in bounded memory and without a clock of its own.

Small limits (up to EXACT) keep each moment, so they are exact. Larger ones gather what comes in
during one slot, 1/64 of the window, and let it go only when all of the slot is outside: the count
is never too low, and memory does not grow with the amount counted (1e9 bytes a day are 66 pairs
of numbers).

What a limit refused is not counted again, so `retry after` is true for who obeys it; what a policy
refused is counted, because the guard takes it like any other operation.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable

from tollhouse_core.decision import Limit

SLOTS = 64
EXACT = 128
MAX_WINDOWS = 65_536
"""Windows held at most. When all of them are in use, a new identity waits: forgetting a count
would let somebody exceed a limit."""

CROWDED_RETRY_SECONDS = 5.0


class Window:
    """Amounts of one limit of one identity. Times are monotonic seconds."""

    __slots__ = ("_slots", "per_seconds", "total", "width")

    def __init__(self, per_seconds: float) -> None:
        self.per_seconds = per_seconds
        self.width = 0.0
        self.total = 0
        self._slots: deque[tuple[float, int]] = deque()

    def __len__(self) -> int:
        return len(self._slots)

    def coarsen(self) -> None:
        """From now on gathers by slots; what is held stays at least as long as it would have."""
        self.width = self.per_seconds / SLOTS

    def forget(self, now: float) -> None:
        """Drops what has left the window."""
        slots = self._slots
        while slots and slots[0][0] + self.width + self.per_seconds <= now:
            self.total -= slots.popleft()[1]

    def add(self, amount: int, now: float) -> None:
        """Counts `amount` at `now`."""
        slots = self._slots
        if slots and (now <= slots[-1][0] or now < slots[-1][0] + self.width):
            start, held = slots[-1]
            slots[-1] = (start, held + amount)
        else:
            slots.append((now, amount))
        self.total += amount

    def frees_in(self, needed: int, now: float) -> float:
        """Seconds until `needed` of the total, or all of it, have left the window."""
        freed = 0
        leaves = now
        for start, held in self._slots:
            if freed >= needed:
                break
            freed += held
            leaves = start + self.width + self.per_seconds
        return max(0.0, leaves - now)


class LimitBook:
    """The windows of one proxy, by key (who and which Connection) and limit."""

    __slots__ = ("_max_windows", "_windows")

    def __init__(self, max_windows: int = MAX_WINDOWS) -> None:
        self._max_windows = max_windows
        self._windows: OrderedDict[tuple[Hashable, str, float, str], Window] = OrderedDict()

    def __len__(self) -> int:
        return len(self._windows)

    def take(self, key: Hashable, limit: Limit, amount: int, now_monotonic: float) -> float | None:
        """Counts `amount` and returns None; or counts nothing and returns after how many seconds
        it would fit (the whole window's length where it never would). An amount of 0 counts nothing
        and asks whether anything is left.

        The window belongs to key, unit, length and mode, not to the limit's amount or rule: a
        policy edit that changes the amount does not start the count anew.
        """
        name = (key, limit.unit.value, limit.per_seconds, limit.mode.value)
        window = self._windows.get(name)
        if window is None:
            window = self._open(name, limit.per_seconds, now_monotonic)
            if window is None:
                return CROWDED_RETRY_SECONDS
        else:
            self._windows.move_to_end(name)
        if not window.width and limit.amount > EXACT:
            window.coarsen()
        window.forget(now_monotonic)
        needed = max(amount, 1)
        if window.total + needed > limit.amount:
            if needed > limit.amount:
                return limit.per_seconds
            return window.frees_in(window.total + needed - limit.amount, now_monotonic)
        if amount > 0:
            window.add(amount, now_monotonic)
        return None

    def _open(self, name: tuple[Hashable, str, float, str], per_seconds: float, now: float) -> Window | None:
        self._drop_idle(now)
        if len(self._windows) >= self._max_windows:
            return None
        window = self._windows[name] = Window(per_seconds)
        return window

    def _drop_idle(self, now: float) -> None:
        """Two at a time, longest idle first: opening windows pays for closing them."""
        for _ in range(2):
            if not self._windows:
                return
            name, window = next(iter(self._windows.items()))
            window.forget(now)
            if window.total:
                # A long window must not keep the short idle ones behind it alive for ever.
                self._windows.move_to_end(name)
            else:
                del self._windows[name]

"""Time is passed in."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Two clocks: the wall's for people and tokens, a monotonic one for durations."""

    def now(self) -> datetime:
        """The time of day, UTC, timezone-aware."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...

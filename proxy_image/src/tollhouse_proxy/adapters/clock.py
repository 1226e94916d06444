"""The machine's clocks."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import partial


class SystemClock:
    """Implements `tollhouse_core.clock.Clock`."""

    now = staticmethod(partial(datetime.now, UTC))
    """UTC, timezone-aware."""

    monotonic = staticmethod(time.monotonic)
    """Seconds that never go back."""

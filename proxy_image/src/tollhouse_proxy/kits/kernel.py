"""The functions that a proxy's speed hangs on, and which implementation serves them.

Each is written twice: in readable Python (`template`, `frames`, `rows`), which says what it does, and
compiled (`_native`). Tests and fuzzing hold the two together byte for byte. Where nothing could be compiled,
Python serves; `COMPILED` tells.
"""

from __future__ import annotations

from typing import Final

from tollhouse_core.audit.chain import Press
from tollhouse_proxy.kits import frames, rows
from tollhouse_proxy.kits import template as twin
from tollhouse_proxy.kits.frames import FrameError, kinds, table

try:
    from tollhouse_proxy.kits import _native as native
except ImportError:
    native = None  # type: ignore[assignment]

__all__ = ["COMPILED", "WARNING", "FrameError", "kinds", "mask_rows", "press", "run", "survey", "table", "template"]

COMPILED: Final = native is not None
"""Whether the compiled functions serve."""

WARNING: Final = "" if COMPILED else "the kernel is not compiled: masked results are many times slower"
"""What people should know of it; "" for nothing."""

press: Final[Press | None] = native.press if COMPILED else None
"""Seals plain Briefs; the readable way is `Chain`'s own."""

if COMPILED:
    template, run, survey, mask_rows = native.template, native.run, native.survey, native.mask_rows
else:
    template, run, survey, mask_rows = twin.template, frames.run, frames.survey, rows.mask_rows

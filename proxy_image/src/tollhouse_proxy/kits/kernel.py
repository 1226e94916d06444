"""The functions that a proxy's speed hangs on, and which implementation serves them.

Each is written twice: in readable Python (`template`, `frames`), which says what it does, and compiled.
Tests and fuzzing hold the two together byte for byte.
"""

from __future__ import annotations

from typing import Final

from tollhouse_proxy.kits.frames import FrameError, kinds, run, survey, table
from tollhouse_proxy.kits.template import template

__all__ = ["COMPILED", "FrameError", "kinds", "run", "survey", "table", "template"]

COMPILED: Final = False
"""Whether the compiled functions serve."""

"""The implementations of `tollhouse_proxy.kits.kernel`, to be tried by the same tests.

Where no C compiler is, only one of them is there; where every part must be (TOLLHOUSE_ALL_PARTS), that fails.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from tollhouse_proxy.kits import frames, kernel, rows, template
from tollhouse_proxy.kits.rows import Masked, Sheet


@dataclass(frozen=True)
class Twins:
    """The functions of one implementation."""

    name: str
    template: Callable[[bytes], tuple[bytes, tuple[tuple[int, int], ...]] | None]
    run: Callable[[bytes, int, bytes], tuple[int, int, int]]
    survey: Callable[[bytes, int, bytes], tuple[int, bytes, int, int, int, int]]
    mask_rows: Callable[[bytes, int, int, tuple[int, ...] | None, Sheet, Masked], bytes | None]
    mask_copied: Callable[[bytes, int, int, Sheet, Masked], bytes | None]


PYTHON = Twins("python", template.template, frames.run, frames.survey, rows.mask_rows, rows.mask_copied)
COMPILED = Twins("compiled", kernel.template, kernel.run, kernel.survey, kernel.mask_rows, kernel.mask_copied)
MUST_BE_COMPILED = os.environ.get("TOLLHOUSE_ALL_PARTS") == "1"
ALL = (PYTHON, COMPILED) if kernel.COMPILED or MUST_BE_COMPILED else (PYTHON,)

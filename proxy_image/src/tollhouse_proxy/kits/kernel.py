"""The functions that a proxy's speed hangs on, and which implementation serves them.

Each is written twice: in readable Python (`template`, `frames`, `batches`, `rows`, `content_finders`,
`tally`; the audit's
`Chain` for `press`), which says what it does, and compiled (`_native`). Tests and fuzzing hold the two
together byte for byte. Where nothing could be compiled, Python serves; `COMPILED` tells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tollhouse_core.audit.chain import Press
from tollhouse_proxy.kits import batches, content_finders, frames, rows, tally
from tollhouse_proxy.kits import template as twin
from tollhouse_proxy.kits.frames import FrameError, kinds, table

try:
    from tollhouse_proxy.kits import _native as native
except ImportError:
    native = None  # type: ignore[assignment]

__all__ = [
    "COMPILED",
    "WARNING",
    "FrameError",
    "Intake",
    "Tally",
    "answered",
    "content_spans",
    "find",
    "kinds",
    "mask_copied",
    "mask_rows",
    "native",
    "parts",
    "press",
    "run",
    "survey",
    "table",
    "template",
]

COMPILED: Final = native is not None
"""Whether the compiled functions serve."""

WARNING: Final = "" if COMPILED else "the kernel is not compiled: masked results are many times slower"
"""What people should know of it; "" for nothing."""

press: Final[Press | None] = native.press if COMPILED else None
"""Seals plain Briefs; the readable way is `Chain`'s own."""

if COMPILED:
    template, find, run, survey = native.template, native.find, native.run, native.survey
    answered, parts = native.answered, native.parts
    mask_rows, mask_copied = native.mask_rows, native.mask_copied
    content_spans = native.content_spans
else:
    template, find, run, survey = twin.template, twin.find, frames.run, frames.survey
    answered, parts = frames.answered, batches.parts
    mask_rows, mask_copied = rows.mask_rows, rows.mask_copied
    content_spans = content_finders.content_spans

if TYPE_CHECKING or not COMPILED:
    Intake, Tally = tally.Intake, tally.Tally
else:
    Intake, Tally = native.Intake, native.Tally

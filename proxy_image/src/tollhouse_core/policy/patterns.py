"""Patterns people write for content masks: RE2, so that no pattern and no data can stall a proxy.

The one importer of the `re2` package; who scans takes compiled patterns from here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2

_MAX_PROGRAM_BYTES = 1 << 20


class PatternRefused(Exception):
    """The text is no usable pattern; `str()` says why."""


@lru_cache(maxsize=512)
def compile_pattern(text: str) -> Any:
    """A compiled RE2 pattern (`search`, `finditer`, `sub` as in `re`). Raises PatternRefused."""
    options = re2.Options()
    options.max_mem = _MAX_PROGRAM_BYTES
    options.log_errors = False
    try:
        pattern = re2.compile(text, options)
    except re2.error as error:
        reason = error.args[0] if error.args else "it cannot be compiled"
        words = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise PatternRefused(f"not a valid pattern (RE2 syntax): {words[:200]}") from None
    except UnicodeEncodeError:
        raise PatternRefused("a pattern must be valid Unicode text") from None
    if pattern.search("") is not None:
        raise PatternRefused("this pattern matches the empty text, so it would match everywhere")
    return pattern


def pattern_fault(text: str) -> str:
    """What is wrong with a pattern; "" when it can be used."""
    try:
        compile_pattern(text)
    except PatternRefused as refused:
        return str(refused)
    return ""

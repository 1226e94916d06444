"""The implementations of `tollhouse_proxy.kits.kernel`, to be tried by the same tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tollhouse_proxy.kits import frames, template


@dataclass(frozen=True)
class Twins:
    """The functions of one implementation."""

    name: str
    template: Callable[[bytes], tuple[bytes, tuple[tuple[int, int], ...]] | None]
    run: Callable[[bytes, int, bytes], tuple[int, int, int]]
    survey: Callable[[bytes, int, bytes], tuple[int, bytes, int, int, int, int]]


PYTHON = Twins("python", template.template, frames.run, frames.survey)
ALL = (PYTHON,)

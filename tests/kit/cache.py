"""The folder outside the tree where fetched and built parts live, and the lock that fills it once."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


class MissingPart(Exception):
    """A real part is not here and cannot be fetched; `str()` says what is missing and how to get it."""

    def __init__(self, part: str, remedy: str) -> None:
        super().__init__(f"{part} is missing: {remedy}")


def cache_root() -> Path:
    """TOLLHOUSE_CACHE, else ~/.cache/tollhouse; made when absent."""
    root = Path(os.environ.get("TOLLHOUSE_CACHE") or Path.home() / ".cache" / "tollhouse")
    root.mkdir(parents=True, exist_ok=True)
    return root


@contextmanager
def locked(name: str) -> Iterator[Path]:
    """Hold the machine-wide lock called `name`; gives the cache's root. Test runs side by side wait."""
    root = cache_root()
    with (root / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield root


def filled(name: str, fill: Callable[[Path], None]) -> Path:
    """The cached folder `name`, filled by `fill(folder)` if it is not there yet.

    The folder appears complete or not at all: it is filled under another name and then renamed.
    """
    folder = cache_root() / name
    if folder.is_dir():
        return folder
    with locked(name.replace("/", "-")):
        if folder.is_dir():
            return folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        half = folder.with_name(f".{folder.name}.{os.getpid()}")
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir()
        try:
            fill(half)
            half.rename(folder)
        finally:
            shutil.rmtree(half, ignore_errors=True)
    return folder

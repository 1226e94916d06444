"""The messages of a PostgreSQL stream by their headers alone: one byte of type, four of length (protocol
chapter, "Message Formats"; the length counts itself and not the type).

These functions look at a chunk and tell what is in it; they keep nothing, and allocate nothing that a header
announces.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from struct import Struct
from typing import Final

__all__ = ["LONGEST_SHAPE", "FrameError", "answered", "kinds", "run", "survey", "table"]

HEADER: Final = 5
LONGEST_SHAPE: Final = 16
"""Letters of a shape; a survey ends there."""

_HEAD = Struct("!BI")
_CAPS = Struct("=256I")
_ROWS = frozenset(b"Dd")
_READY = b"Z"[0]
_READY_BYTES = 6
_ENDING = b"CZ"


class FrameError(ValueError):
    """A header that may not be: a type without a cap, or a length below 4 or above its cap.

    `args` are the type, the length and the offset of the header.
    """

    def __init__(self, kind: int, length: int, offset: int) -> None:
        super().__init__(kind, length, offset)
        self.kind, self.length, self.offset = kind, length, offset

    def __str__(self) -> str:
        return f"a message of type {self.kind:#04x} and {self.length} bytes at {self.offset}"


def table(caps: Mapping[int, int]) -> bytes:
    """The greatest length of each type, for `survey`; a type that is not named may not come."""
    return _CAPS.pack(*(caps.get(kind, 0) for kind in range(256)))


def kinds(types: bytes) -> bytes:
    """A set of types, for `run`."""
    return bytes(1 if kind in types else 0 for kind in range(256))


def run(data: bytes, at: int, kinds: bytes, until: int | None = None) -> tuple[int, int, int]:
    """Skips whole messages of some kinds. `at` is where a message begins; none that begins at `until` or
    behind is skipped.

    Returns (stop, count, need): `stop` is where the first message begins that is not of these kinds, not
    whole, or shorter than a length can be; `count` is how many were skipped; `need` is how many bytes the
    message at `stop` has, 0 where its header is not there. Raises ValueError where `kinds` is not of
    `kinds()` or `at` outside the data.
    """
    end = len(data)
    if len(kinds) != 256 or not 0 <= at <= end:
        raise ValueError("run: not a set of kinds, or an offset outside the data")
    unpack = _HEAD.unpack_from
    count = 0
    last = end if until is None else until
    while end - at >= HEADER:
        kind, length = unpack(data, at)
        if at >= last or not kinds[kind] or length < 4 or length >= end - at:
            return at, count, 1 + length
        at += 1 + length
        count += 1
    return at, count, 0


def survey(data: bytes, at: int, caps: bytes) -> tuple[int, bytes, int, int, int, int]:
    """What a chunk holds from `at`, where a message begins: (end, shape, rows, row_bytes, status, need).

    `end` is behind the last whole message. `shape` are the types in their order, with neighbouring DataRows
    (and neighbouring CopyDatas) written once, LONGEST_SHAPE at most: the survey ends there. `rows` and
    `row_bytes` count both, headers included. `status` is what ReadyForQuery says where the shape ends with
    one, else 0. `need` is how many bytes the message at `end` has, 0 where its header is not there.

    Raises FrameError as soon as a header may not be; ValueError where `caps` is not of `table` or `at`
    outside the data.
    """
    end = len(data)
    if len(caps) != _CAPS.size or not 0 <= at <= end:
        raise ValueError("survey: not a table of caps, or an offset outside the data")
    allowed = memoryview(caps).cast("I")
    shape = bytearray()
    rows = row_bytes = status = last = 0
    while end - at >= HEADER:
        kind, length = _HEAD.unpack_from(data, at)
        if not 4 <= length <= allowed[kind]:
            raise FrameError(kind, length, at)
        is_row = kind in _ROWS
        if length >= end - at or (len(shape) == LONGEST_SHAPE and not (is_row and kind == last)):
            return at, bytes(shape), rows, row_bytes, status, 1 + length
        if is_row:
            rows += 1
            row_bytes += 1 + length
        if not (is_row and kind == last):
            shape.append(kind)
        last = kind
        status = data[at + HEADER] if kind == _READY and length > 4 else 0
        at += 1 + length
    return at, bytes(shape), rows, row_bytes, status, 0


def answered(data: bytes, caps: bytes, shapes: Container[bytes], status: int) -> tuple[int, int, str] | None:
    """(rows, their bytes, what CommandComplete says) of a chunk that is one whole answer: of a shape in
    `shapes`, ended by CommandComplete and a ReadyForQuery that says `status`. None: it is something else.

    Raises ValueError where `caps` is not of `table`.
    """
    try:
        end, shape, rows, size, said, _ = survey(data, 0, caps)
    except FrameError:
        return None
    if end != len(data) or said != status or shape not in shapes or shape[-2:] != _ENDING:
        return None
    last = end - _READY_BYTES - 1
    at = run(data, 0, _BEFORE_TAG)[0]
    if at + _HEAD.unpack_from(data, at)[1] != last or data.find(0, at + HEADER) != last:
        return None
    at += HEADER
    try:
        return rows, size, data[at:last].decode()
    except UnicodeDecodeError:
        return None


_BEFORE_TAG = bytes(kind != _ENDING[0] for kind in range(256))

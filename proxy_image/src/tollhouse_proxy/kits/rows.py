"""Masking the content of a run of rows: which values must be looked at, and putting rows together again.

DataRow is a count of columns and, for each, four bytes of length (-1: NULL) and that many bytes (protocol
chapter, "Message Formats"). What a value becomes is the caller's `masked` to say; here is decided for which
values it is asked at all. The compiled twin answers most of that by itself, and the answer is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Final

__all__ = ["LARGEST", "Masked", "RowError", "Sheet", "Way", "mask_copied", "mask_rows"]

LARGEST: Final = 16 * 1024
"""Bytes of a value that may be judged here; `masked` is asked about a larger one, which may hold too much."""

Span = tuple[int, int]
Pointer = Callable[[bytes], list[Span] | None]
"""Where in some bytes something may be: sorted, not overlapping; None: anywhere."""


class Way(IntEnum):
    """How a column is scanned. The compiled twin asks about every value of a way that it does not know."""

    TEXT = 0
    JSON = 1
    JSONB_BINARY = 2
    NUMBER_TEXT = 3
    INTEGER_BINARY = 4
    NUMERIC_BINARY = 5
    OPAQUE = 6
    NONE = 7
    FLOAT_BINARY = 8
    STRUCTURED_BINARY = 9
    DATE_BINARY = 10
    TIMESTAMP_BINARY = 11
    UUID_BINARY = 12


class RowError(ValueError):
    """A row is not what was described, or a text in it is not UTF-8. No byte of the run may go out."""


@dataclass(frozen=True)
class Sheet:
    """What is looked for, and what a find becomes, as far as it can be said in advance.

    `detectors` are bits (`kits.content_sheet`). A find becomes `fixed`, or what `partial` leaves of it
    (first, last, what stands for each character between); neither: only `masked` knows. `own` points at what
    own patterns may find (None: there are none), `every` at what anything may find.
    """

    every: Pointer
    own: Pointer | None = None
    detectors: int = 0
    fixed: bytes | None = None
    partial: tuple[int, int, bytes] | None = None


Masked = Callable[[bytes, int], bytes | None]
"""Gives what a value becomes, by its Way; None: NULL. The same value where nothing is found."""

_HEAD = Struct("!BI")
_COUNT = Struct("!H")
_SIZE = Struct("!i")
_LONGEST = 2**31 - 1
_NULL = b"\xff\xff\xff\xff"
_SIGNATURE = b"PGCOPY\n\xff\r\n\0"
_FILE_HEADER = 19
"""Bytes of a COPY file's header: the signature, flags, and the length of what follows it."""
_TRAILER = b"\xff\xff"
_NEVER = frozenset({Way.NONE})
_ALWAYS = frozenset(way for way in Way if way.name.endswith("_BINARY")) - {Way.JSONB_BINARY}
_WITH_ESCAPES = frozenset({Way.JSON, Way.JSONB_BINARY})


def mask_rows(
    data: bytes, at: int, stop: int, ways: tuple[int, ...] | None, sheet: Sheet, masked: Masked
) -> bytes | None:
    """What data[at:stop], whole messages, becomes; None: it may go as it is.

    With `ways`, one for each column, the messages are DataRows; without, CopyDatas of the text formats, each
    one text. Raises RowError, and whatever `masked` raises; ValueError where [at, stop) is not whole messages
    of the one type.
    """
    if ways is None:
        return _each(data, at, stop, b"d", sheet, masked, _copied)

    def row(data: bytes, start: int, end: int, marks: _Marks, plain: bool, masked: Masked) -> bytes | None:
        return _row(data, start, end, ways, marks, plain, masked)

    return _each(data, at, stop, b"D", sheet, masked, row)


def mask_copied(data: bytes, at: int, stop: int, sheet: Sheet, masked: Masked) -> bytes | None:
    """The same for the CopyDatas of a COPY TO in its binary format (SQL command COPY, "Binary Format"), each
    of one row: a count of fields, and the fields of a DataRow, all of unknown types (Way.OPAQUE). The first
    may begin with the file's header, and the last is the file's trailer. Raises as `mask_rows` does."""
    return _each(data, at, stop, b"d", sheet, masked, _copied_row)


_One = Callable[[bytes, int, int, "_Marks", bool, Masked], bytes | None]
"""What one message, data[start:end], becomes; None: it stays."""


def _each(
    data: bytes, at: int, stop: int, kind: bytes, sheet: Sheet, masked: Masked, one: _One
) -> bytes | None:
    chunk = data[at:stop]
    marks = _Marks(sheet.every(chunk), at)
    plain = chunk.isascii()
    parts: list[bytes] = []
    copied = at
    while at < stop:
        end = _end(data, at, stop, kind)
        made = one(data, at, end, marks, plain, masked)
        if made is not None:
            parts += (data[copied:at], made)
            copied = end
        at = end
    if not parts:
        return None
    parts.append(data[copied:stop])
    return b"".join(parts)


def _end(data: bytes, at: int, stop: int, kind: bytes) -> int:
    if stop > len(data) or stop - at < 5:
        raise ValueError("mask_rows: not whole messages")
    found, length = _HEAD.unpack_from(data, at)
    end: int = at + 1 + length
    if found != kind[0] or length < 4 or end > stop:
        raise ValueError("mask_rows: not whole messages of one type")
    return end


class _Marks:
    """The places at which something may be, for values asked about in their order."""

    def __init__(self, spans: list[Span] | None, offset: int) -> None:
        self._anywhere = spans is None
        self._spans = [(begin + offset, end + offset) for begin, end in spans or ()]
        self._next = 0

    def touch(self, begin: int, end: int) -> bool:
        """Whether one of them meets data[begin:end]."""
        if self._anywhere:
            return True
        spans, at = self._spans, self._next
        while at < len(spans) and spans[at][1] < begin:
            at += 1
        self._next = at
        return at < len(spans) and spans[at][0] <= end


def _row(
    data: bytes, start: int, end: int, ways: tuple[int, ...], marks: _Marks, plain: bool, masked: Masked
) -> bytes | None:
    """One row, None where it stays."""
    if end - start < 7:
        raise RowError("a row ends too early")
    count: int = _COUNT.unpack_from(data, start + 5)[0]
    if count != len(ways):
        raise RowError(f"a row of {count} columns where {len(ways)} were described")
    return _fields(data, start, start + 7, end, ways, marks, plain, masked)


def _fields(
    data: bytes,
    start: int,
    at: int,
    end: int,
    ways: Sequence[int],
    marks: _Marks,
    plain: bool,
    masked: Masked,
) -> bytes | None:
    """The message that begins at `start`, and its fields at `at`; None where it stays."""
    changes: list[tuple[int, int, bytes]] = []
    for way in ways:
        if at + 4 > end:
            raise RowError("a row ends too early")
        size: int = _SIZE.unpack_from(data, at)[0]
        at += 4
        if size == -1:
            continue
        if size < 0 or at + size > end:
            raise RowError("the length of a value in a row is wrong")
        if _asks(data, at, at + size, way, marks, plain):
            value = data[at : at + size]
            made = masked(value, way)
            if made is None:
                changes.append((at - 4, at + size, _NULL))
            elif made != value:
                changes.append((at - 4, at + size, _SIZE.pack(len(made)) + made))
        at += size
    if at != end:
        raise RowError("a row has bytes too many")
    if not changes:
        return None
    parts: list[bytes] = []
    position = start + 5
    for begin, behind, new in changes:
        parts += (data[position:begin], new)
        position = behind
    body = b"".join([*parts, data[position:end]])
    if len(body) + 4 > _LONGEST:
        raise RowError("a masked row is too long for a message")
    return data[start : start + 1] + _SIZE.pack(len(body) + 4) + body


def _asks(data: bytes, begin: int, end: int, way: int, marks: _Marks, plain: bool) -> bool:
    """Whether a value must be looked at."""
    if way in _NEVER:
        return False
    if marks.touch(begin, end) or end - begin > LARGEST or way in _ALWAYS:
        return True
    if way in _WITH_ESCAPES and data.find(b"\\", begin, end) >= 0:
        return True
    return not plain and not data[begin:end].isascii()


def _copied(data: bytes, start: int, end: int, marks: _Marks, plain: bool, masked: Masked) -> bytes | None:
    """One line of a COPY, None where it stays."""
    if not _asks(data, start + 5, end, Way.TEXT, marks, plain):
        return None
    value = data[start + 5 : end]
    made = masked(value, Way.TEXT)
    if made is None or made == value:
        return None
    return b"d" + _SIZE.pack(len(made) + 4) + made


def _copied_row(
    data: bytes, start: int, end: int, marks: _Marks, plain: bool, masked: Masked
) -> bytes | None:
    """One row of a binary COPY, None where it stays."""
    at = start + 5
    if end - at >= _FILE_HEADER and data.startswith(_SIGNATURE, at):
        further: int = _SIZE.unpack_from(data, at + _FILE_HEADER - 4)[0]
        if further < 0:
            raise RowError("the header of a COPY has a wrong length")
        at += _FILE_HEADER + further
    if at == end or (at < end and data[at : min(at + 2, end)] == _TRAILER):
        return None
    if at + 2 > end:
        raise RowError("a row ends too early")
    count: int = _COUNT.unpack_from(data, at)[0]
    return _fields(data, start, at + 2, end, (Way.OPAQUE,) * count, marks, plain, masked)

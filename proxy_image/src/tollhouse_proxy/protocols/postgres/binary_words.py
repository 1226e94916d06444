"""Values in their binary form, as the words a detector reads.

Forms as the server's send functions write them (src/backend/utils/adt; protocol chapter, "Formats and Format
Codes"). What is not of its form has no words: it is looked at as the bytes it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from struct import Struct
from struct import error as StructError
from uuid import UUID

_INT2, _INT4, _INT8, _UNSIGNED = Struct("!h"), Struct("!i"), Struct("!q"), Struct("!I")
_FLOAT4, _FLOAT8, _COUNT = Struct("!f"), Struct("!d"), Struct("!H")
_FIRST_DAY = date(2000, 1, 1)
_MIDNIGHT = datetime(2000, 1, 1)
_FEWEST, _MOST = 1e12, 1e19
"""What a number of 13 to 19 digits lies between; no detector finds anything in shorter ones."""
_MOST_DIMENSIONS = 6
_DEEPEST = 8
_RANGE_EMPTY, _LOWER_INFINITE, _UPPER_INFINITE = 0x01, 0x08, 0x10

_INTEGERS = {2: _INT2, 4: _INT4, 8: _INT8}
"""By their size."""


def integer(value: bytes) -> str:
    """An int2, int4 or int8; one of four bytes may be an oid as well, which has no sign."""
    form = _INTEGERS.get(len(value))
    if form is None:
        return ""
    found: int = form.unpack(value)[0]
    return f"{found} {found + 2**32}" if found < 0 and len(value) == 4 else str(found)


def double(value: bytes) -> float:
    """A float4 or float8; 0 for what is neither."""
    form = {4: _FLOAT4, 8: _FLOAT8}.get(len(value))
    return 0.0 if form is None else float(form.unpack(value)[0])


def small(value: bytes) -> bool:
    """Whether a float is none of 13 to 19 digits."""
    return not _FEWEST <= abs(double(value)) < _MOST


def floating(value: bytes) -> str:
    """A float4 or float8: a whole number by all of its digits."""
    found = double(value)
    if abs(found) < _MOST and found.is_integer():
        return str(int(found))
    return f"{found:.6g}" if len(value) == 4 else repr(found)


def numeric(value: bytes) -> str:
    """The whole digits of a numeric: groups of four decimals, `weight` of the first."""
    if len(value) < 8 or len(value) % 2:
        return ""
    groups = [_COUNT.unpack_from(value, at)[0] for at in range(8, len(value), 2)]
    weight: int = _INT2.unpack_from(value, 2)[0]
    whole = groups[: max(weight + 1, 0)] + [0] * min(max(weight + 1 - len(groups), 0), 64)
    return "".join(f"{group:04d}" for group in whole).lstrip("0")


def day(value: bytes) -> str:
    """A date, as ISO 8601 has it."""
    try:
        return str(_FIRST_DAY + timedelta(days=_INT4.unpack(value)[0]))
    except (StructError, OverflowError):
        return ""


def moment(value: bytes) -> str:
    """A timestamp, with or without time zone (UTC)."""
    try:
        return str(_MIDNIGHT + timedelta(microseconds=_INT8.unpack(value)[0]))
    except (StructError, OverflowError):
        return ""


def uuid(value: bytes) -> str:
    """A uuid."""
    return str(UUID(bytes=value)) if len(value) == 16 else ""


_WORDS = {
    20: integer, 21: integer, 23: integer, 26: integer, 790: integer, 700: floating, 701: floating,
    1082: day, 1114: moment, 1184: moment, 1700: numeric, 2950: uuid,
}  # fmt: skip
"""By the type's oid."""


def parts(value: bytes, depth: int = 0) -> Iterator[str]:
    """The words within an array, record, range or multirange, each part by itself; nothing for what is none.
    The forms tell themselves apart: each must be read to its last byte."""
    for form in (_array, _record, _range, _multirange):
        try:
            found = list(form(value))
        except (StructError, ValueError):
            continue
        for kind, part in found:
            yield _word(kind, part)
            if depth < _DEEPEST and kind not in _WORDS:
                yield from parts(part, depth + 1)
        return


def _word(kind: int, part: bytes) -> str:
    words = _WORDS.get(kind)
    return words(part) if words else part.decode("utf-8", errors="replace")


_Part = tuple[int, bytes]
"""The oid of its type, and its binary form."""


def _array(value: bytes) -> Iterator[_Part]:
    dimensions, flags, kind = Struct("!iiI").unpack_from(value)
    if not 0 <= dimensions <= _MOST_DIMENSIONS or flags not in (0, 1) or not kind:
        raise ValueError("no array")
    at, count = 12, 1 if dimensions else 0
    for _ in range(dimensions):
        count *= _INT4.unpack_from(value, at)[0]
        at += 8
    for _ in range(count):
        part, at = _sized(value, at)
        if part is not None:
            yield kind, part
    _end(value, at)


def _record(value: bytes) -> Iterator[_Part]:
    count: int = _INT4.unpack_from(value)[0]
    if not 0 < count <= 1664:
        raise ValueError("no record")
    at = 4
    for _ in range(count):
        kind: int = _UNSIGNED.unpack_from(value, at)[0]
        part, at = _sized(value, at + 4)
        if part is not None:
            yield kind, part
    _end(value, at)


def _range(value: bytes) -> Iterator[_Part]:
    if not value or value[0] & ~0x1F:
        raise ValueError("no range")
    at = 1
    for infinite in (_LOWER_INFINITE, _UPPER_INFINITE):
        if not value[0] & (infinite | _RANGE_EMPTY):
            part, at = _sized(value, at)
            if part is None:
                raise ValueError("no range")
            yield (20 if len(part) in (4, 8) else 1700), part
    _end(value, at)


def _multirange(value: bytes) -> Iterator[_Part]:
    at, count = 4, _INT4.unpack_from(value)[0]
    for _ in range(count):
        part, at = _sized(value, at)
        if part is None:
            raise ValueError("no multirange")
        yield from _range(part)
    _end(value, at)


def _sized(value: bytes, at: int) -> tuple[bytes | None, int]:
    size: int = _INT4.unpack_from(value, at)[0]
    at += 4
    if size == -1:
        return None, at
    if size < 0 or at + size > len(value):
        raise ValueError("a part ends too late")
    return value[at : at + size], at + size


def _end(value: bytes, at: int) -> None:
    if at != len(value):
        raise ValueError("bytes too many")

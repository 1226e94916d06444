"""A batch of the extended protocol in one chunk, as drivers send it: [Parse] Bind [Describe] Execute Sync,
all unnamed but for the statement that is bound (protocol chapter, "Message Formats").

Read as strictly as message by message, in fewer steps; whatever is not exactly this is no batch here.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

__all__ = ["Parts", "parts"]

HEADER: Final = 5
_PARSE, _BIND = b"PB"
_LENGTH = Struct("!I")
_COUNT = Struct("!H")
_SIZE = Struct("!i")

_UNDESCRIBED: Final = b"E\0\0\0\x09\0\0\0\0\0" + b"S\0\0\0\x04"
_DESCRIBED: Final = b"D\0\0\0\x06P\0" + _UNDESCRIBED

Parts = tuple[int, str, int, bool, tuple[int, ...], tuple[bytes | None, ...]]
"""(bytes of the Parse message, 0 where there is none; the statement that is bound; where Bind ends; whether
Describe stands behind it; formats and values of the parameters)."""


def parts(data: bytes) -> Parts | None:
    """The parts of the batch that fills the chunk; None: it is something else. Of Parse only length and the
    missing name are looked at."""
    begin = 0
    if data[:1] == b"P":
        if len(data) < HEADER + 1 or data[HEADER]:
            return None
        begin = 1 + int(_LENGTH.unpack_from(data, 1)[0])
    if data.endswith(_DESCRIBED):
        end, described = len(data) - len(_DESCRIBED), True
    elif data.endswith(_UNDESCRIBED):
        end, described = len(data) - len(_UNDESCRIBED), False
    else:
        return None
    at = begin + HEADER + 1
    if at >= end or data[begin] != _BIND or data[at - 1]:
        return None
    if begin + 1 + _LENGTH.unpack_from(data, begin + 1)[0] != end:
        return None
    stop = data.find(0, at, end)
    if stop < 0 or (begin and stop != at):
        return None
    values = _values(data, stop + 1, end)
    if values is None:
        return None
    try:
        return begin, data[at:stop].decode(), end, described, *values
    except UnicodeDecodeError:
        return None


def _values(data: bytes, at: int, end: int) -> tuple[tuple[int, ...], tuple[bytes | None, ...]] | None:
    """Formats and values of a Bind from its first count on; None where it is not read to its very end."""
    formats_end = _counted(data, at, end)
    if formats_end is None:
        return None
    formats = Struct(f"!{(formats_end - at) // 2 - 1}h").unpack_from(data, at + 2)
    at = formats_end
    if at + 2 > end:
        return None
    (count,) = _COUNT.unpack_from(data, at)
    at += 2
    values: list[bytes | None] = []
    for _ in range(count):
        if at + 4 > end:
            return None
        (size,) = _SIZE.unpack_from(data, at)
        at += 4
        if size == -1:
            values.append(None)
            continue
        if size < 0 or at + size > end:
            return None
        values.append(data[at : at + size])
        at += size
    if (len(formats) > 1 and len(formats) != count) or _counted(data, at, end) != end:
        return None
    return formats, tuple(values)


def _counted(data: bytes, at: int, end: int) -> int | None:
    """Where a list of formats, count first, ends; None where it is none."""
    if at + 2 > end:
        return None
    (count,) = _COUNT.unpack_from(data, at)
    stop = int(at + 2 + 2 * count)
    if stop > end or not set(Struct(f"!{count}h").unpack_from(data, at + 2)) <= {0, 1}:
        return None
    return stop

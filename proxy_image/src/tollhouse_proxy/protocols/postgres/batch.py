"""A batch of the extended protocol in one chunk, as drivers send it: [Parse] Bind [Describe] Execute Sync,
all unnamed but for the statement that is bound.

Read as strictly as `wire.frontend` reads it, in fewer steps; whatever is not exactly this is no batch here,
and `wire.frontend` says what is wrong with it, if anything is.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from tollhouse_proxy.protocols.postgres import parameters
from tollhouse_proxy.protocols.postgres.wire.framing import HEADER
from tollhouse_proxy.protocols.postgres.wire.frontend import (
    BIND,
    PARSE,
    SYNC_MESSAGE,
    Describe,
    Execute,
)

_LENGTH = Struct("!I")
_COUNT = Struct("!H")
_SIZE = Struct("!i")
_ONE_RESULT = {b"\0\1\0\0": (0,), b"\0\1\0\1": (1,), b"\0\0": ()}

DESCRIBE = Describe("P", "").encode()
EXECUTE = Execute("").encode()
_DESCRIBED = DESCRIBE + EXECUTE + SYNC_MESSAGE
_UNDESCRIBED = EXECUTE + SYNC_MESSAGE


@dataclass(slots=True)
class Batch:
    """Where the parts are. `parse`: the Parse message, b"" where there is none. `statement`: what is bound.
    `bind`: where the Bind message ends (it begins behind Parse)."""

    data: bytes
    parse: bytes
    statement: str
    bind: int
    described: bool
    formats: tuple[int, ...]
    values: tuple[bytes | None, ...]

    @property
    def bind_message(self) -> bytes:
        """The Bind message."""
        return self.data[len(self.parse) : self.bind]

    def shown(self, types: tuple[int, ...]) -> tuple[str | None, ...]:
        """The bound values as text."""
        if not any(self.formats):
            try:
                return tuple([None if value is None else value.decode() for value in self.values])
            except UnicodeDecodeError:
                pass
        return parameters.shown(self.values, self.formats, types)


def read(data: bytes) -> Batch | None:
    """The batch that fills the chunk; None: it is something else."""
    begin = 0
    if data[0] == PARSE:
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
    if at >= end or data[begin] != BIND or data[at - 1]:
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
        statement = data[at:stop].decode()
    except UnicodeDecodeError:
        return None
    return Batch(data, data[:begin], statement, end, described, *values)


def _values(data: bytes, at: int, end: int) -> tuple[tuple[int, ...], tuple[bytes | None, ...]] | None:
    """Formats and values of a Bind from its first count on; None where it is not read to its very end. The
    chunk goes on behind it, so that reading a little beyond is caught by the last comparison."""
    (count,) = _COUNT.unpack_from(data, at)
    at += 2
    formats: tuple[int, ...] = ()
    if count:
        if at + 2 * count > end:
            return None
        formats = Struct(f"!{count}h").unpack_from(data, at) if count > 1 else _COUNT.unpack_from(data, at)
        if not set(formats) <= {0, 1}:
            return None
        at += 2 * count
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
    if len(formats) > 1 and len(formats) != count:
        return None
    return (formats, tuple(values)) if _results_fill(data, at, end) else None


def _results_fill(data: bytes, at: int, end: int) -> bool:
    if data[at:end] in _ONE_RESULT:
        return True
    if at + 2 > end:
        return False
    (count,) = _COUNT.unpack_from(data, at)
    if at + 2 + 2 * count != end:
        return False
    return set(Struct(f"!{count}h").unpack_from(data, at + 2)) <= {0, 1}

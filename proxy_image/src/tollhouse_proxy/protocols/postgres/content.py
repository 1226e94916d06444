"""Content masks on what goes out: rows in both formats, and COPY.

Text and the types that carry text are masked in place. Where a type cannot carry a mask, a value in which
something is found becomes NULL: a number that is a card number, the binary form of an array.
"""

from __future__ import annotations

from struct import Struct
from typing import Protocol

from tollhouse_proxy.kits import kernel
from tollhouse_proxy.kits.rows import RowError, Sheet, Way
from tollhouse_proxy.protocols.postgres.wire.backend import Field
from tollhouse_proxy.protocols.postgres.wire.errors import ProtocolError


class Scanner(Protocol):
    """Masks content in text (`kits.content`); the same object where nothing was found."""

    @property
    def sheet(self) -> Sheet:
        """What it looks for, for the kernel."""
        ...

    def scan(self, text: str) -> str:
        """A plain text."""
        ...

    def scan_json(self, text: str) -> str:
        """A JSON document."""
        ...


_JSON, _JSONB, _NUMERIC = 114, 3802, 1700
_TEXT_LIKE = frozenset({18, 19, 25, 142, 194, 705, 1042, 1043, 2275})
"""char, name, text, xml, pg_node_tree, unknown, bpchar, varchar, cstring: their binary form is the text."""
_NUMBERS = frozenset({20, 21, 23, 26, 700, 701, 790, _NUMERIC})
_INTEGERS = frozenset({20})
_SHORT = frozenset(
    {16, 21, 23, 24, 26, 27, 28, 29, 700, 701, 790, 1082, 1083, 1114, 1184, 1186, 1266, 2205, 2278}
)
"""Binary forms too small or too regular to hold anything a detector knows."""

_COUNT = Struct("!H")
_INT8 = Struct("!q")
_LOOK, _LOOK_AT_JSON = 32, 8
"""Bytes of a value, full of what something may be in, that are scanned in the time of one look at a small
one (some 40 us); each string and number of a document is looked at by itself."""
_DOCUMENTS = frozenset({Way.JSON, Way.JSONB_BINARY})


class ContentHeld(Exception):
    """A value can neither be masked nor be taken out in the format it came in. Its words say more."""


class TakesLong(Exception):
    """Rows need more close looks than were granted. Nothing has become of them."""


def plan(columns: tuple[Field, ...], formats: tuple[int, ...]) -> tuple[int, ...]:
    """How each column is scanned. `formats` are Bind's result formats; () takes the columns' own."""
    return tuple(_way(one.type, _format(formats, at, one.format)) for at, one in enumerate(columns))


def _format(formats: tuple[int, ...], at: int, own: int) -> int:
    if not formats:
        return own
    return formats[0] if len(formats) == 1 else formats[at]


def _way(kind: int, form: int) -> Way:
    if kind in _TEXT_LIKE:
        return Way.TEXT
    if kind == _JSON:
        return Way.JSON
    if kind == _JSONB:
        return Way.JSONB_BINARY if form else Way.JSON
    if form == 0:
        return Way.NUMBER_TEXT if kind in _NUMBERS else Way.TEXT
    if kind in _INTEGERS:
        return Way.INTEGER_BINARY
    if kind == _NUMERIC:
        return Way.NUMERIC_BINARY
    return Way.NONE if kind in _SHORT else Way.OPAQUE


Masked = tuple[int, bytes | None]
"""How many values were looked at closely, and what the rows become; None: they go as they are."""


def mask_rows(
    data: bytes, at: int, stop: int, ways: tuple[int, ...], scanner: Scanner, most: int | None = None
) -> Masked:
    """Masks the DataRows data[at:stop]. Raises ProtocolError when one is not what was described, before
    anything of them is there to be sent, and TakesLong for more than `most` close looks."""
    looks = _Looks(scanner, most)
    try:
        made = kernel.mask_rows(data, at, stop, ways, scanner.sheet, looks.masked)
    except RowError as error:
        raise ProtocolError(str(error)) from None
    return looks.taken, made


class _Looks:
    """Masks single values and counts what that costs."""

    def __init__(self, scanner: Scanner, most: int | None) -> None:
        self.taken = 0
        self._scanner = scanner
        self._most = most

    def masked(self, value: bytes, way: int) -> bytes | None:
        """See `mask_value`. Raises TakesLong."""
        self.taken += 1 + len(value) // (_LOOK_AT_JSON if way in _DOCUMENTS else _LOOK)
        if self._most is not None and self.taken > self._most:
            raise TakesLong
        return mask_value(value, way, self._scanner)


def mask_value(value: bytes, way: int, scanner: Scanner) -> bytes | None:
    """What one value becomes, None for NULL. Raises RowError where a text is not UTF-8."""
    match way:
        case Way.TEXT:
            return _text(value, scanner)
        case Way.JSON:
            return _json(value, scanner)
        case Way.JSONB_BINARY:
            return value[:1] + _json(value[1:], scanner)
        case Way.NUMBER_TEXT:
            return _whole(value, _decoded(value), scanner)
        case Way.INTEGER_BINARY:
            return _whole(value, str(_INT8.unpack(value)[0]) if len(value) == 8 else "", scanner)
        case Way.NUMERIC_BINARY:
            return _whole(value, _numeric(value), scanner)
        case Way.OPAQUE:
            return _whole(value, value.decode("utf-8", errors="replace"), scanner)
        case _:
            return value


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise RowError("a text value is not UTF-8") from None


def _text(value: bytes, scanner: Scanner) -> bytes:
    text = _decoded(value)
    found = scanner.scan(text)
    return value if found is text or found == text else found.encode()


def _json(value: bytes, scanner: Scanner) -> bytes:
    text = _decoded(value)
    found = scanner.scan_json(text)
    return value if found is text or found == text else found.encode()


def _whole(value: bytes, text: str, scanner: Scanner) -> bytes | None:
    """All or nothing: NULL when something is found."""
    return value if scanner.scan(text) == text else None


def _numeric(value: bytes) -> str:
    """The digits of a numeric in its binary form: groups of four decimals, `weight` of the first."""
    if len(value) < 8 or len(value) % 2:
        return ""
    groups = [_COUNT.unpack_from(value, at)[0] for at in range(8, len(value), 2)]
    weight: int = Struct("!h").unpack_from(value, 2)[0]
    whole = groups[: max(weight + 1, 0)] + [0] * min(max(weight + 1 - len(groups), 0), 64)
    return "".join(f"{group:04d}" for group in whole).lstrip("0")


def mask_copies(
    data: bytes, at: int, stop: int, scanner: Scanner, form: int, most: int | None = None
) -> Masked:
    """Masks the CopyDatas data[at:stop] of a COPY TO: each is a line of text, or a binary row (of columns of
    unknown types). Raises ProtocolError, TakesLong as `mask_rows` does, and ContentHeld."""
    looks = _Looks(scanner, most)
    try:
        if form == 1:
            made = kernel.mask_copied(data, at, stop, scanner.sheet, looks.masked)
        else:
            made = kernel.mask_rows(data, at, stop, None, scanner.sheet, looks.masked)
    except RowError as error:
        if form == 1:
            raise ContentHeld from None
        raise ProtocolError(str(error)) from None
    return looks.taken, made

"""Content masks on what goes out: rows in both formats, and COPY.

Text and the types that carry text are masked in place. Where a type cannot carry a mask, a value in which
something is found becomes NULL: a number that is a card number, the binary form of an array.
"""

from __future__ import annotations

from typing import Protocol

from tollhouse_proxy.kits import kernel
from tollhouse_proxy.kits.rows import RowError, Sheet, Way
from tollhouse_proxy.protocols.postgres import binary_words
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


_JSON, _JSONB, _NUMERIC, _FLOAT8 = 114, 3802, 1700, 701
_TEXT_LIKE = frozenset({18, 19, 25, 142, 194, 705, 1042, 1043, 2275})
"""char, name, text, xml, pg_node_tree, unknown, bpchar, varchar, cstring: their binary form is the text."""
_NUMBERS = frozenset({20, 21, 23, 26, 700, 701, 790, _NUMERIC})
_INTEGERS = frozenset({20})
_SHORT = frozenset(
    {16, 21, 23, 24, 26, 27, 28, 29, 700, 701, 790, 1082, 1083, 1114, 1184, 1186, 1266, 2205, 2278}
)
"""Binary forms too small or too regular to hold anything a detector knows."""

_STRUCTURED = frozenset({1016, 1231, 1022, 2249, 2287, 3906, 3907, 3926, 3927, 4532, 4536, 6151, 6157})
"""Arrays, records, ranges and multiranges that may hold numbers of 13 digits: int8, numeric, float8."""
_FOR_OWN = {
    **dict.fromkeys((21, 23, 26, 790), Way.INTEGER_BINARY),
    **dict.fromkeys((700, 701), Way.FLOAT_BINARY),
    **dict.fromkeys((1114, 1184), Way.TIMESTAMP_BINARY),
    1082: Way.DATE_BINARY,
    2950: Way.UUID_BINARY,
    **dict.fromkeys(
        (22, 30, 791, 1005, 1007, 1021, 1028, 1115, 1182, 1185, 2951, 3904, 3905, 4451, 6150),
        Way.STRUCTURED_BINARY,
    ),
}
"""What own patterns may find something in, too."""

_LOOK, _LOOK_AT_JSON = 32, 8
"""Bytes of a value, full of what something may be in, that are scanned in the time of one look at a small
one (some 40 us); each string and number of a document is looked at by itself."""
_DOCUMENTS = frozenset({Way.JSON, Way.JSONB_BINARY})


class ContentHeld(Exception):
    """A value can neither be masked nor be taken out in the format it came in. Its words say more."""


class TakesLong(Exception):
    """Rows need more close looks than were granted. Nothing has become of them."""


def plan(columns: tuple[Field, ...], formats: tuple[int, ...], *, own: bool = True) -> tuple[int, ...]:
    """How each column is scanned. `formats` are Bind's result formats; () takes the columns' own. `own`:
    patterns of one's own are looked for."""
    return tuple(_way(one.type, _format(formats, at, one.format), own) for at, one in enumerate(columns))


def _format(formats: tuple[int, ...], at: int, own: int) -> int:
    if not formats:
        return own
    return formats[0] if len(formats) == 1 else formats[at]


def _way(kind: int, form: int, own: bool) -> Way:
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
    if kind == _FLOAT8:
        return Way.FLOAT_BINARY
    if kind in _STRUCTURED:
        return Way.STRUCTURED_BINARY
    if own and kind in _FOR_OWN:
        return _FOR_OWN[kind]
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
        if way == Way.FLOAT_BINARY and self._scanner.sheet.own is None and binary_words.small(value):
            return value
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
            return _whole(value, binary_words.integer(value), scanner)
        case Way.NUMERIC_BINARY:
            return _whole(value, binary_words.numeric(value), scanner)
        case Way.FLOAT_BINARY:
            return _whole(value, binary_words.floating(value), scanner)
        case Way.DATE_BINARY:
            return _whole(value, binary_words.day(value), scanner)
        case Way.TIMESTAMP_BINARY:
            return _whole(value, binary_words.moment(value), scanner)
        case Way.UUID_BINARY:
            return _whole(value, binary_words.uuid(value), scanner)
        case Way.STRUCTURED_BINARY:
            return _structured(value, scanner)
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


def _structured(value: bytes, scanner: Scanner) -> bytes | None:
    """An array, record or range: by its parts, and as the bytes it is."""
    left = _whole(value, "\n".join(binary_words.parts(value)), scanner)
    return left and _whole(value, value.decode("utf-8", errors="replace"), scanner)


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

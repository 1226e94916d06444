"""Content masks on what goes out: rows in both formats, and COPY.

Text and the types that carry text are scanned, whatever their format; other types hold no text that a
detector could find, unless they came as text, where their characters are scanned too.
"""

from __future__ import annotations

from struct import Struct

from tollhouse_proxy.protocols.postgres.ledger import Scan
from tollhouse_proxy.protocols.postgres.wire.backend import Field
from tollhouse_proxy.protocols.postgres.wire.errors import ProtocolError

TEXT, BINARY_TEXT, JSONB, SKIP, OPAQUE = 0, 1, 2, 3, 4

_TEXT_LIKE = frozenset({18, 19, 25, 114, 142, 705, 1042, 1043, 2275, 194})
"""char, name, text, json, xml, unknown, bpchar, varchar, cstring, pg_node_tree: binary is the text."""
_JSONB = 3802
_PLAIN = frozenset(
    {
        16,
        20,
        21,
        23,
        26,
        700,
        701,
        790,
        1082,
        1083,
        1114,
        1184,
        1186,
        1266,
        1700,
        2950,
        2278,
        24,
        2205,
        28,
        27,
        29,
    }
)
"""Numbers, dates, uuid, bool, oids: their binary form holds no text."""

_COUNT = Struct("!H")
_SIZE = Struct("!i")


def plan(columns: tuple[Field, ...], formats: tuple[int, ...]) -> tuple[int, ...]:
    """How each column is scanned. `formats` are Bind's result formats; () takes the columns' own."""
    return tuple(_way(one, _format(formats, at, one.format)) for at, one in enumerate(columns))


def _format(formats: tuple[int, ...], at: int, own: int) -> int:
    if not formats:
        return own
    return formats[0] if len(formats) == 1 else formats[at]


def _way(column: Field, form: int) -> int:
    if form == 0:
        return TEXT
    if column.type in _TEXT_LIKE:
        return BINARY_TEXT
    if column.type == _JSONB:
        return JSONB
    return SKIP if column.type in _PLAIN else OPAQUE


def mask_row(message: bytes, ways: tuple[int, ...], scan: Scan) -> bytes:
    """One DataRow with its contents masked. Raises ProtocolError when it is not what was described."""
    count = _COUNT.unpack_from(message, 5)[0]
    if count != len(ways):
        raise ProtocolError(f"a row of {count} columns where {len(ways)} were described")
    parts: list[bytes] = [message[5:7]]
    at, end = 7, len(message)
    for way in ways:
        if at + 4 > end:
            raise ProtocolError("DataRow: the body ends too early")
        size = _SIZE.unpack_from(message, at)[0]
        at += 4
        if size == -1:
            parts.append(b"\xff\xff\xff\xff")
            continue
        if size < 0 or at + size > end:
            raise ProtocolError("DataRow: a value's length is wrong")
        value = _masked(message[at : at + size], way, scan)
        parts.append(_SIZE.pack(len(value)))
        parts.append(value)
        at += size
    if at != end:
        raise ProtocolError("DataRow: bytes too many")
    body = b"".join(parts)
    return b"D" + _SIZE.pack(len(body) + 4) + body


def _masked(value: bytes, way: int, scan: Scan) -> bytes:
    if way in {TEXT, BINARY_TEXT}:
        return _scanned(value, scan)
    if way == JSONB:
        return value[:1] + _scanned(value[1:], scan)
    if way == OPAQUE:
        return _pieces(value, scan)
    return value


def _scanned(value: bytes, scan: Scan) -> bytes:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise ProtocolError("a text value is not UTF-8") from None
    found = scan(text)
    return value if found is text or found == text else found.encode()


def _pieces(value: bytes, scan: Scan) -> bytes:
    """A binary form we do not know (arrays, composites, bytea ...): its layout cannot be rewritten, so a
    value in which a detector finds something is not let out at all."""
    text = value.decode("utf-8", errors="replace")
    if scan(text) != text:
        raise ContentHeld
    return value


class ContentHeld(Exception):
    """A value cannot be masked in the format it came in."""


def mask_copy(message: bytes, scan: Scan, form: int) -> bytes:
    """One CopyData. The backend sends a line of text in each; binary rows are only looked at."""
    data = message[5:]
    if form == 1:
        _pieces(data, scan)
        return message
    value = _scanned(data, scan)
    return message if value is data else b"d" + _SIZE.pack(len(value) + 4) + value

"""Bound values as text, for the audit and for approval digests."""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct, error

_NUMBERS = {
    21: Struct("!h"),
    23: Struct("!i"),
    20: Struct("!q"),
    26: Struct("!I"),
    700: Struct("!f"),
    701: Struct("!d"),
}
_TEXTS = frozenset({18, 19, 25, 114, 142, 705, 1042, 1043})
_BOOL = 16


def shown(
    values: Sequence[bytes | None], formats: Sequence[int], types: Sequence[int]
) -> tuple[str | None, ...]:
    """Each value as text; one whose binary form is not known as `\\x` and hexadecimal digits."""
    return tuple(
        _one(value, _format(formats, at), types[at] if at < len(types) else 0)
        for at, value in enumerate(values)
    )


def _format(formats: Sequence[int], at: int) -> int:
    if not formats:
        return 0
    return formats[0] if len(formats) == 1 else formats[at]


def _one(value: bytes | None, form: int, kind: int) -> str | None:
    if value is None:
        return None
    if form == 0 or kind in _TEXTS:
        try:
            return value.decode()
        except UnicodeDecodeError:
            return f"\\x{value.hex()}"
    if kind == _BOOL and len(value) == 1:
        return "true" if value[0] else "false"
    number = _NUMBERS.get(kind)
    if number is not None:
        try:
            return str(number.unpack(value)[0])
        except error:
            pass
    return f"\\x{value.hex()}"

"""Masks that leave a value coarser: dates cut short, numbers in buckets.

As all masks (`masks`) they are expressions that call pg_catalog alone, cannot fail and keep the type.
"""

from __future__ import annotations

from decimal import Decimal

from tollhouse_core.masks import TruncateTo

from .catalog import Type
from .quoting import call, cast, literal

_INTEGERS = {"int2": -(2**15), "int4": -(2**31), "int8": -(2**63)}
_FLOATS = {"float4": "-3.4028235e38", "float8": "-1.7976931348623157e308"}
_DATES = frozenset({"date", "timestamp", "timestamptz"})

_UNITS = {TruncateTo.YEAR: "year", TruncateTo.MONTH: "month", TruncateTo.DAY: "day"}


def truncated(value: str, kind: Type, to: TruncateTo) -> str | None:
    """The first moment of the year, month or day; None for a type that is no date."""
    if kind.name not in _DATES:
        return None
    given = cast(value, "pg_catalog.timestamp") if kind.name == "date" else value
    return call("date_trunc", literal(_UNITS[to]), given)


def bucket(value: str, kind: Type, width: float, typmod: str) -> str | None:
    """The lower end of the bucket a number is in; None for a type that is no number. `typmod` is what the
    result must fit: "(10,2)" or ""."""
    if kind.name not in _INTEGERS and kind.name not in _FLOATS and kind.name != "numeric":
        return None
    number = "pg_catalog.numeric"
    step = cast(literal(format(Decimal(repr(width)), "f")), number)
    floor = call("floor", call("numeric_div", cast(value, number), step))
    lower = call("numeric_mul", floor, step)
    least = _INTEGERS.get(kind.name) or _FLOATS.get(kind.name)
    if typmod and least is None:
        # What a division was rounded to may be too large, where the lower bound below zero may be too small.
        most = _largest(typmod)
        ends = [cast(literal(one), number) for one in (f"-{most}", most)]
        bounded = f"LEAST(GREATEST({lower}, {ends[0]}), {ends[1]})"
        unbounded = f"{value} IS NULL OR {call('numeric_eq', value, cast(literal('NaN'), number))}"
        return f"CASE WHEN {unbounded} THEN {value} ELSE {bounded} END"
    if least is None:
        return lower
    bounded = f"GREATEST({lower}, {cast(literal(str(least)), number)})"
    return f"CASE WHEN {value} IS NULL THEN NULL ELSE {bounded} END"


def _largest(typmod: str) -> str:
    """The largest number that numeric(precision,scale) holds."""
    precision, _, scale = typmod.strip("()").partition(",")
    digits, places = "9" * int(precision), int(scale or 0)
    if places <= 0:
        return digits + "0" * -places
    digits = digits.rjust(places + 1, "0")
    return f"{digits[:-places]}.{digits[-places:]}"

"""Durations and amounts: text on the wire, numbers in the program."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Annotated, Any, Self

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

DURATION_PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"
QUANTITY_PATTERN = r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"

_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_DURATION = re.compile(DURATION_PATTERN)
_QUANTITY = re.compile(r"^([0-9]+(?:\.[0-9]+)?)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$")
_SECONDS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600)}
_SCALE = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", start=1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", start=1)},
}
_LONGEST = 32


@dataclass(frozen=True, slots=True)
class Duration:
    """A span of time as Go and Kubernetes write it: `90s`, `15m`, `1h30m`, `250ms`.

    `text` is what was written, `seconds` its length.
    """

    text: str
    seconds: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError with words for people."""
        if len(text) > _LONGEST or not _DURATION.fullmatch(text):
            hint = "; a day is 24h" if re.fullmatch(r"[0-9.]+[dw]", text) else ""
            raise ValueError(f"expected a duration such as 90s, 15m or 1h30m (h, m, s, ms){hint}")
        seconds = sum((Decimal(amount) * _SECONDS[unit] for amount, unit in _PART.findall(text)), Decimal(0))
        return cls(text, float(seconds))

    def __str__(self) -> str:
        return self.text

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Any], handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._read,
            serialization=core_schema.plain_serializer_function_ser_schema(str, when_used="always"),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "maxLength": _LONGEST, "pattern": DURATION_PATTERN}

    @classmethod
    def _read(cls, value: object) -> Self:
        if isinstance(value, cls):
            return value
        if not isinstance(value, str):
            raise PydanticCustomError("duration", "expected a duration in quotes or with a unit, such as 90s")
        try:
            return cls.parse(value)
        except ValueError as error:
            raise PydanticCustomError("duration", "{words}", {"words": str(error)}) from None


def _positive(value: Duration) -> Duration:
    if value.seconds <= 0:
        raise PydanticCustomError("duration", "expected a duration longer than nothing")
    return value


class _Positive:
    """Refuses a duration of no length, here and in the CRD."""

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Any], handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(_positive, handler(source))

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        document = dict(handler(schema))
        document["x-kubernetes-validations"] = [
            {
                "rule": "duration(self) > duration('0s')",
                "message": "expected a duration longer than nothing",
            }
        ]
        return document


PositiveDuration = Annotated[Duration, _Positive()]


@dataclass(frozen=True, slots=True)
class Quantity:
    """An amount as Kubernetes writes it: `50Mi`, `500m`, `2`, `1.5G`. Whole numbers need no quotes.

    `text` is what was written, `amount` the exact value.
    """

    text: str
    amount: Decimal

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError with words for people."""
        match = _QUANTITY.fullmatch(text) if len(text) <= _LONGEST else None
        if match is None:
            raise ValueError("expected a quantity such as 50Mi, 1G or 500m (k, M, G, T or Ki, Mi, Gi, Ti)")
        return cls(text, Decimal(match[1]) * _SCALE[match[2] or ""])

    @property
    def whole(self) -> int:
        """The amount as a whole number, rounded up (bytes, for one)."""
        return int(self.amount.to_integral_value(rounding=ROUND_CEILING))

    def __str__(self) -> str:
        return self.text

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Any], handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._read,
            serialization=core_schema.plain_serializer_function_ser_schema(str, when_used="always"),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "maxLength": _LONGEST,
            "pattern": QUANTITY_PATTERN,
            "x-kubernetes-int-or-string": True,
        }

    @classmethod
    def _read(cls, value: object) -> Self:
        if isinstance(value, cls):
            return value
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise PydanticCustomError("quantity", "expected a quantity such as 50Mi or a whole number")
        try:
            return cls.parse(str(value))
        except ValueError as error:
            raise PydanticCustomError("quantity", "{words}", {"words": str(error)}) from None


PortNumber = Annotated[int, Field(ge=1, le=65535)]

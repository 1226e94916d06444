"""Masks as people write them."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import (
    Field,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError, core_schema

from tollhouse_core import masks
from tollhouse_core.api.complaints import closest
from tollhouse_core.api.selectors import Glob
from tollhouse_core.api.shape import ApiModel, AtLeastOne, ExactlyOne, Marker, Shape
from tollhouse_core.masks import DetectorName, TokenScope, TruncateTo


class RedactMask(ApiModel):
    """A fixed text."""

    text: Annotated[str, Field(max_length=256)] = Field(
        default="[redacted]", description="What is shown instead. Default: [redacted]."
    )


class PartialMask(ApiModel):
    """Some characters stay."""

    keep_first: Annotated[int, Field(ge=0, le=1024)] = Field(
        default=0, description="How many characters stay at the beginning. Default: 0."
    )
    keep_last: Annotated[int, Field(ge=0, le=1024)] = Field(
        default=0, description="How many characters stay at the end. Default: 0."
    )
    character: Annotated[str, Field(min_length=1, max_length=1)] = Field(
        default="*", description="What each of the others becomes. Default: *."
    )


class TokenMask(ApiModel):
    """A keyed pseudonym."""

    scope: TokenScope = Field(
        default=TokenScope.CONNECTION,
        description="Where equal values give equal tokens. Connection (default): on this Connection only. "
        "Namespace: on all Connections of the namespace.",
    )


class TruncateMask(ApiModel):
    """A coarser date."""

    to: TruncateTo = Field(description="What stays of a date or time: Year, Month (and year) or Day.")


class BucketMask(ApiModel):
    """A coarser number."""

    width: Annotated[float, Field(gt=0, le=1e15)] = Field(
        default=10,
        description="Width of the buckets; a number becomes its bucket's lower bound. Default: 10.",
    )


MASKS = ("nullify", "redact", "partial", "token", "truncate", "bucket")


class MaskWith(ApiModel):
    """What is shown instead of a masked value."""

    shape: ClassVar[tuple[Shape, ...]] = (ExactlyOne(MASKS, "mask"),)

    nullify: Marker | None = Field(default=None, description="NULL.")
    redact: RedactMask | None = Field(default=None, description="A fixed text.")
    partial: PartialMask | None = Field(
        default=None, description="The value with only its first and last characters shown."
    )
    token: TokenMask | None = Field(
        default=None, description="A keyed pseudonym: equal values give equal tokens."
    )
    truncate: TruncateMask | None = Field(default=None, description="A date or time made coarser.")
    bucket: BucketMask | None = Field(default=None, description="A number made coarser.")

    @property
    def mask(self) -> masks.Mask:
        """The same in the words of the core."""
        if self.redact:
            return masks.Redact(self.redact.text)
        if self.partial:
            return masks.Partial(self.partial.keep_first, self.partial.keep_last, self.partial.character)
        if self.token:
            return masks.Token(self.token.scope)
        if self.truncate:
            return masks.Truncate(self.truncate.to)
        if self.bucket:
            return masks.Bucket(self.bucket.width)
        return masks.Nullify()


def _known(name: str) -> DetectorName:
    try:
        return DetectorName(name)
    except ValueError:
        meant = closest(name, DetectorName)
        ask = f"; did you mean {meant}?" if meant else ""
        known = ", ".join(DetectorName)
        words = f"expected one of {known}, or {{pattern: ...}}; found {name[:80]!a}{ask}"
        raise PydanticCustomError("shape", "{words}", {"words": words}) from None


class ContentDetector(ApiModel):
    """What to look for: a name, written alone, or `{pattern: ...}`."""

    shape: ClassVar[tuple[Shape, ...]] = (ExactlyOne(("name", "pattern"), "sort of content"),)

    name: DetectorName | None = None
    pattern: Annotated[str, Field(min_length=1, max_length=1024)] | None = Field(
        default=None, description="A regular expression in RE2 syntax; whatever it matches is masked."
    )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        # A list may mix names and objects. No structural schema has a type for that, so there is
        # none; what Kubernetes checks is that strings are known names and objects have a pattern.
        return {
            "description": "A known sort of content, or {pattern: '...'} with an RE2 expression.",
            "x-kubernetes-preserve-unknown-fields": True,
            "pattern": f"^({'|'.join(DetectorName)})$",
            "properties": {
                "pattern": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 1024,
                    "description": "A regular expression in RE2 syntax; whatever it matches is masked.",
                }
            },
            "required": ["pattern"],
        }

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"name": _known(value)}
        if isinstance(value, dict) and type(value.get("name")) is str:
            words = f"a known sort of content is written alone: {value['name'][:40]}"
            raise PydanticCustomError("shape", "{words}", {"words": words})
        return value

    @model_serializer(mode="wrap")
    def _write(self, handler: SerializerFunctionWrapHandler) -> Any:
        return self.name.value if self.name else {"pattern": self.pattern}

    @property
    def detector(self) -> masks.Detector:
        """The same in the words of the core."""
        return masks.Detector(self.name, self.pattern)


class MaskAction(ApiModel):
    """Values that are shown changed."""

    shape: ClassVar[tuple[Shape, ...]] = (AtLeastOne(("columns", "content"), typeless=True),)

    columns: Annotated[tuple[Glob, ...], Field(min_length=1, max_length=256)] | None = Field(
        default=None,
        description="Globs on `schema.table.column`; a name without schema is in the Connection's default "
        "schema. They are masked at the source: predicates, joins and aggregates see the mask only. Absent: "
        "`content` is looked for in everything that goes out.",
    )
    content: Annotated[tuple[ContentDetector, ...], Field(min_length=1, max_length=32)] | None = Field(
        default=None,
        description="Only parts of values that look like this are masked: PaymentCard (by its check digit), "
        "Email, Phone, IBAN, PrivateKey, AccessKey, or {pattern: '...'} (RE2). Absent: the whole value.",
    )
    with_: MaskWith = Field(
        description="What is shown instead. Types are kept: where a type cannot carry the mask the value "
        "becomes NULL, and NULL stays NULL. Where masks meet, the stricter holds."
    )

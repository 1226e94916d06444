"""The base of all models, and rules on their shape that hold here and in the CRD alike.

A shape rule is declared once, on the model. The same declaration checks a parsed model and
becomes a CEL rule of the CRD, so the two cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError, core_schema

# Words that CEL reserves; Kubernetes spells fields of these names with underscores around.
_CEL_RESERVED = frozenset(
    {"true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if"}
    | {"import", "let", "loop", "package", "namespace", "return", "var", "void", "while"}
)


def wire_name(attribute: str) -> str:
    """The name on the wire: `ca_ref` is `caRef`, and `with_` (a word of Python) is `with`."""
    return ".".join(to_camel(part.rstrip("_")) for part in attribute.split("."))


def cel_name(attribute: str) -> str:
    """The name in CEL rules of a CRD."""
    name = wire_name(attribute)
    return f"__{name}__" if name in _CEL_RESERVED else name


def present(attribute: str) -> str:
    """CEL for: this field is there."""
    return f"has(self.{cel_name(attribute)})"


@dataclass(frozen=True, slots=True)
class CelRule:
    """One entry of x-kubernetes-validations. `field` is the path it complains about (`.votes`)."""

    rule: str
    message: str
    field: str = ""

    @property
    def document(self) -> dict[str, str]:
        """As a CRD writes it."""
        where = {"fieldPath": self.field} if self.field else {}
        return {"rule": self.rule, "message": self.message, **where}


@dataclass(frozen=True, slots=True)
class ExactlyOne:
    """Exactly one of `fields` is there. `what` says what they are together ("action")."""

    fields: tuple[str, ...]
    what: str

    def complaint(self, model: Mapping[str, object]) -> str:
        """Words for people; "" when the model is fine."""
        found = [wire_name(name) for name in self.fields if _there(model.get(name))]
        if len(found) == 1:
            return ""
        return f"{self._expected}; found {' and '.join(found) if found else 'none of them'}"

    @property
    def _expected(self) -> str:
        return f"expected exactly one {self.what}: {_listed(self.fields)}"

    @property
    def cel(self) -> CelRule:
        """The same in the CRD."""
        flags = ", ".join(present(name) for name in self.fields)
        return CelRule(f"[{flags}].filter(x, x).size() == 1", self._expected)


@dataclass(frozen=True, slots=True)
class AtLeastOne:
    """One or more of `fields` are there.

    `typeless`: CEL cannot see one of the fields, since it has no type in the CRD.
    """

    fields: tuple[str, ...]
    typeless: bool = False

    def complaint(self, model: Mapping[str, object]) -> str:
        """Words for people; "" when the model is fine."""
        return "" if any(_there(model.get(name)) for name in self.fields) else f"{self._expected}; found none"

    @property
    def _expected(self) -> str:
        return f"expected at least one of {_listed(self.fields)}"

    @property
    def cel(self) -> CelRule | None:
        """The same in the CRD."""
        if self.typeless:
            return None
        return CelRule(" || ".join(present(name) for name in self.fields), self._expected)


@dataclass(frozen=True, slots=True)
class Needs:
    """Where `field` is there, at least one of `others` must be there too; `why` tells what to do."""

    field: str
    others: tuple[str, ...]
    why: str

    def complaint(self, model: Mapping[str, object]) -> str:
        """Words for people; "" when the model is fine."""
        if not _there(model.get(self.field)) or any(_there(model.get(name)) for name in self.others):
            return ""
        return self.why

    @property
    def cel(self) -> CelRule:
        """The same in the CRD."""
        others = " || ".join(present(name) for name in self.others)
        return CelRule(f"!{present(self.field)} || {others}", self.why)


@dataclass(frozen=True, slots=True)
class Holds:
    """Any other rule: `check` on the model's attributes, `rule` the same in CEL, `why` for people.

    `field` is the attribute it complains about (metadata.name: not said to Kubernetes, which lets
    no rule point there), "" the model as a whole.
    """

    check: Callable[[Any], bool]
    rule: str
    why: str
    field: str = ""

    @property
    def cel(self) -> CelRule:
        """The same in the CRD."""
        pointed = self.field and not self.field.startswith("metadata")
        return CelRule(self.rule, self.why, f".{wire_name(self.field)}" if pointed else "")


Shape = ExactlyOne | AtLeastOne | Needs | Holds


class ApiModel(BaseModel):
    """Strict, frozen, snake_case here and camelCase on the wire.

    `shape` are the rules on which fields go together. `cel` are further rules that only an API
    server can check (those that compare with the object's former version).
    """

    model_config = ConfigDict(
        alias_generator=wire_name,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        protected_namespaces=(),
    )

    shape: ClassVar[tuple[Shape, ...]] = ()
    cel: ClassVar[tuple[CelRule, ...]] = ()

    @model_validator(mode="after")
    def _has_its_shape(self) -> Self:
        for rule in self.shape:
            if isinstance(rule, Holds):
                field, words = rule.field, "" if rule.check(self) else rule.why
            else:
                field, words = "", rule.complaint(self.__dict__)
            if words:
                # Braces are escaped by passing the words as context, never as the template.
                context = {"words": words, "at": wire_name(field) if field else ""}
                raise PydanticCustomError("shape", "{words}", context)
        return self

    @model_serializer(mode="wrap")
    def _without_the_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document: dict[str, Any] = handler(self)
        fields = type(self).model_fields
        absent = {name for name, field in fields.items() if _absent(getattr(self, name), field)}
        absent |= {wire_name(name) for name in absent}
        return {key: value for key, value in document.items() if key not in absent}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        document = handler.resolve_ref_schema(handler(schema))
        rules = [*(rule.cel for rule in cls.shape), *cls.cel]
        if any(rules):
            document["x-kubernetes-validations"] = [rule.document for rule in rules if rule]
        for rule in cls.shape:
            if isinstance(rule, AtLeastOne) and rule.typeless:
                document["anyOf"] = [{"required": [wire_name(name)]} for name in rule.fields]
        return document

    def chosen(self, *fields: str) -> str:
        """Which of `fields` is there, by its name on the wire; "" if none is."""
        return next((wire_name(name) for name in fields if _there(getattr(self, name))), "")


class EachOnce:
    """For lists whose entries may not repeat, here and in the CRD. Goes behind bounds on the length."""

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Any], handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(cls._check, handler(source))

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "x-kubernetes-list-type": "set"}

    @staticmethod
    def _check(entries: tuple[Any, ...]) -> tuple[Any, ...]:
        for index, entry in enumerate(entries):
            if entry in entries[:index]:
                words = f"expected each entry once; {entry} is there before"
                raise PydanticCustomError("shape", "{words}", {"words": words, "at": f"[{index}]"})
        return entries


class Marker(ApiModel):
    """An object without fields, `{}`: being there is all it says."""


def _there(value: object) -> bool:
    return value is not None and not (isinstance(value, tuple | Mapping) and not value)


def _absent(value: object, field: FieldInfo) -> bool:
    """Whether leaving the field out says the same."""
    if isinstance(value, str | tuple | Mapping) and not value:
        return value == field.default or field.default_factory is dict
    return value is None


def _listed(fields: tuple[str, ...]) -> str:
    names = [wire_name(name) for name in fields]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"

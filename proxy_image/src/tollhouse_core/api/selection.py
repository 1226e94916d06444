"""Which Connections a policy is for."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import Field

from tollhouse_core.api.meta import ObjectName
from tollhouse_core.api.shape import ApiModel, EachOnce, ExactlyOne, Holds, Shape


class LabelOperator(StrEnum):
    """How a label requirement compares."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


def _values_fit(requirement: Any) -> bool:
    wants = requirement.operator in {LabelOperator.IN, LabelOperator.NOT_IN}
    return wants == bool(requirement.values)


class LabelRequirement(ApiModel):
    """One requirement on labels."""

    shape: ClassVar[tuple[Shape, ...]] = (
        Holds(
            _values_fit,
            "(self.operator in ['In', 'NotIn']) == (has(self.values) && self.values.size() > 0)",
            "In and NotIn need values; Exists and DoesNotExist have none",
            "values",
        ),
    )

    key: Annotated[str, Field(min_length=1, max_length=317)] = Field(description="The label's name.")
    operator: LabelOperator = Field(
        description="In: the label is there with one of the values. NotIn: it is absent or has none of them. "
        "Exists: it is there. DoesNotExist: it is absent."
    )
    values: tuple[Annotated[str, Field(max_length=63)], ...] = Field(
        default=(), max_length=64, description="The values of In and NotIn."
    )

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels meet it."""
        value = labels.get(self.key)
        match self.operator:
            case LabelOperator.IN:
                return value is not None and value in self.values
            case LabelOperator.NOT_IN:
                return value is None or value not in self.values
            case LabelOperator.EXISTS:
                return value is not None
            case LabelOperator.DOES_NOT_EXIST:
                return value is None


class LabelSelector(ApiModel):
    """Connections by their labels; `{}` selects every Connection of the namespace."""

    match_labels: Mapping[Annotated[str, Field(max_length=317)], Annotated[str, Field(max_length=63)]] = (
        Field(
            default_factory=dict,
            max_length=64,
            description="Labels that must be there with these values. Absent: any labels.",
        )
    )
    match_expressions: tuple[LabelRequirement, ...] = Field(
        default=(), max_length=64, description="Further requirements; all must be met. Absent: none."
    )

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is selected."""
        return all(labels.get(key) == value for key, value in self.match_labels.items()) and all(
            requirement.matches(labels) for requirement in self.match_expressions
        )


class ConnectionSelection(ApiModel):
    """Which Connections of the policy's namespace it is for."""

    shape: ClassVar[tuple[Shape, ...]] = (ExactlyOne(("names", "selector"), "way to select Connections"),)

    names: Annotated[tuple[ObjectName, ...], Field(min_length=1, max_length=256), EachOnce()] | None = Field(
        default=None,
        description="Names of Connections in the same namespace.",
    )
    selector: LabelSelector | None = Field(
        default=None,
        description="Connections of the same namespace by their labels; `{}` selects all of them.",
    )

    def matches(self, name: str, labels: Mapping[str, str]) -> bool:
        """Whether the Connection of that name, with those labels, is selected."""
        if self.names is not None:
            return name in self.names
        return self.selector is not None and self.selector.matches(labels)

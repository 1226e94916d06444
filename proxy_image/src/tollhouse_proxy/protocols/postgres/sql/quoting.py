"""Values and names as SQL text that no search_path and no content can change."""

from __future__ import annotations

from collections.abc import Sequence

from .catalog import PG_CATALOG, Relation, Type
from .statement import CannotRewrite


def name(text: str) -> str:
    """An identifier, always quoted."""
    return '"' + text.replace('"', '""') + '"'


def relation_name(relation: Relation) -> str:
    """`"schema"."table"`; the session's temporary schema is pg_temp."""
    schema, table = relation.path
    return f"{name(schema)}.{name(table)}"


def type_name(kind: Type, typmod: str = "") -> str:
    """`"pg_catalog"."varchar"(80)`."""
    return f"{name(kind.schema)}.{name(kind.name)}{typmod}"


def literal(text: str) -> str:
    """A string constant, right under standard_conforming_strings = on."""
    if "\0" in text:
        raise CannotRewrite("a value of the identity holds a NUL character, which SQL cannot carry")
    return "'" + text.replace("'", "''") + "'"


def constant(value: object) -> str:
    """A JSON scalar or list of scalars as a constant that takes the type of what it meets.

    Lists become array literals. Raises CannotRewrite for anything else.
    """
    if isinstance(value, (list, tuple)):
        return literal("{" + ",".join(_element(item) for item in value) + "}")
    return literal(_scalar(value))


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return value
    raise CannotRewrite("a row filter's identity value is neither a scalar nor a list of scalars")


def _element(value: object) -> str:
    return '"' + _scalar(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def call(function: str, *arguments: str) -> str:
    """A call of a function of pg_catalog."""
    return f"{PG_CATALOG}.{function}({', '.join(arguments)})"


def cast(value: str, kind: str) -> str:
    """An explicit cast; `kind` is SQL text of a type."""
    return f"CAST({value} AS {kind})"


def columns(names: Sequence[str]) -> str:
    """A list of identifiers."""
    return ", ".join(name(one) for one in names)

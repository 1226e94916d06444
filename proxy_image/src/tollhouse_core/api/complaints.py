"""Validation errors in words: expected, found, what to do."""

from __future__ import annotations

import difflib
import re
import types
import typing
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tollhouse_core.api.problems import Problem
from tollhouse_core.api.shape import wire_name

MOST_PROBLEMS = 50
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,80}")

_EXPECTED = {
    "string_type": "expected text",
    "int_type": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "bool_type": "expected true or false",
    "tuple_type": "expected a list",
    "list_type": "expected a list",
    "dict_type": "expected a mapping of names to values",
    "model_type": "expected an object (a mapping)",
    "model_attributes_type": "expected an object (a mapping)",
    "datetime_type": "expected a moment such as 2030-01-31T12:00:00Z",
    "datetime_parsing": "expected a moment such as 2030-01-31T12:00:00Z",
    "datetime_from_date_parsing": "expected a moment such as 2030-01-31T12:00:00Z",
    "timezone_aware": "expected a moment with its time zone, such as 2030-01-31T12:00:00Z",
}
_BOUNDS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}
_PATTERNS = {
    r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$": "a name of lower-case letters, digits, '-' and '.'",
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$": "a name of lower-case letters, digits and '-'",
    r"^[-._a-zA-Z0-9]+$": "a key of letters, digits, '-', '_' and '.'",
    r"^https?://[^\s/?#@]+([/?#][^\s]*)?$": "a URL such as https://host:8200",
    r"^[^\s/@]+$": "a host name or address alone, without scheme, user or path",
    r"^[^\s,]+$": "one user's name, without blanks and commas",
    r"^([A-Z]+|\*)$": 'a method in capitals such as GET, or "*"',
    r"^/[^\x00]*[^/\x00]$": "an absolute path of a file",
    r"^[a-z0-9]+:[0-9a-f]+$": "a digest such as sha256:0123abcd",
}


def explain(model: type[BaseModel], error: ValidationError, title: str) -> list[Problem]:
    """One Problem for each thing pydantic found, in the order of the document."""
    details = [detail for detail in error.errors(include_url=False) if not _echo(detail)]
    return [Problem(_path(detail), _message(model, detail), title) for detail in details[:MOST_PROBLEMS]]


def _echo(detail: ErrorDetails) -> bool:
    """Pydantic calls a list too short when bad entries drop out of it; those are told of already."""
    if detail["type"] != "too_short":
        return False
    least: int = detail.get("ctx", {})["min_length"]
    return len(detail.get("input") or ()) >= least


def closest(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant; "" if none comes near."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    matches = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[matches[0]] if matches else ""


def path_text(location: Iterable[int | str]) -> str:
    """`("spec", "rules", 3, "when")` as people write it: `spec.rules[3].when`."""
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part == "[key]":
            continue
        elif not _PLAIN.fullmatch(part):
            text += f"[{part[:80]!a}]"
        else:
            text += f".{part}" if text else part
    return text


def _path(detail: ErrorDetails) -> str:
    inner = detail.get("ctx", {}).get("at", "")
    path = path_text(detail["loc"])
    between = "." if path and inner and not inner.startswith("[") else ""
    return f"{path}{between}{inner}"


def _message(model: type[BaseModel], detail: ErrorDetails) -> str:
    sort, found = detail["type"], detail.get("input")
    context: Mapping[str, Any] = detail.get("ctx", {})
    if sort == "shape":
        return detail["msg"]
    if sort in {"duration", "quantity"}:
        return f"{detail['msg']}; found {_shown(found)}"
    if sort == "extra_forbidden":
        return _unknown_field(model, detail)
    if sort == "missing":
        return "required, but missing"
    return f"{_expected(sort, context, detail)}; found {_shown(found)}{_guess(sort, context, found)}"


def _expected(sort: str, context: Mapping[str, Any], detail: ErrorDetails) -> str:
    if sort in _EXPECTED:
        return _EXPECTED[sort]
    if sort in {"enum", "literal_error"}:
        return f"expected one of {_words(context)}"
    if sort in _BOUNDS:
        words, key = _BOUNDS[sort]
        return f"expected a number of {words} {context[key]}"
    if sort == "string_pattern_mismatch":
        pattern = str(context["pattern"])
        return f"expected {_PATTERNS.get(pattern, f'text that matches {pattern}')}"
    if sort in {"string_too_short", "string_too_long"}:
        return _lengths(sort, context, "character", "characters")
    if sort in {"too_short", "too_long"}:
        return _lengths(sort, context, "entry", "entries")
    return detail["msg"]


def _lengths(sort: str, context: Mapping[str, Any], one: str, many: str) -> str:
    if sort.endswith("short"):
        least = context["min_length"]
        return f"expected at least {least} {one if least == 1 else many}"
    most = context["max_length"]
    return f"expected at most {most} {one if most == 1 else many}"


def _words(context: Mapping[str, Any]) -> str:
    return str(context["expected"]).replace("'", "").replace(" or ", ", ")


def _guess(sort: str, context: Mapping[str, Any], found: object) -> str:
    if sort in {"enum", "literal_error"} and isinstance(found, str):
        meant = closest(found, _words(context).split(", "))
        return f"; did you mean {meant}?" if meant else ""
    if sort == "string_type" and isinstance(found, bool | int | float):
        return "; put it in quotes"
    if sort == "int_type" and isinstance(found, str) and found.isdigit():
        return "; take the quotes away"
    if sort == "tuple_type" and isinstance(found, str):
        return "; write [...] around it"
    return ""


def _unknown_field(model: type[BaseModel], detail: ErrorDetails) -> str:
    *parents, name = detail["loc"]
    owner = _model_at(model, parents)
    known = [wire_name(field) for field in owner.model_fields] if owner else []
    meant = closest(str(name), known)
    if meant:
        return f"unknown field; did you mean {meant}?"
    return (
        f"unknown field; known here: {', '.join(known)}" if known else "unknown field; nothing is known here"
    )


def _model_at(model: type[BaseModel], location: Iterable[int | str]) -> type[BaseModel] | None:
    """The model that a location leads to."""
    here: Any = model
    for part in location:
        here = _inside(here, part)
        if here is None:
            return None
    return _model_in(here)


def _inside(annotation: Any, part: int | str) -> Any:
    model = _model_in(annotation)
    if model is not None and isinstance(part, str):
        names = {wire_name(name): field.annotation for name, field in model.model_fields.items()}
        return names.get(part)
    for option in _options(annotation):
        arguments = typing.get_args(option)
        if typing.get_origin(option) is tuple:
            return arguments[0]
        if len(arguments) == 2:
            return arguments[1]
    return None


def _model_in(annotation: Any) -> type[BaseModel] | None:
    for option in _options(annotation):
        if isinstance(option, type) and issubclass(option, BaseModel):
            return option
    return None


def _options(annotation: Any) -> list[Any]:
    """The alternatives of `X | None`, with what `Annotated` adds taken off."""
    if typing.get_origin(annotation) is typing.Annotated:
        return _options(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in {typing.Union, types.UnionType}:
        return [found for option in typing.get_args(annotation) for found in _options(option)]
    return [annotation]


def _shown(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case StrEnum() | int() | float():
            return str(value)
        case Mapping():
            fields = ", ".join(ascii(key)[1:-1][:40] for key in list(value)[:4])
            return f"an object with {fields}" if fields else "an empty object"
        case list() | tuple():
            return f"a list of {len(value)}"
        case _:
            text = ascii(str(value))
            return text if len(text) <= 80 else f"{text[:76]}...'"

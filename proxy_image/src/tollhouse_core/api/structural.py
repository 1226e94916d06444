"""From a model to the structural OpenAPI schema that a CRD carries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tollhouse_core.api.shape import ApiModel

Schema = dict[str, Any]

_ORDER = ("description", "type", "format", "default", "enum", "nullable")
_LAST = ("required", "properties", "items", "additionalProperties", "x-kubernetes-validations")
# Meant for readers of JSON Schema, or said by Kubernetes in another way.
_DROPPED = frozenset({"title", "$defs", "propertyNames", "uniqueItems", "const"})
_FORMATS = {"integer": "int64", "number": "double"}


def structural_schema(model: type[ApiModel]) -> Schema:
    """The schema of a model, without references, alternatives or anything Kubernetes refuses."""
    document = model.model_json_schema(by_alias=True, mode="validation")
    return _Flattening(document.get("$defs", {})).schema(document)


class _Flattening:
    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions

    def schema(self, node: Schema) -> Schema:
        node = self._resolved(node)
        flat = {key: value for key, value in node.items() if key not in _DROPPED}
        if "const" in node:
            flat["enum"] = [node["const"]]
        if "properties" in flat:
            flat["properties"] = {name: self.schema(child) for name, child in flat["properties"].items()}
        if isinstance(flat.get("items"), dict):
            flat["items"] = self.schema(flat["items"])
        if isinstance(flat.get("additionalProperties"), dict):
            flat["additionalProperties"] = self.schema(flat["additionalProperties"])
        else:
            # Unknown fields are refused or pruned by the API server itself.
            flat.pop("additionalProperties", None)
        return _ordered(_in_openapi(flat))

    def _resolved(self, node: Schema) -> Schema:
        """Follows a reference and takes null out of alternatives; what stands beside them wins."""
        if "$ref" in node:
            name = node["$ref"].rpartition("/")[2]
            beside = {key: value for key, value in node.items() if key != "$ref"}
            return self._resolved({**self._definitions[name], **beside})
        options = node.get("anyOf", [])
        if {"type": "null"} in options:
            rest = [option for option in options if option != {"type": "null"}]
            if len(rest) != 1:
                raise ValueError(f"a structural schema has no alternatives: {node}")
            beside = {key: value for key, value in node.items() if key != "anyOf"}
            return self._resolved({**self._resolved(rest[0]), **beside})
        return node


def _in_openapi(flat: Schema) -> Schema:
    kind = flat.get("type")
    if kind in _FORMATS:
        flat.setdefault("format", _FORMATS[kind])
    for bound, plain in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if bound in flat:
            flat[plain], flat[bound] = flat[bound], True
    # Only scalars and lists of them are defaulted by the API server: an absent object is the
    # object of defaults for the program, and would only make stored objects longer.
    default = flat.get("default")
    scalars = isinstance(default, list | tuple) and bool(default)
    if not (isinstance(default, bool | int | float | str) and default != "") and not scalars:
        flat.pop("default", None)
    return flat


def _ordered(flat: Schema) -> Schema:
    first = [key for key in _ORDER if key in flat]
    last = [key for key in _LAST if key in flat]
    middle = sorted(key for key in flat if key not in _ORDER and key not in _LAST)
    return {key: flat[key] for key in (*first, *middle, *last)}

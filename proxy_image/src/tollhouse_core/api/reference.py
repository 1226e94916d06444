"""The API reference as Markdown, made from the same schemas as the CRDs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tollhouse_core.api.crds import RESOURCES, Resource, object_schema
from tollhouse_core.api.meta import API_VERSION
from tollhouse_core.api.structural import Schema

HEADER = "<!-- Generated from the API types by crds/generate.py; edit those and run it again. -->\n\n"


def pages() -> dict[str, str]:
    """Every page, by the name of its file (without an extension)."""
    index = "".join(
        f"* [{resource.kind}]({resource.kind.lower()}.md) (`{resource.short_names[0]}`): "
        f"{_first_line(resource)}\n"
        for resource in RESOURCES
    )
    intro = (
        f"# API reference: {API_VERSION}\n\n"
        "What people write, field by field. `kubectl explain` says the same.\n\n"
    )
    made = {resource.kind.lower(): page(resource) for resource in RESOURCES}
    return {"README": HEADER + intro + index, **made}


def page(resource: Resource) -> str:
    """One kind's page: each object with a table of its fields, from the outside in."""
    schema = object_schema(resource.model)
    scope = "the whole cluster" if resource.model.scope == "Cluster" else "a namespace"
    lines = [
        f"# {resource.kind}",
        "",
        schema["description"],
        "",
        f"`{resource.plural}.{API_VERSION.split('/')[0]}`, short name `{resource.short_names[0]}`. "
        f"It belongs to {scope}.",
        "",
    ]
    for part in ("spec", "status"):
        for path, node in _objects(part, schema["properties"][part]):
            lines += _section(path, node)
    return HEADER + "\n".join(lines).rstrip() + "\n"


def _first_line(resource: Resource) -> str:
    return str(object_schema(resource.model)["description"])


def _objects(path: str, node: Schema) -> Iterator[tuple[str, Schema]]:
    """An object and all objects in it that have fields or rules of their own."""
    if "items" in node:
        yield from _objects(f"{path}[]", node["items"])
    elif isinstance(node.get("additionalProperties"), dict):
        yield from _objects(f"{path}.NAME", node["additionalProperties"])
    elif node.get("properties"):
        yield path, node
        for name, child in node["properties"].items():
            yield from _objects(f"{path}.{name}", child)


def _section(path: str, node: Schema) -> list[str]:
    lines = [f"## {path}", "", str(node.get("description", "")), ""]
    lines += ["| field | type | meaning |", "|---|---|---|"]
    required = set(node.get("required", ()))
    for name, child in node["properties"].items():
        mark = ", required" if name in required else ""
        lines.append(f"| `{name}` | {_type(child)}{mark} | {_cell(_meaning(child))} |")
    lines.append("")
    rules = [rule["message"] for rule in node.get("x-kubernetes-validations", ())]
    if rules:
        lines += ["Checked together:", "", *(f"* {_cell(rule)}" for rule in rules), ""]
    return lines


def _type(node: Schema) -> str:
    if "items" in node:
        return f"list of {_type(node['items'])}"
    if isinstance(node.get("additionalProperties"), dict):
        return f"map of {_type(node['additionalProperties'])}"
    if node.get("x-kubernetes-int-or-string"):
        return "quantity"
    if "type" not in node:
        return "name or object"
    if node.get("format") == "date-time":
        return "time"
    if "duration(self) > duration('0s')" in str(node) or "ms|s|m|h" in str(node.get("pattern", "")):
        return "duration"
    return str(node["type"])


def _meaning(node: Schema) -> str:
    text = str(node.get("description", ""))
    words = _enum(node) or _enum(node.get("items", {}))
    if words and not all(word in text for word in words):
        text += f" One of {', '.join(words)}."
    default: Any = node.get("default")
    if default is not None and "efault" not in text:
        text += f" Default: {json.dumps(default)}."
    bounds = _bounds(node)
    return f"{text} {bounds}".strip()


def _enum(node: Schema) -> list[str]:
    return [str(word) for word in node.get("enum", ())]


def _bounds(node: Schema) -> str:
    least, most = node.get("minimum"), node.get("maximum")
    if node.get("exclusiveMinimum"):
        return f"(more than {least})"
    if least is not None and most is not None and most < 10**9:
        return f"({least} to {most})"
    if least:
        return f"(at least {least})"
    return ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")

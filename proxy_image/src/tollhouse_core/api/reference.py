"""The API reference as Markdown, made from the same schemas as the CRDs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tollhouse_core.api.crds import RESOURCES, Resource, object_schema
from tollhouse_core.api.meta import API_VERSION
from tollhouse_core.api.quantities import DURATION_PATTERN
from tollhouse_core.api.structural import Schema

HEADER = "<!-- Generated from the API types by crds/generate.py; edit those and run it again. -->\n\n"


def pages(examples: Mapping[str, str]) -> dict[str, str]:
    """Every page, by the name of its file (without an extension). `examples` has a YAML text for
    each kind."""
    index = "".join(
        f"* [{resource.kind}]({resource.kind.lower()}.md) (`{resource.short_names[0]}`): "
        f"{_first_line(resource)}\n"
        for resource in RESOURCES
    )
    intro = (
        f"# API reference: {API_VERSION}\n\n"
        "What people write, field by field. `kubectl explain` says the same.\n\n"
    )
    made = {resource.kind.lower(): page(resource, examples[resource.kind]) for resource in RESOURCES}
    return {"README": HEADER + intro + index, **made}


def page(resource: Resource, example: str) -> str:
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
        "```yaml",
        example.rstrip(),
        "```",
        "",
    ]
    shown: dict[str, str] = {}
    for part in ("spec", "status"):
        lines += _sections(part, schema["properties"][part], shown)
    return HEADER + "\n".join(lines).rstrip() + "\n"


def _first_line(resource: Resource) -> str:
    return str(object_schema(resource.model)["description"])


def _sections(path: str, node: Schema, shown: dict[str, str]) -> list[str]:
    """An object and the objects in it; what was shown under another path is only pointed to."""
    if "items" in node:
        return _sections(f"{path}[]", node["items"], shown)
    if isinstance(node.get("additionalProperties"), dict):
        return _sections(f"{path}.NAME", node["additionalProperties"], shown)
    if not node.get("properties"):
        return []
    lines = [f"## {path}", "", str(node.get("description", "")), ""]
    fields = json.dumps([node["properties"], node.get("required")])
    if fields in shown:
        return [*lines, f"Fields as in `{shown[fields]}`.", ""]
    shown[fields] = path
    lines += _table(node)
    for name, child in node["properties"].items():
        lines += _sections(f"{path}.{name}", child, shown)
    return lines


def _table(node: Schema) -> list[str]:
    lines: list[str] = []
    lines += ["| field | type | meaning |", "|---|---|---|"]
    required = set(node.get("required", ()))
    for name, child in node["properties"].items():
        mark = ", required" if name in required else ""
        lines.append(f"| `{name}` | {_type(child)}{mark} | {_cell(_meaning(child))} |")
    lines.append("")
    rules = [rule["message"] for rule in node.get("x-kubernetes-validations", ())]
    if rules:
        lines += [
            "Checked by the API server, and wherever else the object is read:",
            "",
            *(f"* {_cell(rule)}" for rule in rules),
            "",
        ]
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
    if node.get("pattern") == DURATION_PATTERN:
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

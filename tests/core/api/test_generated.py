"""What is generated is committed, complete, and says what every field means."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tollhouse_core.api.crds import RESOURCES, Resource, definition, definitions
from tollhouse_core.api.reference import pages

ROOT = Path(__file__).resolve().parents[3]
# Every keyword a structural schema of ours may use; anything else was not thought about.
KEYWORDS = {
    "additionalProperties",
    "anyOf",
    "default",
    "description",
    "enum",
    "exclusiveMinimum",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "pattern",
    "properties",
    "required",
    "type",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-list-type",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-validations",
}
EACH = pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.kind)


def nodes(node: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in node:
            yield from nodes(node[key], f"{path}[]")


def schema(resource: Resource) -> dict[str, Any]:
    found: dict[str, Any] = definition(resource)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


def test_what_is_committed_is_what_the_types_say() -> None:
    command = [sys.executable, str(ROOT / "crds" / "generate.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_changed_byte_is_found_and_put_right(tmp_path: Path) -> None:
    command = [
        sys.executable,
        str(ROOT / "crds" / "generate.py"),
        "--crds",
        str(tmp_path),
        "--chart",
        str(tmp_path / "chart"),
        "--reference",
        str(tmp_path),
    ]
    subprocess.run(command, check=True, capture_output=True)
    path = tmp_path / "tollhouse.dev_connections.yaml"
    good = path.read_bytes()
    path.write_bytes(good.replace(b"5432", b"5433", 1))
    check = subprocess.run([*command, "--check"], capture_output=True, text=True, check=False)
    assert check.returncode == 1
    assert f"{path} is not what the API types say" in check.stdout
    subprocess.run(command, check=True, capture_output=True)
    assert path.read_bytes() == good


def test_no_stray_file_lies_among_the_generated_ones() -> None:
    assert {path.stem for path in (ROOT / "crds").glob("*.yaml")} == set(definitions())
    chart = ROOT / "charts" / "tollhouse" / "files" / "crds"
    assert {path.stem for path in chart.glob("*.yaml")} == set(definitions())
    assert {path.stem for path in (ROOT / "docs" / "reference").glob("*.md")} == {
        "README",
        *(resource.kind.lower() for resource in RESOURCES),
    }


def test_the_committed_yaml_reads_as_the_definitions() -> None:
    for name, made in definitions().items():
        assert yaml.safe_load((ROOT / "crds" / f"{name}.yaml").read_text(encoding="utf-8")) == made


@EACH
def test_every_field_says_what_it_means(resource: Resource) -> None:
    for path, node in nodes(schema(resource), resource.kind):
        if path.endswith("[]") and node.get("type") != "object":
            continue
        if path != f"{resource.kind}.metadata":
            assert len(node.get("description", "")) > 3, path
            assert node["description"].endswith((".", ")")), path


@EACH
def test_every_default_and_choice_is_told_in_words(resource: Resource) -> None:
    for path, node in nodes(schema(resource), resource.kind):
        text = node.get("description", "")
        if "default" in node:
            assert "efault" in text, path
        if path.endswith("[]"):
            continue
        choices = node.get("enum") or node.get("items", {}).get("enum", ())
        for word in choices:
            assert word in text, path


@EACH
def test_optional_fields_of_a_spec_say_what_their_absence_means(resource: Resource) -> None:
    for path, node in nodes(schema(resource), resource.kind):
        if not path.startswith(f"{resource.kind}.spec"):
            continue
        alternatives = {
            field for rule in node.get("x-kubernetes-validations", ()) for field in fields_of(rule)
        }
        alternatives |= {name for option in node.get("anyOf", ()) for name in option.get("required", ())}
        for name, child in node.get("properties", {}).items():
            if name in node.get("required", ()) or name in alternatives:
                continue
            text = child["description"]
            assert "Absent" in text or "efault" in text, f"{path}.{name}"


def fields_of(rule: dict[str, str]) -> set[str]:
    """The fields a rule on their presence speaks of."""
    return {part.partition(")")[0].strip("_") for part in rule["rule"].split("has(self.")[1:]}


@EACH
def test_a_schema_is_structural_and_bounded(resource: Resource) -> None:
    for path, node in nodes(schema(resource), resource.kind):
        assert set(node) <= KEYWORDS, path
        untyped = "x-kubernetes-preserve-unknown-fields" in node or "x-kubernetes-int-or-string" in node
        assert "type" in node or untyped, path
        if node.get("type") == "array":
            assert "maxItems" in node, path
        if node.get("type") == "string" and path.startswith(f"{resource.kind}.spec"):
            assert {"maxLength", "enum", "format"} & set(node), path
        if "additionalProperties" in node:
            assert "maxProperties" in node, path


@EACH
def test_a_kind_has_its_short_name_category_and_status(resource: Resource) -> None:
    made = definition(resource)["spec"]
    assert made["names"]["categories"] == ["tollhouse"]
    assert len(made["names"]["shortNames"]) == 1
    assert made["versions"][0]["subresources"] == {"status": {}}
    assert made["scope"] == (
        "Cluster" if resource.kind in {"IdentityProvider", "ClusterRevocation"} else "Namespaced"
    )


def columns(kind: str) -> list[str]:
    resource = next(resource for resource in RESOURCES if resource.kind == kind)
    return [column.name.upper() for column in resource.columns if column.priority == 0]


def test_the_columns_are_those_the_documents_promise() -> None:
    assert columns("Connection") == ["PROTOCOL", "ENDPOINT", "READY", "POLICIES", "CURRENT", "AGE"]
    promised = ["CONNECTION", "REQUESTER", "OPERATION", "PHASE", "VOTES", "EXPIRES", "AGE"]
    assert columns("ApprovalRequest") == promised


def test_the_reference_has_a_page_for_every_kind_and_every_field() -> None:
    made = pages({resource.kind: "example" for resource in RESOURCES})
    for resource in RESOURCES:
        page = made[resource.kind.lower()]
        for path, node in nodes(schema(resource)["properties"]["spec"], "spec"):
            if node.get("properties"):
                assert f"## {path.replace('.NAME', '')}" in page or "Fields as in" in page
        assert f"]({resource.kind.lower()}.md)" in made["README"]

"""The folder's YAML files as documents that know the line they are on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tollhouse_core.api import API_OBJECTS
from tollhouse_core.api.meta import DEFAULT_NAMESPACE
from tollhouse_operator.standalone.layout import PEOPLE

LARGEST_FILE_BYTES = 4 * 1024 * 1024
CLUSTER_KINDS = frozenset(kind for kind, model in API_OBJECTS.items() if model.scope == "Cluster")
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong, and where: a file, and the line people should look at (from 1)."""

    path: Path
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document of a file."""

    path: Path
    line: int
    data: Mapping[str, Any]
    node: yaml.Node = field(repr=False, compare=False)

    @property
    def kind(self) -> str:
        """Its `kind`; "" where it has none."""
        kind = self.data.get("kind")
        return kind if isinstance(kind, str) else ""

    @property
    def title(self) -> str:
        """Its name as problems give it: `AccessPolicy shop/support-agents`."""
        where = "" if self.kind in CLUSTER_KINDS else f"{self.namespace}/"
        return f"{self.kind} {where}{self.name}"

    @property
    def name(self) -> str:
        """metadata.name; "" where there is none."""
        return self._metadata("name")

    @property
    def namespace(self) -> str:
        """metadata.namespace, `default` where there is none."""
        return self._metadata("namespace") or DEFAULT_NAMESPACE

    def _metadata(self, field_name: str) -> str:
        metadata = self.data.get("metadata")
        value = metadata.get(field_name) if isinstance(metadata, Mapping) else None
        return value if isinstance(value, str) else ""

    def complain(self, message: str, path: str = "") -> Complaint:
        """A complaint at the line of a field (`spec.rules[3].when`), or as near as there is one."""
        where = f"{path}: " if path else ""
        return Complaint(self.path, line_of(self.node, path), f"{self.title}: {where}{message}")


@dataclass(frozen=True, slots=True)
class Files:
    """What a folder holds. `unreadable`: some file is no YAML, so that objects may be missing."""

    documents: tuple[Document, ...] = ()
    complaints: tuple[Complaint, ...] = ()
    unreadable: bool = False


def read_folder(folder: Path) -> Files:
    """Reads every *.yaml and *.yml of the folder itself, in order of name. Never raises for what
    people wrote; a folder that is missing has no files."""
    documents: list[Document] = []
    complaints: list[Complaint] = []
    for path in yaml_files(folder):
        try:
            documents += _read_file(path)
        except _Unreadable as error:
            complaints.append(error.complaint)
    return Files(tuple(documents), tuple(complaints), bool(complaints))


def yaml_files(folder: Path) -> list[Path]:
    """The files that hold objects."""
    found = [path for pattern in ("*.yaml", "*.yml") for path in folder.glob(pattern)]
    return sorted(path for path in found if path.name != PEOPLE and not path.name.startswith("."))


def line_of(node: yaml.Node, path: str) -> int:
    """The line (from 1) of the field at `path`, or of the nearest that is there."""
    line: int = node.start_mark.line + 1
    for name, index in _STEP.findall(path):
        found = _item(node, int(index)) if index else _member(node, name)
        if found is None:
            return line
        line, node = found
    return line


class _Unreadable(Exception):
    def __init__(self, path: Path, line: int, message: str) -> None:
        super().__init__(message)
        self.complaint = Complaint(path, line, message)


def _read_file(path: Path) -> list[Document]:
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise _Unreadable(path, 1, f"expected at most {LARGEST_FILE_BYTES} bytes")
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise _Unreadable(path, 1, f"cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise _Unreadable(
            path, 1, f"expected UTF-8 text, found other bytes at offset {error.start}"
        ) from error
    try:
        return list(_documents(path, text))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = f"expected YAML: {error.problem or error.context}"
        raise _Unreadable(path, mark.line + 1 if mark else 1, message) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _Unreadable(path, 1, f"expected YAML: {str(error).splitlines()[0][:200]}") from error


def _documents(path: Path, text: str) -> Iterator[Document]:
    loader = yaml.SafeLoader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            assert node is not None
            _refuse_duplicates(path, node)
            data = loader.construct_document(node)
            if data is None:
                continue
            line = node.start_mark.line + 1
            if not isinstance(data, Mapping):
                raise _Unreadable(path, line, "expected an object (apiVersion, kind, metadata, spec)")
            yield Document(path, line, data, node)
    finally:
        loader.dispose()


def _refuse_duplicates(path: Path, node: yaml.Node) -> None:
    """YAML parsers take the last of two equal names; a rule that vanishes so must not."""
    waiting = [node]
    met: set[int] = set()
    while waiting:
        current = waiting.pop()
        if id(current) in met:
            continue
        met.add(id(current))
        if isinstance(current, yaml.SequenceNode):
            waiting += current.value
        if not isinstance(current, yaml.MappingNode):
            continue
        seen: set[str] = set()
        for key, value in current.value:
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                if key.value in seen:
                    line = key.start_mark.line + 1
                    raise _Unreadable(path, line, f"the field {key.value!r} stands here twice")
                seen.add(key.value)
            waiting.append(value)


def _member(node: yaml.Node, name: str) -> tuple[int, yaml.Node] | None:
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        if isinstance(key, yaml.ScalarNode) and key.value == name:
            return key.start_mark.line + 1, value
    return None


def _item(node: yaml.Node, index: int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.SequenceNode) and index < len(node.value):
        value = node.value[index]
        return value.start_mark.line + 1, value
    return None

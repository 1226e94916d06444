"""Documents to models and back."""

from __future__ import annotations

import json
import math
import reprlib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from pydantic import ValidationError

from tollhouse_core.api.access_policy import AccessPolicy
from tollhouse_core.api.approval_request import ApprovalRequest
from tollhouse_core.api.audit_sink import AuditSink
from tollhouse_core.api.complaints import closest, explain
from tollhouse_core.api.connection import Connection
from tollhouse_core.api.identity_provider import IdentityProvider
from tollhouse_core.api.meta import API_VERSION, DEFAULT_NAMESPACE
from tollhouse_core.api.problems import InvalidObject, Problem
from tollhouse_core.api.shape import ApiModel

AnyObject = Connection | AccessPolicy | ApprovalRequest | IdentityProvider | AuditSink

API_OBJECTS: Mapping[str, type[AnyObject]] = {
    "Connection": Connection,
    "AccessPolicy": AccessPolicy,
    "ApprovalRequest": ApprovalRequest,
    "IdentityProvider": IdentityProvider,
    "AuditSink": AuditSink,
}
"""Every kind of `tollhouse.dev/v1alpha1`, by its name."""

DEEPEST = 64
LARGEST = 200_000
Model = TypeVar("Model", bound=ApiModel)


def parse_object(document: Mapping[str, Any]) -> AnyObject:
    """The object a document holds (as read from YAML or JSON). Raises InvalidObject."""
    if not isinstance(document, Mapping):
        raise InvalidObject([Problem("", f"expected an object (a mapping), found {_sort(document)}")])
    kind = document.get("kind")
    problem = _kind_problem(document.get("apiVersion"), kind)
    if problem or not isinstance(kind, str):
        raise InvalidObject([problem or Problem("kind", "expected text")])
    model = API_OBJECTS[kind]
    parsed: AnyObject = _parse(model, document, _title(model, document))
    if not parsed.metadata.name and not parsed.metadata.generate_name:
        raise InvalidObject([Problem("metadata.name", "required, but missing", parsed.title)])
    return parsed


def parse_part(model: type[Model], document: Mapping[str, Any], title: str = "") -> Model:
    """A part of an object, a spec for one. Raises InvalidObject, paths relative to the part."""
    return _parse(model, document, title)


def to_document(model: ApiModel) -> dict[str, Any]:
    """The document of a model: plain JSON values, camelCase, nothing that is absent.

    Defaults are written out. A status that says nothing is left out.
    """
    document: dict[str, Any] = model.model_dump(mode="json", by_alias=True)
    if isinstance(model, Connection | AccessPolicy | ApprovalRequest | IdentityProvider | AuditSink):
        untouched = type(model).model_fields["status"].default
        if model.status == untouched:
            document.pop("status", None)
    return document


def _parse(model: type[Model], document: Mapping[str, Any], title: str) -> Model:
    try:
        text = json.dumps(_Plain().read(document, 0), allow_nan=False)
    except ValueError as error:
        raise InvalidObject([Problem("", str(error), title)]) from None
    try:
        # From JSON and strict: "5432" is no number and 1 is no text, as in Kubernetes.
        return model.model_validate_json(text, strict=True)
    except ValidationError as error:
        raise InvalidObject(explain(model, error, title)) from None


def _kind_problem(version: object, kind: object) -> Problem | None:
    if version is None:
        return Problem("apiVersion", f"required, but missing; write {API_VERSION}")
    if version != API_VERSION:
        return Problem("apiVersion", f"expected {API_VERSION}, found {_shown(version)}")
    if kind is None:
        return Problem("kind", f"required, but missing; expected one of {', '.join(API_OBJECTS)}")
    if not isinstance(kind, str) or kind not in API_OBJECTS:
        hint = closest(str(kind), API_OBJECTS)
        ask = f"; did you mean {hint}?" if hint else ""
        return Problem("kind", f"expected one of {', '.join(API_OBJECTS)}; found {_shown(kind)}{ask}")
    return None


def _title(model: type[AnyObject], document: Mapping[str, Any]) -> str:
    metadata = document.get("metadata")
    known = metadata if isinstance(metadata, Mapping) else {}
    name = _word(known.get("name")) or _word(known.get("generateName")) or "(without a name)"
    where = "" if model.scope == "Cluster" else f"{_word(known.get('namespace')) or DEFAULT_NAMESPACE}/"
    return f"{document['kind']} {where}{name}"


def _word(value: object) -> str:
    """A name as it is shown before it is known to be a good one."""
    return ascii(value[:253])[1:-1] if isinstance(value, str) else ""


class _Plain:
    """The same in JSON's own types. YAML knows dates; JSON and Kubernetes write them as text.

    Counts what it reads: a few lines of YAML with anchors can stand for billions.
    """

    def __init__(self) -> None:
        self._left = LARGEST

    def read(self, value: object, depth: int) -> object:
        """Raises ValueError with words for people."""
        self._left -= 1
        if depth > DEEPEST or self._left < 0:
            raise ValueError(f"expected at most {LARGEST} values, nested no deeper than {DEEPEST} levels")
        match value:
            case Mapping():
                return {_field_name(key): self.read(item, depth + 1) for key, item in value.items()}
            case list() | tuple():
                return [self.read(item, depth + 1) for item in value]
            case datetime():
                return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
            case date():
                return value.isoformat()
            case float() if not math.isfinite(value):
                raise ValueError(f"expected a finite number, found {value}")
            case int() if not -(2**63) <= value < 2**63:
                raise ValueError("expected a number that fits in 64 bits, found a larger one")
            case None | bool() | int() | float() | str():
                return value
            case _:
                raise ValueError(f"expected plain YAML or JSON values, found {_sort(value)}")


def _field_name(key: object) -> str:
    if isinstance(key, str):
        return key
    raise ValueError(f"expected text as a field's name, found {_shown(key)}; put it in quotes")


def _sort(value: object) -> str:
    return {list: "a list", str: "text", type(None): "nothing"}.get(type(value), type(value).__name__)


def _shown(value: object) -> str:
    # Not plain repr: nested anchors of YAML would be written out in full.
    return reprlib.repr(value).encode("ascii", "backslashreplace").decode()

"""Documents to models and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from tollhouse_core.api.access_policy import AccessPolicy
from tollhouse_core.api.approval_request import ApprovalRequest
from tollhouse_core.api.audit_sink import AuditSink
from tollhouse_core.api.complaints import closest, explain
from tollhouse_core.api.connection import Connection
from tollhouse_core.api.identity_provider import IdentityProvider
from tollhouse_core.api.meta import API_VERSION, DEFAULT_NAMESPACE
from tollhouse_core.api.plain import json_text, shown, sort_of
from tollhouse_core.api.problems import InvalidObject, Problem
from tollhouse_core.api.revocation import ClusterRevocation, Revocation
from tollhouse_core.api.shape import ApiModel

AnyObject = (
    Connection
    | AccessPolicy
    | ApprovalRequest
    | IdentityProvider
    | AuditSink
    | Revocation
    | ClusterRevocation
)

API_OBJECTS: Mapping[str, type[AnyObject]] = {
    "Connection": Connection,
    "AccessPolicy": AccessPolicy,
    "ApprovalRequest": ApprovalRequest,
    "IdentityProvider": IdentityProvider,
    "AuditSink": AuditSink,
    "Revocation": Revocation,
    "ClusterRevocation": ClusterRevocation,
}
"""Every kind of `tollhouse.dev/v1alpha1`, by its name."""

Model = TypeVar("Model", bound=ApiModel)


def parse_object(document: Mapping[str, Any]) -> AnyObject:
    """The object a document holds (as read from YAML or JSON). Raises InvalidObject."""
    if not isinstance(document, Mapping):
        raise InvalidObject([Problem("", f"expected an object (a mapping), found {sort_of(document)}")])
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
    if isinstance(model, AnyObject):
        untouched = type(model).model_fields["status"].default
        if model.status == untouched:
            document.pop("status", None)
    return document


def _parse(model: type[Model], document: Mapping[str, Any], title: str) -> Model:
    text = json_text(document, title)
    try:
        # From JSON and strict: "5432" is no number and 1 is no text, as in Kubernetes.
        return model.model_validate_json(text, strict=True)
    except ValidationError as error:
        raise InvalidObject(explain(model, error, title)) from None


def _kind_problem(version: object, kind: object) -> Problem | None:
    if version is None:
        return Problem("apiVersion", f"required, but missing; write {API_VERSION}")
    if version != API_VERSION:
        return Problem("apiVersion", f"expected {API_VERSION}, found {shown(version)}")
    if kind is None:
        return Problem("kind", f"required, but missing; expected one of {', '.join(API_OBJECTS)}")
    if not isinstance(kind, str) or kind not in API_OBJECTS:
        hint = closest(kind, API_OBJECTS) if isinstance(kind, str) else ""
        ask = f"; did you mean {hint}?" if hint else ""
        return Problem("kind", f"expected one of {', '.join(API_OBJECTS)}; found {shown(kind)}{ask}")
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

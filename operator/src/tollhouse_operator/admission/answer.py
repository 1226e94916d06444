"""AdmissionReview (admission.k8s.io/v1), as far as it is needed."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_MESSAGE_LIMIT = 4096


class BadReview(Exception):
    """The body is no AdmissionReview."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the API server asks. `new` and `old` are None where the operation has none."""

    uid: str
    operation: str
    kind: str
    sub_resource: str
    namespace: str
    name: str
    user: str
    groups: tuple[str, ...]
    new: Mapping[str, Any] | None
    old: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Answer:
    """Yes or no; `patch` holds JSON patch operations (RFC 6902) for a yes that changes the object."""

    allowed: bool
    message: str = ""
    patch: tuple[Mapping[str, Any], ...] = ()
    warnings: Sequence[str] = ()


ALLOWED = Answer(True)


def read_review(body: bytes) -> Request:
    """Raises BadReview."""
    try:
        request = json.loads(body)["request"]
        user = request["userInfo"]
        return Request(
            uid=str(request["uid"]),
            operation=str(request["operation"]),
            kind=str(request["kind"]["kind"]),
            sub_resource=str(request.get("subResource") or ""),
            namespace=str(request.get("namespace") or ""),
            name=str(request.get("name") or ""),
            user=str(user["username"]),
            groups=tuple(str(group) for group in user.get("groups") or ()),
            new=request.get("object"),
            old=request.get("oldObject"),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise BadReview("expected an AdmissionReview of admission.k8s.io/v1") from error


def write_review(uid: str, answer: Answer) -> dict[str, Any]:
    """The AdmissionReview to answer with."""
    response: dict[str, Any] = {"uid": uid, "allowed": answer.allowed}
    if not answer.allowed:
        response["status"] = {
            "status": "Failure",
            "reason": "Forbidden",
            "code": 403,
            "message": answer.message[:_MESSAGE_LIMIT],
        }
    if answer.patch:
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(json.dumps(list(answer.patch)).encode()).decode()
    if answer.warnings:
        response["warnings"] = list(answer.warnings)
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}

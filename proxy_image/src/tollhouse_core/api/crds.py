"""CustomResourceDefinitions, made from the models.

`crds/generate.py` writes them down; nothing here knows YAML.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tollhouse_core.api.access_policy import AccessPolicy
from tollhouse_core.api.approval_request import ApprovalRequest
from tollhouse_core.api.audit_sink import AuditSink
from tollhouse_core.api.connection import Connection
from tollhouse_core.api.identity_provider import IdentityProvider
from tollhouse_core.api.meta import GROUP, VERSION, ApiObject
from tollhouse_core.api.revocation import ClusterRevocation, Revocation
from tollhouse_core.api.structural import Schema, structural_schema

CATEGORY = "tollhouse"


@dataclass(frozen=True, slots=True)
class Column:
    """What `kubectl get` shows. Columns of a priority above 0 come with `-o wide` only."""

    name: str
    path: str
    type: str = "string"
    priority: int = 0
    description: str = ""

    @property
    def document(self) -> dict[str, Any]:
        """As a CRD writes it."""
        wide = {"priority": self.priority} if self.priority else {}
        described = {"description": self.description} if self.description else {}
        return {"name": self.name, "type": self.type, **described, **wide, "jsonPath": self.path}


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind as the API server serves it."""

    model: type[ApiObject]
    plural: str
    short_names: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def kind(self) -> str:
        """The kind's name."""
        return self.model.__name__


READY = Column("Ready", '.status.conditions[?(@.type=="Ready")].status')
WHY = Column("Reason", '.status.conditions[?(@.type=="Ready")].reason', priority=1)
AGE = Column("Age", ".metadata.creationTimestamp", "date")

REVOKED = (
    Column("Why", ".spec.reason"),
    # Not a date: kubectl shows those as an age, and this one is in the future.
    Column("Expires", ".spec.expiresAt"),
    READY,
    WHY,
    AGE,
)

RESOURCES = (
    Resource(
        Connection,
        "connections",
        ("conn",),
        (
            Column("Protocol", ".status.protocol"),
            Column("Endpoint", ".status.endpoint"),
            READY,
            Column("Policies", ".status.policies", "integer"),
            Column(
                "Current",
                ".status.proxies.current",
                "integer",
                description="How many proxies run the policies in force.",
            ),
            Column("Proxies", ".status.proxies.ready", "integer", priority=1),
            Column("Revision", ".status.revision", priority=1),
            WHY,
            AGE,
        ),
    ),
    Resource(
        AccessPolicy,
        "accesspolicies",
        ("apol",),
        (
            Column("Connections", ".status.connections", "integer"),
            Column("Rules", ".status.rules", "integer"),
            READY,
            WHY,
            AGE,
        ),
    ),
    Resource(
        ApprovalRequest,
        "approvalrequests",
        ("appr",),
        (
            Column("Connection", ".spec.connection"),
            Column("Requester", ".spec.requester.name"),
            Column("Operation", ".spec.operation.summary"),
            Column("Phase", ".status.phase"),
            Column("Votes", ".status.votes"),
            # Not a date: kubectl shows those as an age, and this one is in the future.
            Column("Expires", ".spec.expiresAt"),
            Column("Policy", ".spec.policy.name", priority=1),
            Column("Rule", ".spec.policy.rule", priority=1),
            AGE,
        ),
    ),
    Resource(
        IdentityProvider,
        "identityproviders",
        ("idp",),
        (Column("Issuer", ".spec.oidc.issuer"), READY, WHY, AGE),
    ),
    Resource(AuditSink, "auditsinks", ("sink",), (READY, WHY, AGE)),
    Resource(Revocation, "revocations", ("revo",), REVOKED),
    Resource(ClusterRevocation, "clusterrevocations", ("crevo",), REVOKED),
)


def definitions() -> dict[str, Schema]:
    """Every CRD, by the name of the file it belongs in (without an extension)."""
    return {f"{GROUP}_{resource.plural}": definition(resource) for resource in RESOURCES}


def definition(resource: Resource) -> Schema:
    """The CustomResourceDefinition of one kind."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": resource.model.scope,
            "names": {
                "kind": resource.kind,
                "listKind": f"{resource.kind}List",
                "plural": resource.plural,
                "singular": resource.kind.lower(),
                "shortNames": list(resource.short_names),
                "categories": [CATEGORY],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [column.document for column in resource.columns],
                    "schema": {"openAPIV3Schema": object_schema(resource.model)},
                }
            ],
        },
    }


def object_schema(model: type[ApiObject]) -> Schema:
    """The schema of a whole object, metadata left to Kubernetes."""
    schema = structural_schema(model)
    schema["properties"] = {
        "apiVersion": {"description": "Always tollhouse.dev/v1alpha1.", "type": "string"},
        "kind": {"description": f"Always {model.__name__}.", "type": "string"},
        "metadata": {"type": "object"},
        "spec": schema["properties"]["spec"],
        "status": _without_defaults(schema["properties"]["status"]),
    }
    schema["required"] = ["spec"]
    return schema


def _without_defaults(schema: Schema) -> Schema:
    """A status says what was observed: nothing appears in it by itself."""
    inner: dict[str, Any] = {key: value for key, value in schema.items() if key != "default"}
    for key in ("items", "additionalProperties"):
        if key in inner:
            inner[key] = _without_defaults(inner[key])
    if "properties" in inner:
        inner["properties"] = {name: _without_defaults(child) for name, child in inner["properties"].items()}
    return inner

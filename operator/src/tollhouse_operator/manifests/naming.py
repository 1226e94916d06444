"""Names, labels and owners of what belongs to a Connection. Every module takes them from here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tollhouse_core.api.connection import Connection

FIELD_MANAGER = "tollhouse-operator"
MANAGED_BY = "app.kubernetes.io/managed-by"
CONNECTION_LABEL = "tollhouse.dev/connection"
COMPONENT_LABEL = "app.kubernetes.io/component"
REVISION_ANNOTATION = "tollhouse.dev/revision"
TEMPLATE_ANNOTATION = "tollhouse.dev/template-hash"
SINKS_ANNOTATION = "tollhouse.dev/audit-sinks"

USUAL_PORTS = {
    "postgres": 5432,
    "mysql": 3306,
    "mongodb": 27017,
    "ssh": 22,
    "kubernetes": 443,
    "http": 443,
    "mcp": 443,
}
"""Where clients of a protocol knock if nothing else is said."""

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Names:
    """What the objects of the Connection `connection` in `namespace` are called."""

    namespace: str
    connection: str

    @property
    def proxy(self) -> str:
        """ServiceAccount, Role, RoleBinding, Deployment, NetworkPolicy, PodDisruptionBudget."""
        return f"{self.connection}-proxy"

    @property
    def service(self) -> str:
        """The Service that agents connect to."""
        return self.connection

    @property
    def bundle(self) -> str:
        """The ConfigMap with the compiled policies."""
        return f"{self.connection}-bundle"

    @property
    def reports(self) -> str:
        """The ConfigMap in which proxies leave their reports."""
        return f"{self.connection}-proxies"

    @property
    def authority(self) -> str:
        """The ConfigMap with the certificate authority that agents verify the proxy by."""
        return f"{self.connection}-ca"

    @property
    def serving_certificate(self) -> str:
        """The Secret with the certificate that the operator makes."""
        return f"{self.connection}-tls"

    @property
    def audit_key(self) -> str:
        """The Secret with the key that signs the heads of audit chains."""
        return f"{self.connection}-audit-key"

    @property
    def mask_key(self) -> str:
        """The Secret with the key of token masks."""
        return f"{self.connection}-mask-key"

    @property
    def dns(self) -> tuple[str, ...]:
        """The names under which agents may reach the Service."""
        return (
            self.service,
            f"{self.service}.{self.namespace}",
            f"{self.service}.{self.namespace}.svc",
            f"{self.service}.{self.namespace}.svc.cluster.local",
        )


def names_of(connection: Connection) -> Names:
    """The names of everything `connection` owns."""
    return Names(namespace=connection.namespace, connection=connection.name)


def client_port(connection: Connection) -> int:
    """The port clients connect to: the Connection's own word, else the protocol's usual one."""
    return connection.spec.proxy.port or USUAL_PORTS[connection.protocol]


def selector_labels(names: Names) -> dict[str, str]:
    """What selects the proxies' pods; never changes for a Connection."""
    return {CONNECTION_LABEL: names.connection, COMPONENT_LABEL: "proxy"}


def labels_of(names: Names) -> dict[str, str]:
    """What every owned object carries; the operator watches by `managed-by`."""
    return {
        **selector_labels(names),
        MANAGED_BY: FIELD_MANAGER,
        "app.kubernetes.io/name": "tollhouse-proxy",
        "app.kubernetes.io/instance": names.connection,
        "app.kubernetes.io/part-of": "tollhouse",
    }


def owner_reference(connection: Connection) -> dict[str, object]:
    """Deleting the Connection takes everything it owns away."""
    return {
        "apiVersion": connection.api_version,
        "kind": connection.kind,
        "name": connection.metadata.name,
        "uid": connection.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def metadata_of(
    connection: Connection, name: str, annotations: Mapping[str, str] | None = None
) -> dict[str, object]:
    """The metadata of an owned object called `name`."""
    names = names_of(connection)
    metadata: dict[str, object] = {
        "name": name,
        "namespace": names.namespace,
        "labels": labels_of(names),
        "ownerReferences": [owner_reference(connection)],
    }
    if annotations:
        metadata["annotations"] = dict(annotations)
    return metadata

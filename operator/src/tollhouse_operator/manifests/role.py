"""What a Connection's proxies may do with the API server: exactly what they need, by name."""

from __future__ import annotations

from collections.abc import Sequence

from tollhouse_core.api.connection import Connection
from tollhouse_operator.manifests.naming import Manifest, metadata_of, names_of

API_GROUP = "tollhouse.dev"


def role(connection: Connection, secret_names: Sequence[str]) -> Manifest:
    """`secret_names`: the Secrets the Connection (and the sinks it names) refers to."""
    names = names_of(connection)
    rules: list[dict[str, object]] = [
        _named("configmaps", [names.bundle], ["get", "watch"]),
        _named("configmaps", [names.reports], ["get", "patch"]),
        {
            "apiGroups": [API_GROUP],
            "resources": ["approvalrequests"],
            "verbs": ["create", "get", "list", "watch"],
        },
        {"apiGroups": [API_GROUP], "resources": ["approvalrequests/status"], "verbs": ["patch"]},
    ]
    if secret_names:
        rules.append(_named("secrets", sorted(set(secret_names)), ["get"]))
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": metadata_of(connection, names.proxy),
        "rules": rules,
    }


def role_binding(connection: Connection) -> Manifest:
    """Gives the Role to the proxies' ServiceAccount and to nobody else."""
    names = names_of(connection)
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": metadata_of(connection, names.proxy),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": names.proxy},
        "subjects": [{"kind": "ServiceAccount", "name": names.proxy, "namespace": names.namespace}],
    }


def _named(resource: str, objects: Sequence[str], verbs: Sequence[str]) -> dict[str, object]:
    # An empty resourceNames would mean every object there is.
    assert objects
    return {
        "apiGroups": [""],
        "resources": [resource],
        "resourceNames": list(objects),
        "verbs": list(verbs),
    }

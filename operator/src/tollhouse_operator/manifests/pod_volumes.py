"""The volumes of a proxy's pod and where they are mounted."""

from __future__ import annotations

from typing import Any

from tollhouse_core.api.connection import Connection
from tollhouse_core.api.credentials import pod_token_audience, pod_token_file
from tollhouse_operator.manifests.naming import Names
from tollhouse_operator.manifests.proxy_environment import (
    AUDIT_DIR,
    AUDIT_KEY_DIR,
    MASK_KEY_DIR,
    STATE_DIR,
    TLS_DIR,
    TOKEN_DIR,
)

TOKEN_SECONDS = 3600
_READABLE_BY_GROUP = 0o440


def volumes_of(connection: Connection, names: Names) -> list[dict[str, Any]]:
    """Certificate and keys are read-only files; only the audit, what must outlive a container, and /tmp
    can be written."""
    return [
        _secret("tls", serving_secret(connection, names)),
        _secret("audit-key", names.audit_key),
        _secret("mask-key", names.mask_key),
        {"name": "audit", "emptyDir": {"sizeLimit": "1Gi"}},
        {"name": "state", "emptyDir": {"sizeLimit": "16Mi"}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
        {
            "name": "token",
            "projected": {
                "defaultMode": _READABLE_BY_GROUP,
                "sources": [{"serviceAccountToken": token} for token in _tokens(connection)],
            },
        },
    ]


def mounts_of(connection: Connection) -> list[dict[str, Any]]:
    """Where the volumes are."""
    return [
        {"name": "tls", "mountPath": TLS_DIR, "readOnly": True},
        {"name": "audit-key", "mountPath": AUDIT_KEY_DIR, "readOnly": True},
        {"name": "mask-key", "mountPath": MASK_KEY_DIR, "readOnly": True},
        {"name": "audit", "mountPath": AUDIT_DIR},
        {"name": "state", "mountPath": STATE_DIR},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - an emptyDir of the pod's own
        {"name": "token", "mountPath": TOKEN_DIR, "readOnly": True},
    ]


def serving_secret(connection: Connection, names: Names) -> str:
    """The Secret with tls.crt and tls.key: the user's if the Connection names one, else ours."""
    given = own_certificate(connection)
    return given if given is not None else names.serving_certificate


def own_certificate(connection: Connection) -> str | None:
    """The Secret that `spec.proxy.tls.secretRef` names, if it does."""
    tls = connection.spec.proxy.tls
    return tls.secret_ref.name if tls.secret_ref is not None else None


def _secret(name: str, secret: str) -> dict[str, Any]:
    return {"name": name, "secret": {"secretName": secret, "defaultMode": _READABLE_BY_GROUP}}


def _tokens(connection: Connection) -> list[dict[str, Any]]:
    """The pod's own tokens: one for each audience that the Connection's Vault roles demand, and the
    plain one, which is what Vault asks the API server about for a role without an audience."""
    postgres = connection.spec.postgres
    roles = postgres.roles.values() if postgres is not None else ()
    stronger = connection.spec.approval_credentials.values()
    blocks = [connection.spec.credentials, *(role.credentials for role in roles), *stronger]
    audiences = {pod_token_audience(block) for block in blocks}
    tokens: list[dict[str, Any]] = [{"path": pod_token_file(None), "expirationSeconds": TOKEN_SECONDS}]
    for audience in sorted(audience for audience in audiences if audience is not None):
        path = pod_token_file(audience)
        tokens.append({"path": path, "expirationSeconds": TOKEN_SECONDS, "audience": audience})
    return tokens

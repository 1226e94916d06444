"""The environment of a proxy's container: the names are those of `tollhouse_proxy.settings`."""

from __future__ import annotations

from tollhouse_core.api.connection import Connection
from tollhouse_operator.manifests.naming import client_port, names_of
from tollhouse_operator.proxy_settings import ProxySettings

HEALTH_PORT = 9090
TLS_DIR = "/etc/tollhouse/tls"
AUDIT_DIR = "/var/lib/tollhouse/audit"
STATE_DIR = "/var/lib/tollhouse/state"
AUDIT_KEY_DIR = "/etc/tollhouse/audit-key"
MASK_KEY_DIR = "/etc/tollhouse/mask-key"
TOKEN_DIR = "/var/run/secrets/tollhouse/token"  # noqa: S105 - a folder
_PRIVILEGED_BELOW = 1024
_MOVED_BY = 10000


def container_port(connection: Connection) -> int:
    """The port inside the pod. A process without privileges cannot listen below 1024 everywhere."""
    port = client_port(connection)
    return port if port >= _PRIVILEGED_BELOW else port + _MOVED_BY


def environment_of(connection: Connection, settings: ProxySettings) -> list[dict[str, object]]:
    """Environment entries. Nothing secret is among them."""
    names = names_of(connection)
    values = {
        "TOLLHOUSE_STORE": "kubernetes",
        "TOLLHOUSE_NAMESPACE": names.namespace,
        "TOLLHOUSE_CONNECTION": names.connection,
        "TOLLHOUSE_LISTEN": f"0.0.0.0:{container_port(connection)}",
        "TOLLHOUSE_HEALTH": f"0.0.0.0:{HEALTH_PORT}",
        "TOLLHOUSE_TLS_DIR": TLS_DIR,
        "TOLLHOUSE_AUDIT_FILE": f"{AUDIT_DIR}/audit.jsonl",
        "TOLLHOUSE_AUDIT_SPOOL": f"{AUDIT_DIR}/spool",
        "TOLLHOUSE_ACCESSORS": f"{STATE_DIR}/accessors",
        "TOLLHOUSE_AUDIT_KEY_FILE": f"{AUDIT_KEY_DIR}/key.pem",
        "TOLLHOUSE_MASK_KEY_FILE": f"{MASK_KEY_DIR}/key",
        "TOLLHOUSE_TOKEN_FILE": f"{TOKEN_DIR}/token",
        "TOLLHOUSE_DRAIN_SECONDS": str(settings.drain_seconds),
    }
    instance: dict[str, object] = {
        "name": "TOLLHOUSE_INSTANCE",
        "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}},
    }
    plain: list[dict[str, object]] = [{"name": name, "value": value} for name, value in values.items()]
    return [*plain, instance]

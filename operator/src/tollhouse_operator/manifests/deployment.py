"""The Deployment of a Connection's proxies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from tollhouse_core.api.audit_sink import AuditSinkSpec
from tollhouse_core.api.connection import Connection
from tollhouse_operator.manifests.naming import (
    SINKS_ANNOTATION,
    TEMPLATE_ANNOTATION,
    Manifest,
    Names,
    labels_of,
    metadata_of,
    names_of,
    selector_labels,
)
from tollhouse_operator.manifests.pod_volumes import mounts_of, volumes_of
from tollhouse_operator.manifests.proxy_environment import HEALTH_PORT, container_port, environment_of
from tollhouse_operator.proxy_settings import ProxySettings

UNREADY_BEFORE_STOP_SECONDS = 3
"""Between "this pod goes" and SIGTERM: the time Services need to stop sending new clients."""
_SPARE_SECONDS = 7
DEFAULT_RESOURCES: dict[str, dict[str, str]] = {
    "requests": {"cpu": "100m", "memory": "128Mi"},
    "limits": {"memory": "512Mi"},
}


def deployment(
    connection: Connection, settings: ProxySettings, sinks: Sequence[AuditSinkSpec] = ()
) -> Manifest:
    """Pods that hold to the restricted PodSecurity standard. New pods are ready before old ones
    go; an old one drains its sessions.

    `sinks`: the specs of the Connection's AuditSinks. A proxy opens its sinks when it starts, so
    that another set of them needs other pods.
    """
    names = names_of(connection)
    template = _template(connection, names, settings)
    if sinks:
        opened = sorted(sink.model_dump_json(by_alias=True, exclude_none=True) for sink in sinks)
        sunk = hashlib.sha256("\n".join(opened).encode()).hexdigest()[:16]
        template["metadata"]["annotations"] = {SINKS_ANNOTATION: sunk}
    digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:16]
    template["metadata"]["annotations"] = {
        **template["metadata"].get("annotations", {}),
        TEMPLATE_ANNOTATION: digest,
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(HEALTH_PORT),
        "prometheus.io/path": "/metrics",
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata_of(connection, names.proxy, {TEMPLATE_ANNOTATION: digest}),
        "spec": {
            "replicas": connection.spec.proxy.replicas,
            "revisionHistoryLimit": 3,
            "selector": {"matchLabels": selector_labels(names)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": template,
        },
    }


def _template(connection: Connection, names: Names, settings: ProxySettings) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "serviceAccountName": names.proxy,
        "automountServiceAccountToken": True,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": UNREADY_BEFORE_STOP_SECONDS
        + settings.drain_seconds
        + _SPARE_SECONDS,
        "securityContext": _pod_security(settings),
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": selector_labels(names)},
            }
        ],
        "containers": [_container(connection, settings)],
        "volumes": volumes_of(connection, names),
    }
    if settings.pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in settings.pull_secrets]
    return {"metadata": {"labels": labels_of(names)}, "spec": spec}


def _container(connection: Connection, settings: ProxySettings) -> dict[str, Any]:
    return {
        "name": "proxy",
        "image": settings.image,
        "imagePullPolicy": settings.pull_policy,
        "env": environment_of(connection, settings),
        "ports": [
            {"name": "proxy", "containerPort": container_port(connection), "protocol": "TCP"},
            {"name": "health", "containerPort": HEALTH_PORT, "protocol": "TCP"},
        ],
        "resources": _resources(connection),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "startupProbe": _probe("/healthz", period=1, failures=60),
        "livenessProbe": _probe("/healthz", period=10, failures=3),
        "readinessProbe": _probe("/readyz", period=2, failures=2),
        "lifecycle": {"preStop": {"sleep": {"seconds": UNREADY_BEFORE_STOP_SECONDS}}},
        "volumeMounts": mounts_of(connection),
    }


def _pod_security(settings: ProxySettings) -> dict[str, Any]:
    context: dict[str, Any] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    if settings.user_id is not None:
        context |= {
            "runAsUser": settings.user_id,
            "runAsGroup": settings.user_id,
            "fsGroup": settings.user_id,
        }
    return context


def _probe(path: str, *, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": "health", "scheme": "HTTP"},
        "periodSeconds": period,
        "timeoutSeconds": 2,
        "failureThreshold": failures,
    }


def _resources(connection: Connection) -> dict[str, Any]:
    asked = connection.spec.proxy.resources
    if asked is None:
        return DEFAULT_RESOURCES
    kinds = {"requests": asked.requests, "limits": asked.limits}
    return {
        kind: {name: str(quantity) for name, quantity in values.items()}
        for kind, values in kinds.items()
        if values
    }

"""The table of contents: which objects are watched, and which handler hears of them."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import kopf

from tollhouse_operator.engine import Engine
from tollhouse_operator.handlers.ours import OurObjects
from tollhouse_operator.handlers.owned import OwnedObjects
from tollhouse_operator.manifests.naming import COMPONENT_LABEL, CONNECTION_LABEL, FIELD_MANAGER, MANAGED_BY
from tollhouse_operator.resources import GROUP, VERSION

OWNED = (
    ("", "v1", "serviceaccounts"),
    ("", "v1", "services"),
    ("", "v1", "configmaps"),
    ("apps", "v1", "deployments"),
    ("rbac.authorization.k8s.io", "v1", "roles"),
    ("rbac.authorization.k8s.io", "v1", "rolebindings"),
    ("networking.k8s.io", "v1", "networkpolicies"),
    ("policy", "v1", "poddisruptionbudgets"),
)
"""Watched with a label selector, so other people's objects never come here. Secrets are not
watched: the right to list them is the right to read all of them."""


async def watch_cluster(engine: Engine, ready: asyncio.Event) -> None:
    """Until SIGTERM or SIGINT, for which kopf listens. `ready` is set once everything is watched."""
    namespaces = engine.settings.watch_namespaces
    await kopf.operator(
        registry=build_registry(engine),
        settings=build_settings(),
        # Named by us: kopf would ask the system for its user, and a container's may have no name.
        identity=engine.settings.instance,  # type: ignore[arg-type]
        standalone=True,
        clusterwide=not namespaces,
        namespaces=namespaces,
        ready_flag=ready,
    )


def build_registry(engine: Engine) -> kopf.OperatorRegistry:
    """All handlers, on this engine."""
    registry = kopf.OperatorRegistry()
    ours, owned = OurObjects(engine), OwnedObjects(engine)
    for plural, handler in (
        ("connections", ours.connection),
        ("accesspolicies", ours.access_policy),
        ("identityproviders", ours.identity_provider),
        ("auditsinks", ours.audit_sink),
        ("approvalrequests", ours.approval_request),
        ("revocations", ours.revocation),
        ("clusterrevocations", ours.cluster_revocation),
    ):
        kopf.on.event(GROUP, VERSION, plural, registry=registry)(handler)
    for group, version, plural in OWNED:
        kopf.on.event(group, version, plural, registry=registry)(owned.changed)
    kopf.on.event("", "v1", "pods", registry=registry)(owned.pod)
    kopf.on.login(registry=registry)(_log_in)
    return registry


def build_settings() -> kopf.OperatorSettings:
    """kopf's own settings."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.networking.request_timeout = 30
    for group, version, plural in OWNED:
        settings.watching.label_selectors[group, version, plural] = f"{MANAGED_BY}={FIELD_MANAGER}"
    settings.watching.label_selectors["", "v1", "pods"] = f"{CONNECTION_LABEL},{COMPONENT_LABEL}=proxy"
    return settings


async def _log_in(**arguments: Any) -> kopf.ConnectionInfo | None:
    """A kubeconfig where one is named, else the pod's own account."""
    if os.environ.get("KUBECONFIG"):
        return kopf.login_with_kubeconfig(**arguments)
    return kopf.login_with_service_account(**arguments)

"""The statuses of IdentityProviders, AuditSinks and Revocations: whether they can be used as they are."""

from __future__ import annotations

from typing import Any

from tollhouse_core.api.audit_sink import AuditSink
from tollhouse_core.api.identity_provider import IdentityProvider
from tollhouse_core.api.revocation import ClusterRevocation, Revocation
from tollhouse_operator import resources
from tollhouse_operator.cluster import Resource
from tollhouse_operator.conditions import Finding, Reason
from tollhouse_operator.gather import read
from tollhouse_operator.reconcile.connection_status import invalid, write_status
from tollhouse_operator.reconcile.desk import Desk
from tollhouse_operator.statuses import listed

_ACCEPTED = (
    Finding("Ready", True, Reason.ACCEPTED, "Connections can use it"),
    Finding("Reconciling", False, Reason.UP_TO_DATE, "nothing is under way"),
    Finding("Stalled", False, Reason.UP_TO_DATE, "nothing is in the way"),
)


async def reconcile_standing(desk: Desk) -> None:
    """Raises ClusterError when the API server is away."""
    await _each(desk, resources.IDENTITY_PROVIDERS, "IdentityProvider", IdentityProvider, None)
    await _each(desk, resources.CLUSTER_REVOCATIONS, "ClusterRevocation", ClusterRevocation, None)
    for namespace in desk.settings.watch_namespaces or (None,):
        await _each(desk, resources.AUDIT_SINKS, "AuditSink", AuditSink, namespace)
        await _each(desk, resources.REVOCATIONS, "Revocation", Revocation, namespace)


async def _each(desk: Desk, resource: Resource, kind: str, model: type[Any], namespace: str | None) -> None:
    found = read(await desk.cluster.list(resource, namespace), kind, model)
    for document, _ in found.good:
        await write_status(desk, resource, document, {}, _ACCEPTED)
    for document, problems in found.bad:
        await write_status(desk, resource, document, {}, invalid(listed(problems)))

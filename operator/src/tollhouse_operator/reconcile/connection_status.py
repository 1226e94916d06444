"""The status of a Connection, from what is there and what its proxies report."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from tollhouse_core.api import InvalidObject, parse_object
from tollhouse_core.api.connection import Connection
from tollhouse_operator import resources
from tollhouse_operator.cluster import Resource
from tollhouse_operator.compiling import Key
from tollhouse_operator.conditions import Finding, Reason, changed, conditions
from tollhouse_operator.gather import desired
from tollhouse_operator.manifests.naming import Manifest, names_of, selector_labels
from tollhouse_operator.reconcile.desk import Desk
from tollhouse_operator.reports import read_reports, stale
from tollhouse_operator.statuses import (
    ConnectionFacts,
    connection_findings,
    connection_status,
    listed,
)

MATCHES_SOON_SECONDS = 2.0


async def reconcile_connection_status(desk: Desk, key: Key) -> None:
    """Raises ClusterError when the API server is away."""
    namespace, name = key
    document = await desk.cluster.find(resources.CONNECTIONS, namespace, name)
    if document is None or document["metadata"].get("deletionTimestamp"):
        return
    try:
        connection = parse_object(desired(document))
    except InvalidObject as error:
        await write_status(desk, resources.CONNECTIONS, document, {}, invalid(listed(error.problems)))
        return
    assert isinstance(connection, Connection)
    if key not in desk.memory.bundles:
        return  # just started: its policies are being compiled, and then this is looked at again
    facts = await _facts(desk, connection, key)
    if desk.memory.reports.get(key) != tuple(facts.reports):
        desk.memory.reports[key] = tuple(facts.reports)
        desk.look_at_policies(namespace, MATCHES_SOON_SECONDS)
    status = connection_status(connection, facts)
    await write_status(desk, resources.CONNECTIONS, document, status, connection_findings(connection, facts))


async def write_status(
    desk: Desk,
    resource: Resource,
    document: Manifest,
    status: dict[str, Any],
    findings: Sequence[Finding],
) -> None:
    """Writes the status if it says anything new, and an Event for what is new about trouble."""
    metadata = document["metadata"]
    before = document.get("status") or {}
    generation = metadata.get("generation")
    now = desk.now()
    after = {
        **status,
        "observedGeneration": generation,
        "conditions": conditions(findings, before.get("conditions") or (), generation, now),
    }
    if after == before:
        return
    body = {
        "apiVersion": document["apiVersion"],
        "kind": document["kind"],
        "metadata": {"name": metadata["name"], "namespace": metadata.get("namespace")},
        "status": after,
    }
    await desk.cluster.apply(resource, body, sub="status")
    for finding in changed(findings, before.get("conditions") or ()):
        bad = finding.status == (finding.type == "Stalled")
        if bad or before.get("conditions"):
            await desk.teller.tell(document, finding.reason, finding.message, now, warning=bad)


def invalid(words: str) -> tuple[Finding, ...]:
    """What is said about an object that cannot be read."""
    return (
        Finding("Ready", False, Reason.INVALID, words),
        Finding("Reconciling", False, Reason.INVALID, "nothing is under way"),
        Finding("Stalled", True, Reason.INVALID, words),
    )


async def _facts(desk: Desk, connection: Connection, key: Key) -> ConnectionFacts:
    names = names_of(connection)
    selector = ",".join(f"{label}={value}" for label, value in selector_labels(names).items())
    reported, pods, deployment = await asyncio.gather(
        desk.cluster.find(resources.CONFIG_MAPS, names.namespace, names.reports),
        desk.cluster.list(resources.PODS, names.namespace, selector),
        desk.cluster.find(resources.DEPLOYMENTS, names.namespace, names.proxy),
    )
    gone = stale(reported, pods, names.proxy, desk.now())
    if gone:
        # The version makes it conditional: a proxy that spoke meanwhile is not pruned.
        version = (reported or {})["metadata"]["resourceVersion"]
        body = {"metadata": {"resourceVersion": version}, "data": dict.fromkeys(gone)}
        await desk.cluster.merge(resources.CONFIG_MAPS, names.namespace, names.reports, body)
    reports = tuple(report for report in read_reports(reported) if report.instance not in gone)
    return ConnectionFacts(
        bundle=desk.memory.bundles[key],
        in_force=desk.memory.in_force.get(key, ""),
        trouble=desk.memory.troubles.get(key),
        deployment=deployment,
        reports=reports,
    )

"""Which proxies may ask the API server to review tokens: those whose Connection wants it, no others.

One ClusterRoleBinding of the chart, found by name, whose subjects are kept right. Proxies of Connections
that are gone leave it with the next look.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tollhouse_core.api.connection import Connection
from tollhouse_core.api.identity_provider import IdentityProvider
from tollhouse_operator import resources
from tollhouse_operator.gather import read
from tollhouse_operator.manifests.naming import names_of
from tollhouse_operator.reconcile.desk import Desk


async def reconcile_reviewers(desk: Desk) -> None:
    """Raises ClusterError."""
    name = desk.settings.token_reviewers
    if not name:
        return
    found = await desk.cluster.find(resources.CLUSTER_ROLE_BINDINGS, None, name)
    if found is None:
        return
    providers = await desk.cluster.list(resources.IDENTITY_PROVIDERS)
    connections: list[Connection] = []
    for namespace in desk.settings.watch_namespaces or (None,):
        listed = await desk.cluster.list(resources.CONNECTIONS, namespace)
        connections += read(listed, "Connection", Connection).models
    wanted = reviewers(connections, read(providers, "IdentityProvider", IdentityProvider).models)
    present = [_plain(subject) for subject in found.get("subjects") or ()]
    if present != wanted:
        version = found["metadata"]["resourceVersion"]
        body = {"metadata": {"resourceVersion": version}, "subjects": wanted}
        await desk.cluster.merge(resources.CLUSTER_ROLE_BINDINGS, None, name, body)


def reviewers(
    connections: Iterable[Connection], providers: Iterable[IdentityProvider]
) -> list[dict[str, str]]:
    """The ServiceAccounts of those proxies, in order."""
    asking = {
        provider.name
        for provider in providers
        if provider.spec.kubernetes is not None and provider.spec.kubernetes.token_review
    }
    accounts = sorted(
        (names.namespace, names.proxy)
        for connection in connections
        if asking & set(connection.spec.identity.providers)
        for names in (names_of(connection),)
    )
    return [{"kind": "ServiceAccount", "name": name, "namespace": namespace} for namespace, name in accounts]


def _plain(subject: Any) -> dict[str, str]:
    return {key: str(subject.get(key, "")) for key in ("kind", "name", "namespace")}

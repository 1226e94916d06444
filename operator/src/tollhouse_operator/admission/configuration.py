"""Keeps the `caBundle` of the webhook configurations right; everything else in them is the chart's."""

from __future__ import annotations

import base64
import logging
from typing import Any

from tollhouse_operator import resources
from tollhouse_operator.cluster import Cluster, Resource

log = logging.getLogger(__name__)

_MANAGER = "tollhouse-operator-ca"


async def publish_authority(cluster: Cluster, name: str, trusted_pem: str) -> None:
    """Writes the authority into both configurations called `name`, where they exist and differ.
    Raises ClusterError."""
    bundle = base64.b64encode(trusted_pem.encode()).decode()
    for resource, kind in (
        (resources.VALIDATING_WEBHOOKS, "ValidatingWebhookConfiguration"),
        (resources.MUTATING_WEBHOOKS, "MutatingWebhookConfiguration"),
    ):
        await _publish(cluster, resource, kind, name, bundle)


async def _publish(cluster: Cluster, resource: Resource, kind: str, name: str, bundle: str) -> None:
    found = await cluster.find(resource, None, name)
    if found is None:
        return
    webhooks: list[dict[str, Any]] = found.get("webhooks") or []
    if all(webhook["clientConfig"].get("caBundle") == bundle for webhook in webhooks):
        return
    body = {
        "apiVersion": resource.api_version,
        "kind": kind,
        "metadata": {"name": name},
        "webhooks": [{"name": webhook["name"], "clientConfig": {"caBundle": bundle}} for webhook in webhooks],
    }
    await cluster.apply(resource, body, manager=_MANAGER)
    log.info("%s %s trusts our authority", kind, name)

"""How many proxies may be away at once while nodes are drained."""

from __future__ import annotations

from tollhouse_core.api.connection import Connection
from tollhouse_operator.manifests.naming import Manifest, metadata_of, names_of, selector_labels


def disruption_budget(connection: Connection) -> Manifest:
    """At most one. `minAvailable` would let a single replica block the drain of its node forever."""
    names = names_of(connection)
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata_of(connection, names.proxy),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": selector_labels(names)}},
    }

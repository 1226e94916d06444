"""The Service that agents point their clients at."""

from __future__ import annotations

from tollhouse_core.api.connection import Connection
from tollhouse_operator.manifests.naming import Manifest, client_port, metadata_of, names_of, selector_labels


def service(connection: Connection) -> Manifest:
    """ClusterIP on the Connection's own port; it leads to the container port called `proxy`."""
    names = names_of(connection)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata_of(connection, names.service),
        "spec": {
            "type": "ClusterIP",
            "selector": selector_labels(names),
            "ports": [
                {
                    "name": "proxy",
                    "port": client_port(connection),
                    "targetPort": "proxy",
                    "protocol": "TCP",
                }
            ],
        },
    }

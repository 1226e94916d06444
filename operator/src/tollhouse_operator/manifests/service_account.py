"""The ServiceAccount under which a Connection's proxies run."""

from __future__ import annotations

from tollhouse_core.api.connection import Connection
from tollhouse_operator.manifests.naming import Manifest, metadata_of, names_of


def service_account(connection: Connection) -> Manifest:
    """No token is mounted by default; the Deployment asks for one where it is needed."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata_of(connection, names_of(connection).proxy),
        "automountServiceAccountToken": False,
    }

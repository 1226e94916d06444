"""The ConfigMaps of a Connection: compiled policies, reports of proxies, certificate authority."""

from __future__ import annotations

from tollhouse_core.api.connection import Connection
from tollhouse_operator.manifests.naming import REVISION_ANNOTATION, Manifest, metadata_of, names_of

BUNDLE_KEY = "bundle.json"
AUTHORITY_KEY = "ca.crt"
AUDIT_PUBLIC_KEY = "audit.pub"
LARGEST_BUNDLE_BYTES = 1_000_000
"""An object of the API server holds 1 MiB of data; some room is left for metadata."""


def bundle_config_map(connection: Connection, revision: str, text: str) -> Manifest:
    """The compiled policies. Proxies watch this object through the API."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata_of(connection, names_of(connection).bundle, {REVISION_ANNOTATION: revision}),
        "data": {BUNDLE_KEY: text},
    }


def reports_config_map(connection: Connection) -> Manifest:
    """Without data: each proxy owns its own key, the operator only prunes those of pods that are gone."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata_of(connection, names_of(connection).reports),
    }


def authority_config_map(connection: Connection, authority_pem: str, audit_public_pem: str) -> Manifest:
    """What agents verify the proxy by (sslrootcert), and what auditors verify chain heads by."""
    data = {AUDIT_PUBLIC_KEY: audit_public_pem}
    if authority_pem:
        data[AUTHORITY_KEY] = authority_pem
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata_of(connection, names_of(connection).authority),
        "data": data,
    }

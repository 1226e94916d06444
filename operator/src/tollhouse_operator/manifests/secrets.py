"""The Secrets that the operator makes for a Connection. None of them is a backend credential."""

from __future__ import annotations

import base64

from tollhouse_core.api.connection import Connection
from tollhouse_core.secret import Secret
from tollhouse_operator.manifests.naming import Manifest, metadata_of, names_of

PRIVATE_KEY = "key.pem"
PUBLIC_KEY = "public.pem"
MASK_KEY = "key"


def serving_certificate_secret(
    connection: Connection, chain_pem: str, key_pem: Secret, authority_pem: str
) -> Manifest:
    """A `kubernetes.io/tls` Secret with tls.crt, tls.key and, for whoever mounts it, ca.crt."""
    return _secret(
        connection,
        names_of(connection).serving_certificate,
        "kubernetes.io/tls",
        {"tls.crt": chain_pem, "tls.key": key_pem.reveal(), "ca.crt": authority_pem},
    )


def audit_key_secret(connection: Connection, private_pem: Secret, public_pem: str) -> Manifest:
    """The ed25519 key (PKCS #8, PEM) that signs the heads of audit chains, and its public half."""
    return _secret(
        connection,
        names_of(connection).audit_key,
        "Opaque",
        {PRIVATE_KEY: private_pem.reveal(), PUBLIC_KEY: public_pem},
    )


def mask_key_secret(connection: Connection, key: Secret) -> Manifest:
    """The key of token masks, as text; the same for every Connection of a namespace."""
    return _secret(connection, names_of(connection).mask_key, "Opaque", {MASK_KEY: key.reveal()})


def _secret(connection: Connection, name: str, kind: str, values: dict[str, str]) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata_of(connection, name),
        "type": kind,
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()},
    }

"""The certificates a Connection's backend is checked with."""

from __future__ import annotations

import ssl

from tollhouse_core.policy.bundle import PolicyBundle
from tollhouse_proxy.ports.stores import SecretStore, StoreRefused


async def backend_ca(bundle: PolicyBundle, secrets: SecretStore) -> str | None:
    """PEM text of the CA the target's `caRef` names; None where it names none (the machine's own).

    Raises StoreUnavailable, and StoreRefused when the Secret or its key is missing or holds no certificate.
    """
    target = bundle.connection.spec.postgres
    reference = target.tls.ca_ref if target else None
    if reference is None:
        return None
    values = await secrets.read(reference.secret)
    if reference.key not in values:
        raise StoreRefused(f"Secret {reference.secret} has no key {reference.key}")
    pem = values[reference.key].reveal()
    try:
        # Of an empty text the ssl module would make "whom the machine trusts", and of text that is not
        # plain ASCII (a comment in French) a ValueError.
        pem.index("-----BEGIN CERTIFICATE-----")
        ssl.create_default_context(cadata=pem)
    except (ssl.SSLError, ValueError):
        raise StoreRefused(
            f"Secret {reference.secret}, key {reference.key}: expected PEM certificates"
        ) from None
    return pem

"""Who vouches for an identity, as far as sessions depend on it.

A token is proved once, when a session begins; whether its issuer is still believed is asked with
every bundle. Without this, a provider that was taken from a Connection (its keys were stolen, say)
would keep every session it has let in until their tokens end.
"""

from __future__ import annotations

from tollhouse_core.policy.bundle import PolicyBundle

CLUSTER = "kubernetes"
"""The provider of a Connection that names none."""


def issuer_of(bundle: PolicyBundle, provider: str) -> str | None:
    """The issuer that the bundle believes under that provider's name, "" for the cluster's own; None
    when it believes nobody of that name."""
    wanted = bundle.connection.spec.identity.providers
    if not wanted:
        return "" if provider == CLUSTER else None
    found = next((one for one in bundle.providers if one.name == provider), None)
    if found is None or provider not in wanted:
        return None
    if found.spec.oidc is not None:
        return found.spec.oidc.issuer
    if found.spec.tollhouse is not None or found.spec.saml is not None:
        # Whom it believes in turn is part of its word.
        return f"{bundle.tokens.url if bundle.tokens else ''} {found.spec.tollhouse!r}"
    return (found.spec.kubernetes.issuer or "") if found.spec.kubernetes is not None else ""

"""Whom the bundle in force trusts, in the words of this package.

Everything about a provider that the checks and the key cache need, taken once from the API's
objects, so that neither knows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
"""Asymmetric ones only: an HMAC key would have to be shared (RFC 8725 section 3.1)."""

DEFAULT_TYPES = frozenset({"jwt", "at+jwt"})


@dataclass(frozen=True, slots=True)
class SecretKey:
    """One key of a Secret of the Connection's namespace (a CA bundle in PEM)."""

    name: str
    key: str


@dataclass(frozen=True, slots=True)
class ClaimNames:
    """Where a token says what. A dot goes one level down: `realm_access.roles`."""

    user: str = "sub"
    groups: str | None = None
    on_behalf_of: str | None = None
    on_behalf_of_groups: str | None = None
    kubernetes_user: str | None = None


@dataclass(frozen=True, slots=True)
class TrustedProvider:
    """One IdentityProvider as the Connection uses it.

    `issuer` is compared exactly; None (the cluster's own, not named) is filled in by discovery.
    `audiences` holds lists of which each must be met by one of the token's audiences.
    `types` are lower-case `typ` values without `application/`.
    """

    name: str
    issuer: str | None
    cluster: bool = False
    ca: SecretKey | None = None
    audiences: tuple[frozenset[str], ...] = ()
    authorized_parties: frozenset[str] = frozenset()
    types: frozenset[str] = DEFAULT_TYPES
    algorithms: frozenset[str] = ALGORITHMS
    names: ClaimNames = ClaimNames()
    prefix: str = ""
    required: Mapping[str, object] = field(default_factory=dict)

"""Whom the bundle in force trusts, in the words of this package.

Everything about a provider that the checks and the key cache need, taken once from the API's
objects, so that neither knows them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tollhouse_core.api.connection import Connection
from tollhouse_core.api.identity_provider import IdentityProvider, KubernetesProvider, OidcProvider
from tollhouse_core.api.meta import CaRef
from tollhouse_core.token_issuer import TokenIssuer

ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
"""Asymmetric ones only: an HMAC key would have to be shared (RFC 8725 section 3.1)."""

DEFAULT_TYPES = frozenset({"jwt", "at+jwt"})
OWN_TYPES = frozenset({"at+jwt"})
OWN_LIFETIME_SECONDS = 3600.0
"""Tokens of the token endpoint: what they are called, and how long they live at most."""
CLUSTER = "kubernetes"
"""The name of the provider that is there when a Connection names none."""
SERVICE_ACCOUNT_LIFETIME_SECONDS = 31 * 86400.0


@dataclass(frozen=True, slots=True)
class ClaimNames:
    """Where a token says what. A dot goes one level down: `realm_access.roles`."""

    user: str = "sub"
    groups: str | None = None
    on_behalf_of: str | None = None
    kubernetes_user: str | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """Whose tokens the token endpoint may have taken for those it gives, by names of IdentityProviders."""

    subjects: frozenset[str]
    actors: frozenset[str] = frozenset()
    require_actor: bool = False


@dataclass(frozen=True, slots=True)
class TrustedProvider:
    """One IdentityProvider as the Connection uses it.

    `issuer` is compared exactly; None is the issuer of this cluster, filled in by discovery.
    `audiences` holds sets, each of which must meet one of the token's audiences.
    `types` are lower-case `typ` values without `application/`. `review`: the API server is asked
    whether what a token is bound to still exists. `keys`: the issuer's keys, where they came with the
    bundle; nothing is fetched then. `exchange`: its tokens are those of the token endpoint.
    """

    name: str
    issuer: str | None
    kubernetes: bool = False
    ca: CaRef | None = None
    audiences: tuple[frozenset[str], ...] = ()
    authorized_parties: frozenset[str] = frozenset()
    types: frozenset[str] = DEFAULT_TYPES
    names: ClaimNames = ClaimNames()
    prefix: str = ""
    required: Mapping[str, str] = field(default_factory=dict)
    skew_seconds: float = 30.0
    max_lifetime_seconds: float = 86400.0
    review: bool = False
    keys: tuple[Mapping[str, object], ...] | None = None
    exchange: Exchange | None = None


class Trusting(Protocol):
    """What a bundle says about trust (`tollhouse_core.policy.bundle.PolicyBundle`)."""

    @property
    def connection(self) -> Connection:
        """The Connection, with the names of its providers in order."""
        ...

    @property
    def tokens(self) -> TokenIssuer | None:
        """Tollhouse's own token endpoint, where the Connection takes its tokens."""
        ...

    @property
    def providers(self) -> Sequence[IdentityProvider]:
        """The IdentityProviders of those names, as far as they exist."""
        ...


def trusted_providers(bundle: Trusting) -> tuple[TrustedProvider, ...]:
    """The providers whose tokens count, in the Connection's order. One that is named and missing
    is not replaced by anything."""
    identity = bundle.connection.spec.identity
    audiences = frozenset(identity.audiences)
    if not identity.providers:
        return (_kubernetes(CLUSTER, KubernetesProvider(), audiences),)
    named = {provider.name: provider for provider in bundle.providers}
    found = [_trusted(named[name], audiences, bundle.tokens) for name in identity.providers if name in named]
    return tuple(provider for provider in found if provider is not None)


def _trusted(
    provider: IdentityProvider, audiences: frozenset[str], tokens: TokenIssuer | None
) -> TrustedProvider | None:
    if provider.spec.oidc is not None:
        return _oidc(provider.name, provider.spec.oidc, audiences)
    if provider.spec.kubernetes is not None:
        return _kubernetes(provider.name, provider.spec.kubernetes, audiences)
    exchange = _exchange(provider)
    if tokens is None or exchange is None:
        return None
    return TrustedProvider(
        name=provider.name,
        issuer=tokens.url,
        audiences=(audiences,),
        types=OWN_TYPES,
        max_lifetime_seconds=OWN_LIFETIME_SECONDS,
        keys=tokens.keys,
        exchange=exchange,
    )


def _exchange(provider: IdentityProvider) -> Exchange | None:
    """A SAML provider's people have tokens of the token endpoint that name nobody else."""
    ours = provider.spec.tollhouse
    if ours is not None:
        return Exchange(frozenset(ours.subjects), frozenset(ours.actors), ours.require_actor)
    return Exchange(frozenset({provider.name})) if provider.spec.saml is not None else None


def _oidc(name: str, oidc: OidcProvider, audiences: frozenset[str]) -> TrustedProvider:
    own = frozenset(oidc.audiences)
    return TrustedProvider(
        name=name,
        issuer=oidc.issuer,
        ca=oidc.ca_ref,
        audiences=(audiences, own) if own else (audiences,),
        authorized_parties=frozenset(oidc.authorized_parties),
        types=frozenset(media_type(value) for value in oidc.types),
        names=ClaimNames(
            user=oidc.claims.user,
            groups=oidc.claims.groups,
            on_behalf_of=oidc.claims.on_behalf_of,
            kubernetes_user=oidc.claims.kubernetes_user,
        ),
        prefix=oidc.prefix,
        required=oidc.required_claims,
        skew_seconds=oidc.clock_skew.seconds,
        max_lifetime_seconds=oidc.max_token_lifetime.seconds,
    )


def _kubernetes(name: str, cluster: KubernetesProvider, audiences: frozenset[str]) -> TrustedProvider:
    return TrustedProvider(
        name=name,
        issuer=cluster.issuer,
        kubernetes=True,
        ca=cluster.ca_ref,
        audiences=(audiences,),
        max_lifetime_seconds=SERVICE_ACCOUNT_LIFETIME_SECONDS,
        review=cluster.token_review,
    )


def media_type(value: str) -> str:
    """The comparable form of a `typ` (RFC 7515 4.1.9: no case, `application/` left out)."""
    return value.lower().removeprefix("application/")

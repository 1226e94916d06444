"""IdentityProvider: whose tokens are trusted, and what their claims mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from tollhouse_core.api.credentials import HttpUrl
from tollhouse_core.api.meta import ApiObject, CaRef, ObjectName, SecretKeyRef, Status, Word
from tollhouse_core.api.quantities import Duration, PositiveDuration
from tollhouse_core.api.shape import ApiModel, EachOnce, ExactlyOne, Holds, Shape

ClaimName = Annotated[str, Field(min_length=1, max_length=256)]
Prefix = Annotated[str, Field(max_length=64)]
_LOOPBACK = ("http://127.0.0.1", "http://localhost", "http://[::1]")


def _safe(url: str) -> bool:
    return url.startswith("https://") or any(
        url == host or url.startswith((f"{host}:", f"{host}/")) for host in _LOOPBACK
    )


def _safe_issuer(provider: Any) -> bool:
    return provider.issuer is None or _safe(provider.issuer)


ISSUER_IS_SAFE = Holds(
    _safe_issuer,
    "!has(self.issuer) || self.issuer.startsWith('https://') || "
    r"self.issuer.matches('^http://(127[.]0[.]0[.]1|localhost|\\[::1\\])([:/].*)?$')",
    "expected an https URL; plain http is taken for loopback addresses only, since its keys could be forged",
    "issuer",
)


class Claims(ApiModel):
    """Which claim says what. A name with dots leads into objects: `realm_access.roles`."""

    user: ClaimName = Field(
        default="sub",
        description="The claim that is the user's name; `email` counts only if it is verified. Default: sub.",
    )
    groups: ClaimName = Field(
        default="groups",
        description="The claim that lists the user's groups. A token without it has none. Default: groups.",
    )
    on_behalf_of: ClaimName | None = Field(
        default=None,
        description="The claim that names the human an agent works for: a text, or an object with `name` or "
        "`sub`, and perhaps `groups`. Absent: no human is known.",
    )
    kubernetes_user: ClaimName | None = Field(
        default=None,
        description="The claim that is this person's name as a Kubernetes user, so that nobody approves "
        "their own request under another name. Absent: not known.",
    )


class OidcProvider(ApiModel):
    """An OpenID Connect issuer."""

    shape: ClassVar[tuple[Shape, ...]] = (ISSUER_IS_SAFE,)

    issuer: HttpUrl = Field(
        description="The issuer's URL, exactly as its tokens say in `iss`; its keys are found by discovery."
    )
    ca_ref: CaRef | None = Field(
        default=None,
        description="Certificates that vouch for the issuer. Absent: those of the proxy's image.",
    )
    audiences: tuple[Word, ...] = Field(
        default=(),
        max_length=32,
        description="A token must be meant for one of these as well as for one of the Connection's. Absent: "
        "the Connection's are enough.",
    )
    authorized_parties: tuple[Word, ...] = Field(
        default=(),
        max_length=64,
        description="Clients whose tokens are taken (the claim `azp`). Absent: any client's.",
    )
    types: tuple[Word, ...] = Field(
        default=("JWT", "at+jwt"),
        min_length=1,
        max_length=16,
        description="Sorts of tokens that are taken (the header `typ`); one that does not say is a JWT. "
        "Default: JWT, at+jwt.",
    )
    claims: Claims = Field(
        default=Claims(),
        description="Which claim says what; a name with dots leads into objects: `realm_access.roles`. "
        "Absent: sub and groups.",
    )
    required_claims: Mapping[ClaimName, Annotated[str, Field(max_length=1024)]] = Field(
        default_factory=dict,
        max_length=32,
        description='Claims a token must carry with exactly these values, written as text: `"true"`. Absent: '
        "none.",
    )
    prefix: Prefix = Field(
        default="",
        description="Put before the names of users and groups, so that those of two issuers cannot meet. "
        "Default: nothing.",
    )
    clock_skew: Duration = Field(
        default=Duration("30s", 30.0),
        description="How far the issuer's clock may be off ours. Default: 30s.",
    )
    max_token_lifetime: PositiveDuration = Field(
        default=Duration("24h", 86400.0),
        description="Tokens that live longer than this, from `iat` to `exp`, are refused. Default: 24h.",
    )


class SamlAttributes(ApiModel):
    """Which attribute says what."""

    user: ClaimName | None = Field(
        default=None, description="The attribute that is the user's name. Absent: the NameID."
    )
    groups: ClaimName = Field(
        default="groups", description="The attribute that lists the user's groups. Default: groups."
    )
    kubernetes_user: ClaimName | None = Field(
        default=None,
        description="The attribute that is this person's name as a Kubernetes user. Absent: not known.",
    )


class SamlProvider(ApiModel):
    """A SAML 2.0 identity provider."""

    metadata_ref: SecretKeyRef = Field(
        description="The provider's metadata (XML), in a Secret of the operator's namespace."
    )
    audience: Word = Field(
        default="tollhouse",
        description="What assertions must name as their audience. Default: tollhouse.",
    )
    attributes: SamlAttributes = Field(
        default=SamlAttributes(), description="Which attribute says what. Absent: NameID and groups."
    )
    prefix: Prefix = Field(
        default="", description="Put before the names of users and groups. Default: nothing."
    )


class KubernetesProvider(ApiModel):
    """The ServiceAccount tokens of a cluster."""

    shape: ClassVar[tuple[Shape, ...]] = (
        ISSUER_IS_SAFE,
        Holds(
            lambda cluster: not cluster.token_review or cluster.issuer is None,
            "!has(self.tokenReview) || !self.tokenReview || !has(self.issuer)",
            "only this cluster's tokens can be reviewed: take issuer or tokenReview away",
            "token_review",
        ),
    )

    token_review: bool = Field(
        default=False,
        description="True: the API server is asked whether each token's pod and ServiceAccount still exist, "
        "when a session begins and every 15 s while it lasts; the chart must give proxies that right "
        "(tokenReview.enabled). False (default): a token counts until it ends, by its signature.",
    )
    issuer: HttpUrl | None = Field(
        default=None,
        description="The cluster's ServiceAccount issuer, exactly as its tokens say in `iss`. Absent: this "
        "cluster. Users and groups of another cluster bear this provider's name in front, as in "
        "`other:system:...`.",
    )
    ca_ref: CaRef | None = Field(
        default=None,
        description="Certificates that vouch for the issuer. Absent: this cluster's own, or those of the "
        "proxy's image where `issuer` is given.",
    )


class TollhouseProvider(ApiModel):
    """Tokens that Tollhouse's own token endpoint gives in exchange for others (RFC 8693)."""

    subjects: Annotated[tuple[ObjectName, ...], Field(min_length=1, max_length=32), EachOnce()] = Field(
        description="Names of the IdentityProviders whose tokens may be traded: those of people, as a rule."
    )
    actors: Annotated[tuple[ObjectName, ...], Field(max_length=32), EachOnce()] = Field(
        default=(),
        description="Names of the IdentityProviders whose workloads may act on behalf of such a subject. "
        "Absent: none; a token then speaks of its subject alone.",
    )
    require_actor: bool = Field(
        default=False,
        description="True: only tokens that carry an actor count. False (default): those of a subject alone "
        "count too.",
    )


class IdentityProviderSpec(ApiModel):
    """What is wanted."""

    shape: ClassVar[tuple[Shape, ...]] = (
        ExactlyOne(("oidc", "saml", "kubernetes", "tollhouse"), "sort of provider"),
    )

    oidc: OidcProvider | None = Field(default=None, description="An OpenID Connect issuer.")
    saml: SamlProvider | None = Field(default=None, description="A SAML 2.0 identity provider.")
    kubernetes: KubernetesProvider | None = Field(
        default=None, description="The ServiceAccount tokens of a cluster; `{}` is this cluster."
    )
    tollhouse: TollhouseProvider | None = Field(
        default=None, description="Tokens that the token endpoint gives in exchange for others."
    )


class IdentityProvider(ApiObject):
    """An issuer whose tokens are trusted, and what their claims mean. It belongs to the whole cluster."""

    scope: ClassVar[Literal["Namespaced", "Cluster"]] = "Cluster"

    kind: Literal["IdentityProvider"] = "IdentityProvider"
    spec: IdentityProviderSpec = Field(description="What is wanted.")
    status: Status = Field(default=Status(), description="What is; written by the operator.")

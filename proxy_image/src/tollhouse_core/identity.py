"""Who is asking, and the session in which they ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Proof(StrEnum):
    """How an identity was proved."""

    OIDC = "OIDC"
    SERVICE_ACCOUNT = "ServiceAccount"
    SAML = "SAML"
    TOLLHOUSE = "Tollhouse"


@dataclass(frozen=True, slots=True)
class ServiceAccountName:
    """A Kubernetes ServiceAccount, as its token names it."""

    namespace: str
    name: str

    @property
    def kubernetes_user(self) -> str:
        """The user name under which the API server knows this account."""
        return f"system:serviceaccount:{self.namespace}:{self.name}"


@dataclass(frozen=True, slots=True)
class OnBehalfOf:
    """The human behind an agent."""

    name: str
    groups: tuple[str, ...] = ()
    kubernetes_user: str | None = None
    provider: str = ""
    """Whose word it is; "" where it is that of the identity's own provider."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A token that was traded for another one. `issued_at` is in seconds since 1970."""

    provider: str
    token_id: str | None = None
    issued_at: float | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """A proven identity. `name` is unique only together with `provider`.

    `claims` holds the token's verified claims as plain JSON values. `expires_at` is the moment
    the proof ends (UTC); None only for proofs that do not end. `prove_again_seconds`: the proof is good for
    so long and then wants the token shown once more; None: it is good until it ends.
    `scope`: what it may be used for at most (`tollhouse_core.scope`); None: no bound of its own. `origins`:
    the tokens it was traded for. `via`: the IdentityProvider that trading is trusted under, "" where the
    proof is the provider's own.
    """

    name: str
    provider: str
    proof: Proof
    groups: tuple[str, ...] = ()
    claims: Mapping[str, object] = field(default_factory=dict)
    on_behalf_of: OnBehalfOf | None = None
    kubernetes_user: str | None = None
    service_account: ServiceAccountName | None = None
    expires_at: datetime | None = None
    token_id: str | None = None
    prove_again_seconds: float | None = None
    scope: tuple[str, ...] | None = None
    origins: tuple[Origin, ...] = ()
    via: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """One client connection, from the proof of identity to its end.

    `user` is what the client asked to be (a startup packet's `user`), never a proof of anything.
    `role` is the way into the backend it was given for that: one of the Connection's roles, "" where
    the Connection has none.
    `address` is the peer's as `host:port`.
    """

    id: str
    connection: str
    namespace: str
    protocol: str
    identity: Identity
    database: str
    user: str
    application_name: str
    address: str
    started_at: datetime
    role: str = ""

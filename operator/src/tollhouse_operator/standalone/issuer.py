"""The local token issuer: stands in for OIDC issuers and for a cluster's ServiceAccounts.

Its key never leaves `state/issuer/`. Proxies of the same folder take its tokens for any issuer
that their bundle trusts, and nobody else does. The one importer of `joserfc` here.
"""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from joserfc import jwk, jwt

from tollhouse_core.api.identity_provider import IdentityProvider
from tollhouse_core.secret import Secret
from tollhouse_operator.standalone.layout import replace_file

KEY_ID_PREFIX = "tollhouse-local-"
CLUSTER_ISSUER = "https://kubernetes.default.svc"
ALGORITHM = "ES256"


class IssuerError(Exception):
    """No such token can be made; `str()` says why and what to do."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a token shall say. `groups` and `claims` go in beside what the provider demands."""

    audiences: Sequence[str]
    lifetime: timedelta
    user: str = ""
    groups: Sequence[str] = ()
    claims: Mapping[str, Any] | None = None
    on_behalf_of: str = ""
    service_account: tuple[str, str] | None = None


class LocalIssuer:
    """The key in `folder`, made when there is none. Raises IssuerError if it cannot be read."""

    def __init__(self, folder: Path) -> None:
        self._key_file = folder / "key.json"
        self._published = folder / "jwks.json"
        self._key = self._load() if self._key_file.exists() else self._make()

    def mint(self, provider: IdentityProvider, wanted: Wanted, now: datetime) -> Secret:
        """A token as `provider` would issue it. Raises IssuerError."""
        claims = _times(wanted, now)
        if provider.spec.oidc is not None:
            claims |= _oidc_claims(provider, wanted)
        elif provider.spec.kubernetes is not None:
            claims |= _service_account_claims(provider.spec.kubernetes.issuer, wanted)
        else:
            raise IssuerError(f"IdentityProvider {provider.name} is neither oidc nor kubernetes")
        claims |= wanted.claims or {}
        header = {"alg": ALGORITHM, "kid": self._key.kid, "typ": "JWT"}
        return Secret(jwt.encode(header, claims, self._key))

    def _make(self) -> jwk.ECKey:
        name = f"{KEY_ID_PREFIX}{secrets.token_hex(8)}"
        key = jwk.ECKey.generate_key("P-256", parameters={"kid": name, "use": "sig", "alg": ALGORITHM})
        replace_file(self._key_file, json.dumps(key.as_dict(private=True)).encode())
        replace_file(self._published, json.dumps({"keys": [key.as_dict(private=False)]}).encode(), 0o644)
        return key

    def _load(self) -> jwk.ECKey:
        try:
            key = jwk.ECKey.import_key(json.loads(self._key_file.read_bytes()))
        except Exception as error:
            raise IssuerError(f"{self._key_file} holds no usable key; delete it to have one made") from error
        if not self._published.exists():
            public = json.dumps({"keys": [key.as_dict(private=False)]}).encode()
            replace_file(self._published, public, 0o644)
        return key


def _times(wanted: Wanted, now: datetime) -> dict[str, Any]:
    issued = int(now.timestamp())
    return {
        "iat": issued,
        "nbf": issued,
        "exp": issued + int(wanted.lifetime.total_seconds()),
        "jti": str(uuid.uuid4()),
        "aud": list(wanted.audiences),
    }


def _oidc_claims(provider: IdentityProvider, wanted: Wanted) -> dict[str, Any]:
    oidc = provider.spec.oidc
    assert oidc is not None
    if wanted.service_account is not None:
        raise IssuerError(f"IdentityProvider {provider.name} is oidc; it knows no ServiceAccounts")
    if not wanted.user:
        raise IssuerError("whose token shall it be? Give --user, or --service-account NAMESPACE/NAME")
    limit = oidc.max_token_lifetime.seconds
    if wanted.lifetime.total_seconds() > limit:
        raise IssuerError(f"IdentityProvider {provider.name} takes tokens of at most {limit:g} seconds")
    claims: dict[str, Any] = {"iss": oidc.issuer, "sub": wanted.user}
    claims[oidc.claims.user] = wanted.user
    if wanted.groups:
        claims[oidc.claims.groups] = list(wanted.groups)
    if wanted.on_behalf_of:
        if oidc.claims.on_behalf_of is None:
            raise IssuerError(f"IdentityProvider {provider.name} names no claim for it (claims.onBehalfOf)")
        claims[oidc.claims.on_behalf_of] = wanted.on_behalf_of
    if oidc.authorized_parties:
        claims["azp"] = oidc.authorized_parties[0]
    return claims | dict(oidc.required_claims)


def _service_account_claims(issuer: str | None, wanted: Wanted) -> dict[str, Any]:
    if wanted.service_account is None:
        raise IssuerError("a cluster's tokens are ServiceAccounts': give --service-account NAMESPACE/NAME")
    namespace, name = wanted.service_account
    account_id = uuid.uuid5(uuid.NAMESPACE_URL, f"{namespace}/{name}")
    return {
        "iss": issuer or CLUSTER_ISSUER,
        "sub": f"system:serviceaccount:{namespace}:{name}",
        "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": name, "uid": str(account_id)}},
    }

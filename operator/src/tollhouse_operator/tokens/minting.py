"""Writing a token of our own (RFC 9068, RFC 8693 section 4). What it says is what was proved, no more."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from joserfc import jwt

from tollhouse_core.identity import Identity
from tollhouse_core.secret import Secret
from tollhouse_operator.tokens.keyring import ALGORITHM, SigningKey

MOST_CLAIM_BYTES = 4096
_OWN = frozenset(
    {"iss", "aud", "exp", "nbf", "iat", "jti", "azp", "typ", "nonce", "sid", "acr", "session_state"}
    | {"at_hash", "c_hash", "s_hash", "auth_time", "scope", "allowed-origins", "act"}
)
"""What speaks of a token rather than of its bearer: it is not carried over."""


class CannotMint(Exception):
    """No token can be made of this; `str()` is for the client."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token shall say. `seconds` is bounded by the proofs it rests on too."""

    subject: Identity
    actor: Identity | None
    audiences: Sequence[str]
    scope: tuple[str, ...] | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Minted:
    """The token, its name and how long it lives (whole seconds)."""

    token: Secret
    token_id: str
    seconds: int


def mint(grant: Grant, issuer: str, key: SigningKey, now: float) -> Minted:
    """Raises CannotMint."""
    parties = [grant.subject, *([grant.actor] if grant.actor else [])]
    ends = [party.expires_at.timestamp() - now for party in parties if party.expires_at is not None]
    seconds = int(min([grant.seconds, *ends]))
    if seconds < 1:
        raise CannotMint("a token that is traded ends this very moment")
    token_id = str(uuid.uuid4())
    claims: dict[str, Any] = {
        "iss": issuer,
        "aud": list(grant.audiences),
        "iat": int(now),
        "nbf": int(now),
        "exp": int(now) + seconds,
        "jti": token_id,
        **_party(grant.subject),
        "origins": [origin for party in parties for origin in _origins(party)],
    }
    if grant.actor is not None:
        claims["act"] = _party(grant.actor)
    if grant.scope is not None:
        claims["scope"] = " ".join(grant.scope)
    header = {"alg": ALGORITHM, "kid": key.key.kid, "typ": "at+jwt"}
    return Minted(Secret(jwt.encode(header, claims, key.key)), token_id, seconds)


def _party(identity: Identity) -> dict[str, Any]:
    party: dict[str, Any] = {
        "sub": identity.name,
        "idp": identity.provider,
        "proof": identity.proof.value,
        "groups": list(identity.groups),
    }
    if identity.service_account is not None:
        account = identity.service_account
        party["account"] = {"namespace": account.namespace, "name": account.name}
    if identity.kubernetes_user is not None:
        party["kubernetes_user"] = identity.kubernetes_user
    kept = _kept(identity.claims)
    if kept:
        party["claims"] = kept
    return party


def _kept(claims: Mapping[str, object]) -> dict[str, object]:
    kept = {name: value for name, value in claims.items() if name not in _OWN}
    if len(json.dumps(kept)) > MOST_CLAIM_BYTES:
        raise CannotMint(f"a token's claims take more than {MOST_CLAIM_BYTES} bytes")
    return kept


def _origins(identity: Identity) -> list[dict[str, Any]]:
    """The token itself, and those it was traded for in its turn."""
    found: list[tuple[str, str | None, object]] = [
        (one.provider, one.token_id, one.issued_at) for one in identity.origins
    ]
    found.append((identity.provider, identity.token_id, identity.claims.get("iat")))
    return [{"idp": provider, "jti": name, "iat": issued} for provider, name, issued in found]

"""From a token of our own token endpoint to an Identity (RFC 8693 section 4.1).

Whoever acts is the identity; on whose behalf stands beside it. Both keep the name and the provider
under which they proved themselves to the endpoint, so that a policy means the same people as ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from tollhouse_core.identity import Identity, OnBehalfOf, Origin, Proof, ServiceAccountName
from tollhouse_core.scope import parse_scope
from tollhouse_identity.checks import MAX_GROUPS, is_clean_name
from tollhouse_identity.form import Refused
from tollhouse_identity.trust import Exchange, TrustedProvider

MAX_GROUP_NAME = 512
_PROOFS = frozenset(proof.value for proof in Proof)
_MALFORMED = "the token is not of the form that the token endpoint gives"


@dataclass(frozen=True, slots=True)
class Party:
    """One of the two a token speaks of."""

    name: str
    provider: str
    proof: Proof
    groups: tuple[str, ...]
    account: ServiceAccountName | None
    kubernetes_user: str | None
    claims: Mapping[str, object]


def exchanged_identity(
    claims: Mapping[str, object], provider: TrustedProvider, exchange: Exchange
) -> Identity:
    """The identity that these verified claims prove. Raises Refused."""
    subject = _party(claims)
    actor = _party(claims["act"], acting=True) if "act" in claims else None
    if subject.provider not in exchange.subjects:
        raise Refused("the token speaks of somebody whose provider is not trusted here (idp)")
    if actor is not None and actor.provider not in exchange.actors:
        raise Refused("the token's actor is of a provider that is not trusted here (act)")
    if actor is None and exchange.require_actor:
        raise Refused("the token names no actor, and one is required here (act)")
    if actor is not None and (actor.provider, actor.name) == (subject.provider, subject.name):
        raise Refused("the token's actor is its subject (act)")
    who = actor or subject
    return Identity(
        name=who.name,
        provider=who.provider,
        proof=who.proof,
        groups=who.groups,
        claims=_claims(claims, subject, actor),
        on_behalf_of=None if actor is None else _human(subject),
        kubernetes_user=who.kubernetes_user,
        service_account=who.account,
        expires_at=datetime.fromtimestamp(float(str(claims["exp"])), UTC),
        token_id=str(claims["jti"]) if "jti" in claims else None,
        scope=_scope(claims),
        origins=_origins(claims),
        via=provider.name,
    )


def _claims(claims: Mapping[str, object], subject: Party, actor: Party | None) -> Mapping[str, object]:
    """The actor's own claims, with the subject's under `subject`; without an actor the subject's own."""
    times = {"iat": claims.get("iat"), "exp": claims.get("exp")}
    if actor is None:
        return {**subject.claims, **times}
    return {**actor.claims, **times, "subject": dict(subject.claims)}


def _human(subject: Party) -> OnBehalfOf:
    return OnBehalfOf(subject.name, subject.groups, subject.kubernetes_user, subject.provider)


def _party(value: object, *, acting: bool = False) -> Party:
    """`acting`: nobody may act for who acts already; the endpoint makes no chains."""
    if not isinstance(value, dict):
        raise Refused(_MALFORMED)
    name, provider, proof = value.get("sub"), value.get("idp"), value.get("proof")
    groups, claims = value.get("groups", []), value.get("claims", {})
    sound = (
        is_clean_name(name)
        and is_clean_name(provider)
        and proof in _PROOFS
        and isinstance(groups, list)
        and len(groups) <= MAX_GROUPS
        and all(is_clean_name(group, MAX_GROUP_NAME) for group in groups)
        and isinstance(claims, dict)
        and ("kubernetes_user" not in value or is_clean_name(value["kubernetes_user"]))
        and (not acting or "act" not in value)
    )
    if not sound:
        raise Refused(_MALFORMED)
    user = value.get("kubernetes_user")
    return Party(
        str(name),
        str(provider),
        Proof(str(proof)),
        tuple(str(group) for group in groups),
        _account(value.get("account")),
        str(user) if user is not None else None,
        claims,
    )


def _account(value: object) -> ServiceAccountName | None:
    if value is None:
        return None
    namespace = value.get("namespace") if isinstance(value, dict) else None
    name = value.get("name") if isinstance(value, dict) else None
    if not is_clean_name(namespace) or not is_clean_name(name):
        raise Refused(_MALFORMED)
    return ServiceAccountName(str(namespace), str(name))


def _scope(claims: Mapping[str, object]) -> tuple[str, ...] | None:
    scope = claims.get("scope")
    if scope is None:
        return None
    try:
        return parse_scope(scope if isinstance(scope, str) else "")
    except ValueError:
        raise Refused("the token's scope is not one that is known here (scope)") from None


def _origins(claims: Mapping[str, object]) -> tuple[Origin, ...]:
    """Never empty: a token that does not say what it was traded for could hide from revocation."""
    listed = claims.get("origins")
    if not isinstance(listed, list) or not 0 < len(listed) <= 4:
        raise Refused(_MALFORMED)
    return tuple(_origin(one) for one in listed)


def _origin(value: object) -> Origin:
    if not isinstance(value, dict) or not is_clean_name(value.get("idp")):
        raise Refused(_MALFORMED)
    token_id, issued = value.get("jti"), value.get("iat")
    known = isinstance(issued, int | float) and not isinstance(issued, bool)
    return Origin(
        str(value["idp"]),
        str(token_id) if isinstance(token_id, str) else None,
        float(issued) if known and isinstance(issued, int | float) else None,
    )

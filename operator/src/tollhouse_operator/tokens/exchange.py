"""Token exchange (RFC 8693): a workload's token and a person's for one that speaks of both.

The subject is the person on whose behalf something is done, the actor the workload that does it. Who
may be traded for whom is what IdentityProviders of kind `tollhouse` say; the proxies ask it again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from tollhouse_core.api.identity_provider import IdentityProvider
from tollhouse_core.identity import Identity
from tollhouse_core.proving import NotProven, ProofUnavailable
from tollhouse_core.scope import narrows, parse_scope
from tollhouse_core.secret import Secret
from tollhouse_operator.tokens.minting import Grant

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a name
JWT = "urn:ietf:params:oauth:token-type:jwt"
_TAKEN = frozenset({ACCESS_TOKEN, JWT})
_KNOWN = frozenset(
    {"grant_type", "subject_token", "subject_token_type", "actor_token", "actor_token_type", "scope"}
    | {"audience", "requested_token_type"}
)

Prove = Callable[[Secret], Awaitable[Identity]]


class NoToken(Exception):
    """No token is given. `code` is the protocol's (RFC 6749 section 5.2), `str()` is for the client."""

    def __init__(self, code: str, words: str, status: int = 400) -> None:
        super().__init__(words)
        self.code = code
        self.status = status


@dataclass(frozen=True, slots=True)
class Terms:
    """audiences: whom tokens may be meant for. seconds: how long they live at most."""

    audiences: Sequence[str]
    seconds: float


async def grant_for(
    form: Mapping[str, str], prove: Prove, providers: Sequence[IdentityProvider], terms: Terms
) -> Grant:
    """What the request gets. Raises NoToken."""
    _require_form(form)
    subject = await _proved(form, "subject", prove)
    actor = await _proved(form, "actor", prove) if "actor_token" in form else None
    if any(_carries_an_actor(party) for party in (subject, actor) if party is not None):
        raise NoToken("invalid_grant", "a token that carries an actor already is not traded again")
    if actor is not None and (actor.provider, actor.name) == (subject.provider, subject.name):
        raise NoToken("invalid_grant", "the actor is the subject: nobody acts on behalf of themselves")
    _require_trade(subject, actor, providers)
    _require_may_act(subject, actor)
    return Grant(subject, actor, audiences_of(form, terms), _scope(form, subject, actor), terms.seconds)


def _require_form(form: Mapping[str, str]) -> None:
    unknown = sorted(set(form) - _KNOWN)
    if unknown:
        raise NoToken("invalid_request", f"not known here: {unknown[0][:64]!a}")
    if form.get("requested_token_type", ACCESS_TOKEN) not in _TAKEN:
        raise NoToken("invalid_request", "requested_token_type: only access tokens are given")
    if "actor_token_type" in form and "actor_token" not in form:
        raise NoToken("invalid_request", "actor_token_type without actor_token")


async def _proved(form: Mapping[str, str], role: str, prove: Prove) -> Identity:
    if form.get(f"{role}_token_type") not in _TAKEN:
        raise NoToken("invalid_request", f"{role}_token_type must be {ACCESS_TOKEN} or {JWT}")
    problem: NoToken
    try:
        return await prove(Secret(form.get(f"{role}_token", "")))
    except ProofUnavailable as error:
        problem = NoToken("temporarily_unavailable", f"{role}_token: {error}", 503)
    except NotProven as error:
        problem = NoToken("invalid_grant", f"{role}_token: {error}")
    raise problem


def _require_trade(subject: Identity, actor: Identity | None, providers: Sequence[IdentityProvider]) -> None:
    for provider in providers:
        terms = provider.spec.tollhouse
        if terms is None or subject.provider not in terms.subjects:
            continue
        if actor is None and not terms.require_actor:
            return
        if actor is not None and actor.provider in terms.actors:
            return
    whom = f"{subject.provider} by {actor.provider}" if actor else f"{subject.provider} alone"
    words = f"no IdentityProvider of kind tollhouse lets tokens of {whom} be traded (subjects, actors)"
    raise NoToken("invalid_grant", words)


def _carries_an_actor(party: Identity) -> bool:
    """Whether somebody acts already, be it that the provider maps the claim or not: traded away, it would be
    as if the person had come alone."""
    return party.on_behalf_of is not None or "act" in party.claims


def _require_may_act(subject: Identity, actor: Identity | None) -> None:
    """`may_act` (RFC 8693 section 4.4): the subject's issuer says who may act for them, if it says it. Where
    it names no issuer it means somebody of its own: a `sub` says nothing without its issuer."""
    if "may_act" not in subject.claims or actor is None:
        return
    wanted = subject.claims["may_act"]
    if not isinstance(wanted, dict) or not isinstance(wanted.get("sub"), str):
        raise NoToken("invalid_grant", "subject_token: whom it lets act cannot be read (may_act)")
    named = (wanted.get("iss", subject.claims.get("iss")), wanted["sub"])
    if named != (actor.claims.get("iss"), actor.claims.get("sub")):
        raise NoToken("invalid_grant", "subject_token: it lets somebody else act (may_act: iss, sub)")


def audiences_of(form: Mapping[str, str], terms: Terms) -> Sequence[str]:
    """Whom the token shall be meant for. Raises NoToken."""
    wanted = form.get("audience")
    if wanted is None:
        return terms.audiences
    if wanted not in terms.audiences:
        raise NoToken("invalid_target", f"audience must be one of {', '.join(terms.audiences)}")
    return (wanted,)


def scope_of(form: Mapping[str, str]) -> tuple[str, ...] | None:
    """The scope that is asked for, None where none is. Raises NoToken."""
    if "scope" not in form:
        return None
    problem = ""
    try:
        return parse_scope(form["scope"])
    except ValueError as error:
        problem = str(error)
    raise NoToken("invalid_scope", problem)


def _scope(form: Mapping[str, str], subject: Identity, actor: Identity | None) -> tuple[str, ...] | None:
    held = [party.scope for party in (subject, actor) if party is not None and party.scope is not None]
    wanted = scope_of(form)
    if wanted is None:
        if len(held) > 1:
            raise NoToken("invalid_scope", "both tokens have a scope: say which one is wanted")
        return held[0] if held else None
    if not all(narrows(wanted, bound) for bound in held):
        raise NoToken("invalid_scope", "the scope goes beyond that of the token it is asked with")
    return wanted

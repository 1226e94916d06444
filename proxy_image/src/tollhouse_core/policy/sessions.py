"""Who may have a session at all, and how long it may last."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from tollhouse_core.decision import Allow, Decision, Deny, NeedsFacts, RuleRef, SessionTerms
from tollhouse_core.identity import Identity, Session
from tollhouse_core.operation import Access, AccessKind, Operation, Verb
from tollhouse_core.policy.bundle import PolicyBundle
from tollhouse_core.policy.deliberation import Deliberation
from tollhouse_core.policy.evaluate import evaluate
from tollhouse_core.scope import names


def admits(bundle: PolicyBundle, identity: Identity) -> bool:
    """Whether some rule of some policy is about this identity. Nobody else gets a session, and
    who is not admitted any more loses theirs."""
    return bundle.applicable(identity).admitted


def role_decision(bundle: PolicyBundle, session: Session, role: str, now: datetime) -> Allow | Deny:
    """Whether the session's identity may have that role of the Connection. A log-in waits neither for
    facts nor for people: what would need them is denied."""
    chosen = Access(Verb.CONNECT, AccessKind.ROLE, "Connect", (role,))
    operation = Operation("CONNECT", (chosen,), text=f"CONNECT AS {role}", counted=False)
    decision: Decision = evaluate(bundle, session, operation, now)
    if isinstance(decision, NeedsFacts):
        unknown = replace(operation, facts=dict.fromkeys(decision.names))
        decision = evaluate(bundle, session, unknown, now)
    if isinstance(decision, Allow | Deny):
        return decision
    return Deny(bundle.revision, RuleRef(), "denied: a log-in can wait neither for facts nor for people")


def turned_out(bundle: PolicyBundle, identity: Identity, now: datetime) -> str:
    """Why a Revocation or the token's own scope lets this identity have no session, in words for the
    client; "" where nothing is in the way."""
    connection = bundle.connection
    if identity.scope is not None and not names(identity.scope, connection.namespace, connection.name):
        return "the token's scope names nothing of this connection"
    return bundle.revoked.why(identity, now)


def session_terms(bundle: PolicyBundle, session: Session, now: datetime) -> SessionTerms:
    """The strictest of what the Connection and the identity's rules say. `rule` is the one whose
    maximum duration holds, empty where that is the Connection's own (or none)."""
    thought = Deliberation(bundle.asked_facts, session, None, now)
    own = bundle.connection.spec.session
    terms = [
        SessionTerms(
            own.max_duration.seconds if own.max_duration else None,
            own.idle_timeout.seconds if own.idle_timeout else None,
        )
    ]
    rules = bundle.applicable(session.identity).sessions
    terms += [rule.terms for rule in rules if thought.binds_quietly(rule.head, "session")]
    longest = _least((each.max_duration_seconds, each.rule) for each in terms)
    idle = _least((each.idle_timeout_seconds, each.rule) for each in terms)
    return SessionTerms(longest[0], idle[0], longest[1])


def _least(found: Iterable[tuple[float | None, RuleRef]]) -> tuple[float | None, RuleRef]:
    bounds = [(seconds, rule) for seconds, rule in found if seconds is not None]
    if not bounds:
        return None, RuleRef()
    return min(bounds, key=lambda each: (each[0], each[1].policy, each[1].rule))

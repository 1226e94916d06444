"""Where sessions begin (the `Gate` port)."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import uuid4

from tollhouse_core.audit.event import EventKind
from tollhouse_core.decision import Allow, Deny, Refusal, Refused, RuleRef
from tollhouse_core.identity import Identity, Session
from tollhouse_core.policy.sessions import admits, role_decision, turned_out
from tollhouse_proxy.guard.house import House
from tollhouse_proxy.guard.journal import Journal
from tollhouse_proxy.guard.records import identity_record, session_record
from tollhouse_proxy.guard.session import SessionJudge, no_bundle, unrecorded
from tollhouse_proxy.ports.audit import AuditUnavailable
from tollhouse_proxy.ports.judging import SessionNotAllowed


class Gate:
    """Lets identities in that some policy speaks of, and records everybody who knocked."""

    def __init__(self, house: House) -> None:
        self._house = house

    def open(self, session: Session) -> SessionJudge:
        """See the port."""
        bundle = self._house.in_force.bundle
        if bundle is None:
            raise self._turn_away(session, no_bundle())
        if not admits(bundle, session.identity):
            raise self._turn_away(session, not_admitted(session, bundle.revision))
        if session.role:
            decision = role_decision(bundle, session, session.role, self._house.clock.now())
            self._house.counters.observed(decision.observed)
            if isinstance(decision, Deny):
                raise self._turn_away(session, role_refused(decision))
        if why := turned_out(bundle, session.identity, self._house.clock.now()):
            raise self._turn_away(session, revoked(why, bundle.revision))
        judge = SessionJudge(self._house, session)
        try:
            judge.journal.write(EventKind.SESSION_OPENED, session_record(session, bundle.revision))
        except AuditUnavailable as error:
            self._house.counters.sessions_refused += 1
            raise SessionNotAllowed(unrecorded(error, bundle.revision)) from None
        self._house.counters.sessions_opened += 1
        self._house.counters.sessions_open += 1
        return judge

    def roles(self, session: Session, offered: Iterable[str]) -> tuple[str, ...]:
        """See the port."""
        bundle = self._house.in_force.bundle
        if bundle is None:
            return ()
        now = self._house.clock.now()
        return tuple(role for role in offered if isinstance(role_decision(bundle, session, role, now), Allow))

    def refused(self, address: str, reason: str, identity: Identity | None = None) -> None:
        """See the port. There is no session, so the record is a chain of its own, of one event."""
        self._house.counters.sessions_refused += 1
        data: dict[str, object] = {"address": address, "reason": reason}
        if identity is not None:
            data["identity"] = identity_record(identity)
        journal = Journal(uuid4().hex, self._house.sink, self._house.clock)
        try:
            journal.write(EventKind.SESSION_REFUSED, data)
        except AuditUnavailable:
            # Nobody was let in and nothing was done: the refusal stands without its record.
            return

    def _turn_away(self, session: Session, refused: Refused) -> SessionNotAllowed:
        self.refused(session.address, refused.message, session.identity)
        return SessionNotAllowed(refused)


def role_refused(decision: Deny) -> Refused:
    """The identity may not have the role it asks for."""
    return Refused(Refusal.DENIED, decision.message, decision.hint, decision.rule, decision.revision)


def revoked(why: str, revision: str) -> Refused:
    """A Revocation is about this identity."""
    hint = "Ask who runs it to lift the revocation, or log in anew where only older tokens are revoked."
    return Refused(Refusal.DENIED, why, hint, RuleRef(), revision)


def not_admitted(session: Session, revision: str) -> Refused:
    """No policy is about this identity."""
    return Refused(
        Refusal.DENIED,
        f"no policy of connection {session.connection} is about {session.identity.name}",
        "Ask who runs it to name this identity, or a group of it, in an AccessPolicy.",
        RuleRef(),
        revision,
    )

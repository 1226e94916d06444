"""Who gets a session, and for how long."""

from __future__ import annotations

from datetime import timedelta

from kit.policies import NOON, bundle_of, connection_of, identity_of, policy_of, session_of
from tollhouse_core.decision import RuleRef, SessionTerms
from tollhouse_core.policy.sessions import admits, session_terms

READ = "[{allow: {sql: {access: [Select], tables: [orders]}}}]"


def test_only_who_a_policy_is_about_is_admitted() -> None:
    bundle = bundle_of(policy_of(READ, subjects=[{"group": "support"}], exempt=[{"user": "mallory"}]))
    assert admits(bundle, identity_of("alice", "support"))
    assert not admits(bundle, identity_of("alice"))
    assert not admits(bundle, identity_of("mallory", "support"))
    assert not admits(bundle_of(), identity_of("alice", "support"))


def test_without_rules_the_connection_says_how_long() -> None:
    bundle = bundle_of(READ, connection=connection_of("session: {maxDuration: 8h, idleTimeout: 30m}"))
    assert session_terms(bundle, session_of(), NOON) == SessionTerms(28800.0, 1800.0, RuleRef())
    assert session_terms(bundle_of(READ), session_of(), NOON) == SessionTerms()


def test_the_strictest_of_connection_and_rules_holds_and_the_rule_is_named() -> None:
    rules = """
    - {name: short, session: {maxDuration: 5m, idleTimeout: 1h}}
    - {name: longer, session: {maxDuration: 6m}}
    - {name: others, except: [{authenticated: {}}], session: {maxDuration: 1s}}
    """
    bundle = bundle_of(rules, connection=connection_of("session: {maxDuration: 8h, idleTimeout: 30m}"))
    terms = session_terms(bundle, session_of(), NOON)
    assert (terms.max_duration_seconds, terms.idle_timeout_seconds, terms.rule.rule) == (
        300.0,
        1800.0,
        "short",
    )


def test_a_rule_on_sessions_may_have_a_condition() -> None:
    rule = """
    - name: night
      when: 'now.getHours("Europe/Berlin") >= 22'
      session: {maxDuration: 1m}
    """
    bundle = bundle_of(rule)
    assert session_terms(bundle, session_of(), NOON).max_duration_seconds is None
    assert session_terms(bundle, session_of(), NOON + timedelta(hours=9)).max_duration_seconds == 60.0


def test_a_condition_that_fails_makes_the_shorter_session_hold() -> None:
    bundle = bundle_of("[{when: identity.claims.vip == false, session: {maxDuration: 1m}}]")
    assert session_terms(bundle, session_of(), NOON).max_duration_seconds == 60.0
    vip = session_of(identity_of(vip=True))
    assert session_terms(bundle, vip, NOON).max_duration_seconds is None

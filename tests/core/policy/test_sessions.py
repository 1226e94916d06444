"""Who gets a session, and for how long."""

from __future__ import annotations

from datetime import timedelta

from kit.policies import (
    NOON,
    bundle_of,
    connection_of,
    identity_of,
    policy_of,
    problems_of,
    session_of,
)
from tollhouse_core.decision import Allow, RuleRef, SessionTerms
from tollhouse_core.policy.sessions import admits, role_decision, session_terms

READ = "[{allow: {sql: {access: [Select], tables: [orders]}}}]"


def test_only_who_a_policy_is_about_is_admitted() -> None:
    bundle = bundle_of(policy_of(READ, subjects=[{"group": "support"}], exempt=[{"user": "mallory"}]))
    assert admits(bundle, identity_of("alice", "support"))
    assert not admits(bundle, identity_of("alice"))
    assert not admits(bundle, identity_of("mallory", "support"))
    assert not admits(bundle_of(), identity_of("alice", "support"))


def chosen(rules: str, role: str = "billing", **claims: object) -> str:
    decision = role_decision(bundle_of(rules), session_of(identity_of(**claims)), role, NOON)
    return "" if isinstance(decision, Allow) else decision.message


def test_a_role_needs_a_rule_that_gives_it() -> None:
    assert chosen(READ) == "denied: no rule gives the role billing to triage"
    assert not chosen("[{allow: {sql: {roles: [billing]}}}]")
    assert chosen("[{allow: {sql: {roles: [billing]}}}]", "Billing")
    assert not chosen("[{when: identity.claims.clerk, allow: {sql: {roles: ['*']}}}]", clerk=True)
    assert chosen("[{when: identity.claims.clerk, allow: {sql: {roles: ['*']}}}]")


def test_a_deny_of_a_role_wins_and_nothing_else_is_asked_for() -> None:
    rules = """
    - {name: all, allow: {sql: {roles: ["*"]}}}
    - {name: not-this-one, deny: {sql: {roles: ["bill*"]}, message: "Ask accounting."}}
    """
    assert chosen(rules) == "denied by policy agents, rule not-this-one: Ask accounting."
    assert not chosen(rules, "reporting")
    asked = "[{when: operation.estimatedRows > 5, allow: {sql: {roles: [billing]}}}]"
    assert chosen(asked) == "denied: no rule gives the role billing to triage"


def test_a_role_cannot_wait_for_people() -> None:
    rules = "[{requireApproval: {sql: {roles: [billing]}, approvers: [{group: managers}]}}]"
    assert [problem.path for problem in problems_of(rules)] == ["spec.rules[0].requireApproval.sql.roles"]


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

"""Of whom a policy and a rule speak."""

from __future__ import annotations

from kit.judging import READ, judge
from kit.policies import agent_of, bundle_of, identity_of, policy_of, session_of, table
from tollhouse_core.decision import Allow, Deny


def test_subjects_are_any_of_and_exceptions_take_out() -> None:
    policy = policy_of(
        READ,
        subjects=[{"group": "support"}, {"user": "planner", "provider": "corp"}],
        exempt=[{"group": "contractors"}],
    )
    bundle = bundle_of(policy)
    access = table("Select", "orders")
    assert isinstance(judge(bundle, access, session=session_of(identity_of("a", "support"))), Allow)
    assert isinstance(judge(bundle, access, session=session_of(identity_of("planner"))), Allow)
    assert isinstance(judge(bundle, access, session=session_of(identity_of("planner", provider="x"))), Deny)
    both = session_of(identity_of("a", "support", "contractors"))
    assert isinstance(judge(bundle, access, session=both), Deny)


def test_an_exception_on_a_single_rule_takes_out_of_that_rule_alone() -> None:
    rules = """
    - {name: read, allow: {sql: {access: [Select], tables: [orders]}}}
    - {name: never, except: [{group: dba}], deny: {sql: {access: [Select], tables: [orders]}}}
    """
    bundle = bundle_of(rules)
    assert isinstance(judge(bundle, table("Select", "orders")), Deny)
    dba = session_of(identity_of("alice", "dba"))
    assert isinstance(judge(bundle, table("Select", "orders"), session=dba), Allow)


def test_a_service_account_is_named_by_namespace_and_name() -> None:
    subject = {"serviceAccount": {"namespace": "agents", "name": "triage"}}
    bundle = bundle_of(policy_of(READ, subjects=[subject]))
    access = table("Select", "orders")
    assert isinstance(judge(bundle, access, session=session_of(agent_of("agents/triage"))), Allow)
    assert isinstance(judge(bundle, access, session=session_of(agent_of("other/triage"))), Deny)
    named_alike = session_of(identity_of("triage"))
    assert isinstance(judge(bundle, access, session=named_alike), Deny)

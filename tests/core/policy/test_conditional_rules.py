"""Rules with a condition: whether they hold, which facts are asked for, what may be remembered."""

from __future__ import annotations

from kit.judging import READ, judge
from kit.policies import bundle_of, table
from tollhouse_core.decision import Allow, Deny, NeedsApproval, NeedsFacts


def test_a_condition_decides_whether_a_rule_holds() -> None:
    rule = '[{name: blind, when: "!operation.hasWhere", deny: {sql: {access: [Delete], tables: ["*"]}}}]'
    bundle = bundle_of('[{allow: {sql: {access: [Delete], tables: ["*"]}}}]', rule)
    assert isinstance(judge(bundle, table("Delete", "orders"), hasWhere=True), Allow)
    assert isinstance(judge(bundle, table("Delete", "orders"), hasWhere=False), Deny)


def test_a_condition_that_fails_makes_a_deny_hold_and_is_reported() -> None:
    rule = """
    - {name: night, when: 'identity.claims.tenant == "a"', deny: {sql: {access: [Select], tables: ["*"]}}}
    """
    decision = judge(bundle_of(READ, rule), table("Select", "orders"))
    assert isinstance(decision, Deny)
    (seen,) = decision.observed
    assert seen.rule.rule == "night"
    assert "condition failed" in seen.message


def test_a_condition_that_fails_makes_an_allow_not_count_and_is_reported() -> None:
    rule = """
    - {name: own, when: 'identity.claims.tenant == "a"', allow: {sql: {access: [Select], tables: ["*"]}}}
    """
    decision = judge(bundle_of(rule), table("Select", "orders"))
    assert isinstance(decision, Deny)
    (seen,) = decision.observed
    assert (seen.rule.rule, seen.would) == ("own", "allow")


def test_a_condition_that_fails_makes_approval_mask_filter_and_limit_hold() -> None:
    rules = """
    - {name: read, allow: {sql: {access: [Select], tables: ["*"]}}}
    - name: ask
      when: identity.claims.x
      requireApproval: {sql: {access: [Select], tables: ["*"]}, approvers: [{group: g}]}
    - {name: hide, when: identity.claims.x, mask: {columns: [orders.id], with: {nullify: {}}}}
    - {name: scan, when: identity.claims.x, mask: {content: [Email], with: {nullify: {}}}}
    - {name: rows, when: identity.claims.x, filter: {tables: [orders], where: "true"}}
    - {name: pace, when: identity.claims.x, limit: {queries: 1, per: 1m}}
    """
    decision = judge(bundle_of(rules), table("Select", "orders"))
    assert isinstance(decision, NeedsApproval)
    held = decision.obligations
    assert len(held.columns) == len(held.filters) == len(held.content) == len(held.limits) == 1
    assert {seen.rule.rule for seen in decision.observed} == {"ask", "hide", "scan", "rows", "pace"}


def test_a_fact_that_costs_is_asked_only_when_a_rule_mentions_it() -> None:
    rule = "[{when: operation.estimatedRows > 100, deny: {sql: {access: [Delete], tables: [orders]}}}]"
    bundle = bundle_of('[{allow: {sql: {access: [Delete, Select], tables: ["*"]}}}]', rule)
    assert isinstance(judge(bundle, table("Select", "orders")), Allow)
    asked = judge(bundle, table("Delete", "orders"))
    assert isinstance(asked, NeedsFacts)
    assert asked.names == {"estimatedRows"}
    assert isinstance(judge(bundle, table("Delete", "orders"), estimatedRows=100), Allow)
    assert isinstance(judge(bundle, table("Delete", "orders"), estimatedRows=101), Deny)


def test_a_fact_that_could_not_be_found_counts_as_the_stricter_outcome() -> None:
    rule = "[{when: operation.estimatedRows > 100, deny: {sql: {access: [Delete], tables: [orders]}}}]"
    bundle = bundle_of('[{allow: {sql: {access: [Delete], tables: ["*"]}}}]', rule)
    assert isinstance(judge(bundle, table("Delete", "orders"), estimatedRows=None), Deny)


def test_no_fact_is_asked_for_what_is_denied_anyway() -> None:
    rules = """
    - {when: operation.estimatedRows < 5, allow: {sql: {access: [Select], tables: [orders]}}}
    - {deny: {sql: {access: [Delete], tables: [orders]}}}
    """
    bundle = bundle_of(rules)
    assert isinstance(judge(bundle, table("Select", "orders"), table("Delete", "orders")), Deny)
    assert isinstance(judge(bundle, table("Select", "orders"), table("Select", "secrets")), Deny)
    assert isinstance(judge(bundle, table("Select", "orders")), NeedsFacts)


def test_a_fact_is_asked_for_an_approval_that_would_open_the_access() -> None:
    rule = """
    - name: ask
      when: operation.estimatedRows > 10
      requireApproval: {sql: {access: [Delete], tables: [orders]}, approvers: [{group: g}]}
    """
    bundle = bundle_of(rule)
    assert isinstance(judge(bundle, table("Delete", "orders")), NeedsFacts)
    assert isinstance(judge(bundle, table("Delete", "orders"), estimatedRows=11), NeedsApproval)
    assert isinstance(judge(bundle, table("Delete", "orders"), estimatedRows=10), Deny)


def test_a_decision_is_cacheable_only_when_it_read_nothing_that_changes() -> None:
    steady = bundle_of(
        READ, """[{when: '"dba" in identity.groups', deny: {sql: {access: [Select], tables: ["*"]}}}]"""
    )
    decision = judge(steady, table("Select", "orders"))
    assert isinstance(decision, Allow)
    assert decision.cacheable
    for condition in (
        "operation.text == 'x'",
        "operation.hasWhere == false",
        "now.getHours() == 3",
        "session.startedAt > now",
        "operation.inTransaction",
    ):
        moving = bundle_of(
            READ, f'[{{when: "{condition}", deny: {{sql: {{access: [Select], tables: ["*"]}}}}}}]'
        )
        decision = judge(moving, table("Select", "orders"))
        assert isinstance(decision, Allow), condition
        assert not decision.cacheable, condition


def test_an_unconditional_allow_makes_conditional_ones_needless() -> None:
    bundle = bundle_of(
        READ, "[{when: operation.hasWhere, allow: {sql: {access: [Select], tables: [orders]}}}]"
    )
    decision = judge(bundle, table("Select", "orders"))
    assert isinstance(decision, Allow)
    assert decision.cacheable

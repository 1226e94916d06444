"""The sentences of "Judging", each as a test."""

from __future__ import annotations

from kit.judging import APPROVE, READ, judge
from kit.policies import (
    NOON,
    bundle_of,
    command,
    function,
    identity_of,
    opaque,
    operation_of,
    policy_of,
    resource,
    session_of,
    table,
)
from tollhouse_core.decision import Allow, Deny, LimitUnit, Mode, NeedsApproval, WhileWaiting
from tollhouse_core.policy.evaluate import evaluate


def test_an_operation_is_allowed_when_every_access_is_allowed_by_some_rule() -> None:
    bundle = bundle_of(READ, "[{allow: {sql: {access: [Insert], tables: [archive]}}}]")
    both = judge(bundle, table("Insert", "archive"), table("Select", "orders"))
    assert isinstance(both, Allow)


def test_an_allow_names_the_rule_that_opened_the_first_access_that_needs_one() -> None:
    bundle = bundle_of(READ, "[{name: insert, allow: {sql: {access: [Insert], tables: [archive]}}}]")
    beneath = table("Select", "anything", needs_rule=False)
    for accesses, rule in (
        ((table("Insert", "archive"), table("Select", "orders")), "insert"),
        ((beneath, table("Select", "orders"), table("Insert", "archive")), "rule-0"),
        ((beneath,), ""),
    ):
        decision = judge(bundle, *accesses)
        assert isinstance(decision, Allow)
        assert decision.rule.rule == rule


def test_one_access_without_a_rule_denies_the_whole_operation() -> None:
    decision = judge(bundle_of(READ), table("Select", "orders"), table("Insert", "archive"))
    assert isinstance(decision, Deny)
    assert decision.rule.policy == decision.rule.rule == ""
    assert decision.message == "denied: no rule allows Insert on public.archive to triage"


def test_nothing_matches_means_denied() -> None:
    assert isinstance(judge(bundle_of(READ), table("Select", "secrets")), Deny)


def test_a_rule_allows_only_the_access_it_names() -> None:
    assert isinstance(judge(bundle_of(READ), table("Update", "orders")), Deny)


def test_any_matching_deny_wins_over_every_allow() -> None:
    bundle = bundle_of(READ, "[{name: never, deny: {sql: {access: [Select], tables: [customers]}}}]")
    decision = judge(bundle, table("Select", "orders"), table("Select", "customers"))
    assert isinstance(decision, Deny)
    assert (decision.rule.policy, decision.rule.rule) == ("agents-1", "never")


def test_a_deny_wins_over_a_needed_approval() -> None:
    bundle = bundle_of(APPROVE, "[{deny: {sql: {access: [Delete], tables: [orders]}}}]")
    assert isinstance(judge(bundle, table("Delete", "orders")), Deny)


def test_a_needed_approval_wins_over_an_allow() -> None:
    bundle = bundle_of(APPROVE, "[{allow: {sql: {access: [Delete], tables: [orders]}}}]")
    assert isinstance(judge(bundle, table("Delete", "orders")), NeedsApproval)


def test_an_access_that_is_approved_counts_as_allowed() -> None:
    decision = judge(bundle_of(APPROVE), table("Delete", "orders"))
    assert isinstance(decision, NeedsApproval)
    (rule, terms), *others = decision.terms
    assert not others
    assert rule.rule == "refunds"
    assert terms.approvers[0].group == "managers"
    assert terms.while_waiting is WhileWaiting.HOLD


def test_people_are_not_asked_when_another_access_has_no_rule() -> None:
    decision = judge(bundle_of(APPROVE), table("Delete", "orders"), table("Select", "orders"))
    assert isinstance(decision, Deny)
    assert "Select on public.orders" in decision.message


def test_every_rule_that_asks_for_approval_must_be_met() -> None:
    more = """
    - name: big
      requireApproval: {sql: {access: [Delete], tables: [orders]}, approvers: [{group: dba, count: 2}]}
    """
    decision = judge(bundle_of(APPROVE, more), table("Delete", "orders"))
    assert isinstance(decision, NeedsApproval)
    assert [rule.rule for rule, _ in decision.terms] == ["refunds", "big"]
    assert decision.rule.rule == "refunds"


def test_deny_and_approval_bind_on_what_lies_beneath_a_view() -> None:
    allow_view = "[{allow: {sql: {access: [Select], tables: [visits]}}}]"
    beneath = table("Select", "patients", needs_rule=False)
    assert isinstance(judge(bundle_of(allow_view), table("Select", "visits"), beneath), Allow)
    denied = bundle_of(allow_view, "[{deny: {sql: {access: [Select], tables: [patients]}}}]")
    assert isinstance(judge(denied, table("Select", "visits"), beneath), Deny)


def test_where_something_is_hidden_what_a_view_calls_needs_a_rule_too() -> None:
    view, called = table("Select", "orders"), function("peek", needs_rule=False)
    assert isinstance(judge(bundle_of(READ), view, called), Allow)
    for hidden in (
        "[{mask: {columns: [customers.email], with: {redact: {}}}}]",
        "[{filter: {tables: [customers], where: 'id > 0'}}]",
    ):
        decision = judge(bundle_of(READ, hidden), view, called)
        assert isinstance(decision, Deny)
        assert decision.message == "denied: no rule allows Execute on public.peek to triage"
        named = bundle_of(READ, hidden, "[{allow: {sql: {functions: [peek]}}}]")
        assert isinstance(judge(named, view, called), Allow)
        assert isinstance(judge(bundle_of(READ, hidden), view, table("Select", "x", needs_rule=False)), Allow)


def test_an_allow_or_a_deny_on_a_partitions_parent_is_one_on_the_partition() -> None:
    part = table("Select", "events_2026", also=("events",))
    assert isinstance(judge(bundle_of("[{allow: {sql: {access: [Select], tables: [events]}}}]"), part), Allow)
    bundle = bundle_of(
        '[{allow: {sql: {access: [Select], tables: ["events_*"]}}}]',
        "[{deny: {sql: {access: [Select], tables: [events]}}}]",
    )
    assert isinstance(judge(bundle, part), Deny)


def test_what_was_not_understood_is_denied_whatever_the_rules_say() -> None:
    everything = """
    - {allow: {sql: {access: [Select, Insert, Update, Delete, Truncate], tables: ["*"]}}}
    - {allow: {sql: {commands: ["*"]}}}
    - {allow: {sql: {functions: ["*"]}}}
    - {name: ask, requireApproval: {sql: {commands: ["*"]}, approvers: [{group: dba}]}}
    """
    decision = judge(bundle_of(everything), opaque())
    assert isinstance(decision, Deny)
    assert "unknown statement cannot be judged" in decision.message


def test_an_operation_without_accesses_needs_no_rule_but_somebody_known() -> None:
    bundle = bundle_of(policy_of(READ, subjects=[{"group": "support"}]))
    known = session_of(identity_of("triage", "support"))
    assert isinstance(judge(bundle, session=known), Allow)
    stranger = judge(bundle, session=session_of(identity_of("mallory")))
    assert isinstance(stranger, Deny)
    assert "no policy" in stranger.message
    assert stranger.cacheable


def test_commands_are_globs_on_command_tags() -> None:
    bundle = bundle_of('[{allow: {sql: {commands: ["create *"]}}}]')
    assert isinstance(judge(bundle, command("CREATE TABLE", "public", "x")), Allow)
    assert isinstance(judge(bundle, command("ALTER TABLE", "public", "x")), Deny)


def test_a_function_stands_alone_as_a_rule() -> None:
    bundle = bundle_of("[{allow: {sql: {functions: [refund, stats.*]}}}]")
    assert isinstance(judge(bundle, function("refund")), Allow)
    assert isinstance(judge(bundle, function("stats.daily")), Allow)
    assert isinstance(judge(bundle, function("other")), Deny)


def test_a_bare_star_opens_every_schema_but_the_servers_own() -> None:
    bundle = bundle_of('[{allow: {sql: {access: [Select], tables: ["*"]}}}]')
    assert isinstance(judge(bundle, table("Select", "sales.orders")), Allow)
    assert isinstance(judge(bundle, table("Select", "pg_catalog.pg_authid")), Deny)
    named = bundle_of("[{allow: {sql: {access: [Select], tables: [pg_catalog.pg_class]}}}]")
    assert isinstance(judge(named, table("Select", "pg_catalog.pg_class")), Allow)


def test_a_bare_star_closes_the_servers_own_schemas_too() -> None:
    bundle = bundle_of(
        "[{allow: {sql: {access: [Select], tables: [pg_catalog.pg_class]}}}]",
        '[{deny: {sql: {access: [Select], tables: ["*"]}}}]',
    )
    decision = judge(bundle, table("Select", "pg_catalog.pg_class"))
    assert isinstance(decision, Deny)
    assert decision.rule.rule == "rule-0"


def test_approval_on_a_star_does_not_open_the_servers_own_schemas() -> None:
    assert isinstance(judge(bundle_of(APPROVE), table("Delete", "pg_catalog.pg_class")), Deny)


def test_a_shadow_or_warn_deny_lets_pass_and_is_observed() -> None:
    for mode in (Mode.SHADOW, Mode.WARN):
        rule = f"[{{name: tried, mode: {mode.value}, deny: {{sql: {{access: [Select], tables: [orders]}}}}}}]"
        decision = judge(bundle_of(READ, rule), table("Select", "orders"))
        assert isinstance(decision, Allow)
        (seen,) = decision.observed
        assert (seen.rule.rule, seen.mode, seen.would) == ("tried", mode, "deny")
        assert not decision.cacheable


def test_a_shadow_approval_asks_nobody_and_opens_nothing() -> None:
    shadow = APPROVE.replace("- name: refunds", "- name: refunds\n  mode: Shadow")
    decision = judge(bundle_of(shadow), table("Delete", "orders"))
    assert isinstance(decision, Deny)
    assert [seen.would for seen in decision.observed] == ["requireApproval"]


def test_limits_come_with_their_mode_and_bind_refused_operations_too() -> None:
    rules = "[{name: pace, limit: {queries: 60, bytes: 1Mi, per: 1m}}]"
    denied = judge(bundle_of(rules), table("Select", "secrets"))
    assert isinstance(denied, Deny)
    assert {(limit.unit, limit.amount, limit.per_seconds) for limit in denied.limits} == {
        (LimitUnit.QUERIES, 60, 60.0),
        (LimitUnit.BYTES, 1048576, 60.0),
    }
    allowed = judge(bundle_of(READ, rules), table("Select", "orders"))
    assert isinstance(allowed, Allow)
    assert allowed.obligations.limits == tuple(
        limit for limit in allowed.obligations.limits if limit.rule.rule == "pace"
    )
    assert len(allowed.obligations.limits) == 2


def test_masks_and_filters_of_the_parent_bind_its_partitions() -> None:
    rules = """
    - {allow: {sql: {access: [Select], tables: ["*"]}}}
    - {name: hide, mask: {columns: [events.email], with: {nullify: {}}}}
    - {name: rows, filter: {tables: [events], where: "true"}}
    """
    part = resource("events_2026", "id", "email", also=("events",))
    operation = operation_of(table("Select", "events_2026"), resources=(part,))
    decision = evaluate(bundle_of(rules), session_of(), operation, NOON)
    assert isinstance(decision, Allow)
    assert [(mask.path, mask.column) for mask in decision.obligations.columns] == [
        (("public", "events_2026"), "email")
    ]
    assert [row.path for row in decision.obligations.filters] == [("public", "events_2026")]

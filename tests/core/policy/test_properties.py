"""What holds for every set of rules and every operation."""

from __future__ import annotations

from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

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
from tollhouse_core.decision import Allow, Decision, Deny, NeedsApproval, NeedsFacts, Obligations
from tollhouse_core.masks import strictness
from tollhouse_core.operation import Access, Operation
from tollhouse_core.policy.evaluate import evaluate

TABLES = ("orders", "customers", "notes")
_globs = st.lists(st.sampled_from([*TABLES, "*", "cust*", "sales.*"]), min_size=1, max_size=2, unique=True)
_actions = st.lists(st.sampled_from(["Select", "Update", "Delete"]), min_size=1, max_size=2, unique=True)
_selectors = st.one_of(
    st.builds(lambda access, tables: {"access": access, "tables": tables}, _actions, _globs),
    st.builds(
        lambda tags: {"commands": tags}, st.lists(st.sampled_from(["DROP *", "VACUUM", "*"]), min_size=1)
    ),
    st.just({"functions": ["*"]}),
)
_conditions = st.sampled_from(
    [
        None,
        None,
        None,
        "operation.hasWhere",
        "!operation.hasWhere",
        "operation.estimatedRows > 10",
        'identity.claims.tenant == "acme"',
        "identity.claims.missing == 1",
        '"dba" in identity.groups',
    ]
)
_masks = st.sampled_from(
    [
        {"nullify": {}},
        {"redact": {}},
        {"partial": {"keepLast": 4}},
        {"partial": {"keepFirst": 4}},
        {"token": {}},
    ]
)
_columns = st.lists(st.sampled_from(["customers.email", "customers.*", "*.id", "*"]), min_size=1, max_size=2)
_content = st.lists(st.sampled_from(["Email", "Phone", "PaymentCard"]), min_size=1, max_size=2, unique=True)


def _ruled(
    action: str, body: st.SearchStrategy[dict[str, Any]], *modes: str
) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda content, when, mode, exempt: {
            action: content,
            **({"when": when} if when else {}),
            **({"mode": mode} if mode != "Enforce" else {}),
            **({"except": [{"group": "dba"}]} if exempt else {}),
        },
        body,
        _conditions,
        st.sampled_from(["Enforce", *modes]),
        st.booleans(),
    )


_allow = _ruled("allow", st.builds(lambda sql: {"sql": sql}, _selectors))
_deny = _ruled("deny", st.builds(lambda sql: {"sql": sql}, _selectors), "Warn", "Shadow")
_approval = _ruled(
    "requireApproval",
    st.builds(lambda sql: {"sql": sql, "approvers": [{"group": "g"}]}, _selectors),
    "Shadow",
)
_mask = _ruled(
    "mask",
    st.one_of(
        st.builds(lambda columns, with_: {"columns": columns, "with": with_}, _columns, _masks),
        st.builds(
            lambda columns, content, with_: {"columns": columns, "content": content, "with": with_},
            _columns,
            _content,
            _masks,
        ),
        st.builds(lambda content, with_: {"content": content, "with": with_}, _content, _masks),
    ),
)
_filter = _ruled(
    "filter",
    st.builds(
        lambda tables, where: {"tables": tables, "where": where},
        _globs,
        st.sampled_from(["a = {{ identity.claims.tenant }}", "b = {{ identity.claims.missing }}", "true"]),
    ),
)
_limit = _ruled(
    "limit", st.builds(lambda count: {"queries": count, "per": "1m"}, st.integers(0, 5)), "Shadow"
)
_rules = st.lists(
    st.one_of(_allow, _allow, _allow, _deny, _approval, _mask, _filter, _limit), min_size=1, max_size=7
)

_accesses = st.lists(
    st.one_of(
        st.builds(
            lambda action, name, needs_rule: table(action, name, needs_rule=needs_rule),
            st.sampled_from(["Select", "Update", "Delete"]),
            st.sampled_from([*TABLES, "sales.deals", "pg_catalog.pg_class"]),
            st.sampled_from([True, True, True, False]),
        ),
        st.sampled_from(
            [command("DROP TABLE", "public", "x"), command("VACUUM"), function("app.f"), opaque()]
        ),
    ),
    max_size=3,
)
_facts = st.sampled_from([{}, {"estimatedRows": 5}, {"estimatedRows": 50}, {"estimatedRows": None}])
SESSIONS = [session_of(identity_of("triage", *groups, tenant="acme")) for groups in ((), ("dba",))]
_sessions = st.sampled_from(SESSIONS)


def operation_from(accesses: list[Access], facts: dict[str, object]) -> Operation:
    resources = tuple(
        resource(access.object, "id", "email") for access in accesses if access.kind.value == "table"
    )
    return operation_of(
        *accesses, resources=resources, facts={"hasWhere": True, "inTransaction": False, **facts}
    )


def judge(rules: list[dict[str, Any]], operation: Operation, session: Any) -> Decision:
    return evaluate(bundle_of(policy_of(named(rules))), session, operation, NOON)


def named(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"name": f"r{index}", **rule} for index, rule in enumerate(rules)]


def openness(decision: Decision) -> int:
    """How far a decision lets through: denied, asked, allowed."""
    match decision:
        case Deny():
            return 0
        case NeedsApproval():
            return 1
        case _:
            return 2


@settings(max_examples=50)
@given(_rules, _accesses, _facts, _sessions, st.randoms(use_true_random=False))
def test_the_order_of_rules_never_matters(
    rules: list[dict[str, Any]], accesses: list[Access], facts: dict[str, object], session: Any, random: Any
) -> None:
    listed = named(rules)
    shuffled = random.sample(listed, len(listed))
    operation = operation_from(accesses, facts)
    one = evaluate(bundle_of(policy_of(listed)), session, operation, NOON)
    other = evaluate(bundle_of(policy_of(shuffled)), session, operation, NOON)
    assert one == other


@settings(max_examples=50)
@given(_rules, _accesses, _facts, _sessions, st.randoms(use_true_random=False))
def test_the_order_of_policies_and_accesses_never_matters(
    rules: list[dict[str, Any]], accesses: list[Access], facts: dict[str, object], session: Any, random: Any
) -> None:
    policies = [policy_of([rule], name=f"p-{index}") for index, rule in enumerate(rules)]
    operation = operation_from(accesses, facts)
    other_way = operation_from(random.sample(accesses, len(accesses)), facts)
    one = evaluate(bundle_of(*policies), session, operation, NOON)
    other = evaluate(bundle_of(*random.sample(policies, len(policies))), session, operation, NOON)
    turned = evaluate(bundle_of(*policies), session, other_way, NOON)
    assert one == other
    assert type(one) is type(turned)


@settings(max_examples=50)
@given(_rules, st.one_of(_deny, _approval, _mask, _filter, _limit), _accesses, _facts, _sessions)
def test_adding_a_deny_an_approval_or_an_obligation_never_opens_more(
    rules: list[dict[str, Any]],
    more: dict[str, Any],
    accesses: list[Access],
    facts: dict[str, object],
    session: Any,
) -> None:
    operation = operation_from(accesses, facts)
    before = judge([*rules, {"limit": {"queries": 1, "per": "1m"}}], operation, session)
    after = judge([*rules, {"limit": {"queries": 1, "per": "1m"}}, more], operation, session)
    if isinstance(before, NeedsFacts) or isinstance(after, NeedsFacts):
        return
    opens_by_asking = "requireApproval" in more and isinstance(after, NeedsApproval)
    assert openness(after) <= openness(before) or opens_by_asking


@settings(max_examples=50)
@given(_rules, _allow, _accesses, _facts, _sessions)
def test_adding_an_allow_never_closes_anything(
    rules: list[dict[str, Any]],
    more: dict[str, Any],
    accesses: list[Access],
    facts: dict[str, object],
    session: Any,
) -> None:
    operation = operation_from(accesses, facts)
    before, after = judge(rules, operation, session), judge([*rules, more], operation, session)
    if isinstance(before, NeedsFacts) or isinstance(after, NeedsFacts):
        return
    filters_cannot_bind = isinstance(before, Deny) and isinstance(after, Deny)
    assert openness(after) >= openness(before) or filters_cannot_bind


def obligations_of(decision: Decision) -> Obligations | None:
    return decision.obligations if isinstance(decision, Allow | NeedsApproval) else None


@settings(max_examples=50)
@given(_rules, st.one_of(_mask, _filter, _limit), _accesses, _facts, _sessions)
def test_adding_an_obligation_never_weakens_what_binds(
    rules: list[dict[str, Any]],
    more: dict[str, Any],
    accesses: list[Access],
    facts: dict[str, object],
    session: Any,
) -> None:
    operation = operation_from(accesses, facts)
    opened = [*rules, {"allow": {"sql": {"access": ["Select"], "tables": ["*"]}}}]
    before = obligations_of(judge(opened, operation, session))
    after = obligations_of(judge([*opened, more], operation, session))
    if before is None or after is None:
        return
    assert set(before.filters) <= set(after.filters)
    assert set(before.limits) <= set(after.limits)
    for held in before.columns:
        alike = [mask for mask in after.columns if (mask.path, mask.column) == (held.path, held.column)]
        assert min(strictness(mask.mask) for mask in alike) <= strictness(held.mask)
    for scan in before.content:
        for detector in scan.detectors:
            alike_scans = [mask for mask in after.content if detector in mask.detectors]
            assert min(strictness(mask.mask) for mask in alike_scans) <= strictness(scan.mask)


@settings(max_examples=50)
@given(_rules, _accesses, _facts, _sessions)
def test_nothing_is_allowed_that_no_rule_names(
    rules: list[dict[str, Any]], accesses: list[Access], facts: dict[str, object], session: Any
) -> None:
    decision = judge(rules, operation_from(accesses, facts), session)
    if isinstance(decision, Deny):
        return
    assert not any(access.kind.value == "opaque" for access in accesses)
    opening = [rule for rule in rules if "allow" in rule or "requireApproval" in rule]
    assert opening or not any(access.needs_rule for access in accesses)


@settings(max_examples=50)
@given(_rules, _accesses, _sessions)
def test_facts_are_asked_at_most_once(
    rules: list[dict[str, Any]], accesses: list[Access], session: Any
) -> None:
    if isinstance(judge(rules, operation_from(accesses, {}), session), NeedsFacts):
        for value in (None, 0, 11, "text"):
            again = judge(rules, operation_from(accesses, {"estimatedRows": value}), session)
            assert not isinstance(again, NeedsFacts)


@settings(max_examples=50)
@given(_rules, _accesses, _sessions)
def test_what_is_denied_without_a_fact_is_denied_with_any(
    rules: list[dict[str, Any]], accesses: list[Access], session: Any
) -> None:
    if isinstance(judge(rules, operation_from(accesses, {}), session), Deny):
        for value in (None, 0, 11):
            known = operation_from(accesses, {"estimatedRows": value})
            assert isinstance(judge(rules, known, session), Deny)


@settings(max_examples=50)
@given(_rules, _accesses, _facts)
def test_a_cacheable_decision_does_not_depend_on_text_parameters_facts_or_time(
    rules: list[dict[str, Any]], accesses: list[Access], facts: dict[str, object]
) -> None:
    bundle = bundle_of(policy_of(named(rules)))
    operation = operation_from(accesses, facts)
    decision = evaluate(bundle, SESSIONS[0], operation, NOON)
    if not isinstance(decision, Allow | Deny) or not decision.cacheable:
        return
    for has_where, in_transaction in product((True, False), repeat=2):
        other = operation_of(
            *accesses,
            resources=operation.resources,
            facts={"hasWhere": has_where, "inTransaction": in_transaction, "estimatedRows": 99},
            text="another text",
            parameters=("x",),
        )
        assert evaluate(bundle, SESSIONS[0], other, NOON.replace(year=2031)) == decision


@settings(max_examples=50)
@given(_rules)
def test_the_revision_is_a_pure_function_of_the_content(rules: list[dict[str, Any]]) -> None:
    one, other = bundle_of(policy_of(named(rules))), bundle_of(policy_of(named(rules)[::-1]))
    assert one.revision == other.revision
    assert one.to_json() == other.to_json()

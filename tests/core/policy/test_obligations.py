"""Obligations add up, and where several meet the stricter holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kit.policies import NOON, bundle_of, identity_of, operation_of, resource, session_of, table
from tollhouse_core.decision import Allow, Deny, Obligations, WriteCheck
from tollhouse_core.identity import Session
from tollhouse_core.masks import Bucket, Mask, Nullify, Partial, Redact, Token, Truncate, TruncateTo
from tollhouse_core.policy.evaluate import evaluate

READ = '- {name: read, allow: {sql: {access: [Select], tables: ["*"]}}}\n'
CUSTOMERS = resource("customers", "id", "email", "notes")


def obligations_of(*rules: str, session: Session | None = None) -> Obligations:
    operation = operation_of(table("Select", "customers"), resources=(CUSTOMERS,))
    decision = evaluate(bundle_of(READ, *rules), session or session_of(), operation, NOON)
    assert isinstance(decision, Allow), decision
    return decision.obligations


def mask_of(with_: str, columns: str = "customers.email", content: str = "") -> str:
    also = f", content: [{content}]" if content else ""
    return f"[{{name: hide, mask: {{columns: [{columns}]{also}, with: {with_}}}}}]"


def test_a_mask_names_resource_column_and_rule() -> None:
    (mask,) = obligations_of(mask_of("{nullify: {}}")).columns
    assert (mask.path, mask.column, mask.mask) == (("public", "customers"), "email", Nullify())
    assert mask.rule.rule == "hide"


def test_a_mask_glob_reaches_every_column_it_matches_and_no_other() -> None:
    masks = obligations_of(mask_of("{nullify: {}}", "customers.*")).columns
    assert [mask.column for mask in masks] == ["email", "id", "notes"]
    assert obligations_of(mask_of("{nullify: {}}", "sales.customers.email")).columns == ()
    assert obligations_of(mask_of("{nullify: {}}", "customers.e*l")).columns[0].column == "email"


STRICTEST_FIRST: list[tuple[str, Mask]] = [
    ("{nullify: {}}", Nullify()),
    ("{redact: {}}", Redact()),
    ("{truncate: {to: Year}}", Truncate(TruncateTo.YEAR)),
    ("{truncate: {to: Day}}", Truncate(TruncateTo.DAY)),
    ("{bucket: {width: 100}}", Bucket(100)),
    ("{bucket: {width: 10}}", Bucket(10)),
    ("{partial: {keepLast: 2}}", Partial(keep_last=2)),
    ("{partial: {keepFirst: 1, keepLast: 4}}", Partial(1, 4)),
    ("{token: {}}", Token()),
]


@pytest.mark.parametrize("weaker", range(1, len(STRICTEST_FIRST)))
def test_of_two_masks_on_a_column_the_stricter_holds_in_either_order(weaker: int) -> None:
    stronger = STRICTEST_FIRST[weaker - 1]
    rules = [mask_of(stronger[0]), mask_of(STRICTEST_FIRST[weaker][0])]
    for order in (rules, rules[::-1]):
        (mask,) = obligations_of(*order).columns
        assert mask.mask == stronger[1]


def test_masks_of_equal_strictness_are_chosen_by_content_not_by_order() -> None:
    rules = [mask_of("{partial: {keepLast: 4}}"), mask_of("{partial: {keepFirst: 4}}")]
    assert obligations_of(*rules).columns[0].mask == obligations_of(*rules[::-1]).columns[0].mask


def test_a_content_mask_on_a_column_names_its_detectors() -> None:
    (mask,) = obligations_of(mask_of("{redact: {}}", "customers.notes", "PaymentCard, Email")).columns
    assert [detector.name for detector in mask.content] == ["Email", "PaymentCard"]


def test_a_whole_mask_that_leaves_no_text_makes_content_masks_needless() -> None:
    masks = obligations_of(mask_of("{redact: {}}", content="Email"), mask_of("{token: {}}")).columns
    assert [mask.mask for mask in masks] == [Token()]


def test_a_partial_mask_comes_after_the_content_masks_of_its_column() -> None:
    masks = obligations_of(
        mask_of("{partial: {keepLast: 4}}"), mask_of("{redact: {}}", content="Email")
    ).columns
    assert [(mask.mask, bool(mask.content)) for mask in masks] == [(Redact(), True), (Partial(0, 4), False)]


def test_content_masks_without_columns_bind_whatever_is_read() -> None:
    rule = "[{mask: {content: [Email, {pattern: 'EMP-[0-9]{6}'}], with: {redact: {}}}}]"
    (mask,) = obligations_of(rule).content
    assert [(each.name, each.pattern) for each in mask.detectors] == [(None, "EMP-[0-9]{6}"), ("Email", None)]


def test_for_each_detector_the_stricter_of_two_content_masks_holds() -> None:
    one = "[{mask: {content: [Email, Phone], with: {partial: {keepLast: 4}}}}]"
    other = "[{mask: {content: [Email], with: {nullify: {}}}}]"
    masks = obligations_of(one, other).content
    assert [(mask.mask, [each.name for each in mask.detectors]) for mask in masks] == [
        (Nullify(), ["Email"]),
        (Partial(0, 4), ["Phone"]),
    ]


def test_filters_on_a_table_are_all_kept() -> None:
    rules = """
    - {name: a, filter: {tables: [customers], where: "tenant = {{ identity.claims.tenant }}"}}
    - {name: b, filter: {tables: ["cust*"], where: "not deleted", writes: Deny}}
    - {name: c, filter: {tables: [orders], where: "false"}}
    """
    session = session_of(identity_of(tenant=7))
    filters = obligations_of(rules, session=session).filters
    assert [(row.where, row.values, row.writes) for row in filters] == [
        ("tenant = $1", (7,), WriteCheck.CHECK),
        ("not deleted", (), WriteCheck.DENY),
    ]


@pytest.mark.parametrize(
    ("where", "claims", "words"),
    [
        ("t = {{ identity.claims.t }}", {}, "identity.claims.t is missing"),
        ("t = {{ identity.claims.t }}", {"t": None}, "identity.claims.t is missing"),
        ("t = {{ identity.claims.t.id }}", {"t": "x"}, "identity.claims.t.id is missing"),
        ("t = {{ identity.claims.t }}", {"t": [1]}, "is a list, and a single value is needed"),
        ("t = {{ identity.claims.t }}", {"t": {"a": 1}}, "is not a text, a number or a truth value"),
        ("t = {{ identity.claims.t }}", {"t": float("inf")}, "is not a text, a number or a truth value"),
        ("t = {{ identity.claims.t }}", {"t": 2**63}, "is not a text, a number or a truth value"),
        ("t = {{ identity.claims.t }}", {"t": "a\0b"}, "is not a text, a number or a truth value"),
        ("t = {{ identity.claims.t }}", {"t": "\ud800"}, "is not a text, a number or a truth value"),
        ("t = ANY({{ identity.claims.t }})", {"t": 1}, "is a single value, and a list is needed"),
        ("t = ANY({{ identity.claims.t }})", {"t": [1, "a"]}, "is a list of different types"),
        ("t = ANY({{ identity.claims.t }})", {"t": [1, None]}, "is not a text, a number or a truth value"),
        ("t = ANY({{ identity.claims.t }})", {"t": [[1]]}, "is not a text, a number or a truth value"),
        ("t = ANY({{ identity.claims.t }})", {"t": [1] * 1001}, "more than 1000"),
        ("t = {{ identity.onBehalfOf.name }}", {}, "identity.onBehalfOf.name is missing"),
    ],
)
def test_a_missing_or_ill_typed_value_refuses_the_operation_with_its_name(
    where: str, claims: dict[str, object], words: str
) -> None:
    bundle = bundle_of(READ, f'[{{name: own, filter: {{tables: [customers], where: "{where}"}}}}]')
    operation = operation_of(table("Select", "customers"), resources=(CUSTOMERS,))
    session = session_of(replace(identity_of(), claims=claims))
    decision = evaluate(bundle, session, operation, NOON)
    assert isinstance(decision, Deny)
    assert decision.rule.rule == "own"
    assert words in decision.message


def test_values_keep_their_types_and_lists_stay_lists() -> None:
    rules = """
    - name: own
      filter:
        tables: [customers]
        where: >-
          a = {{ identity.claims.org.id }} and b = ANY({{ identity.claims.clinics }})
          and c = {{ identity.name }} and d = ANY({{ identity.groups }}) and e = {{ session.database }}
          and f = {{identity.claims.flag}}
    """
    session = session_of(identity_of("triage", "g1", org={"id": 7}, clinics=["x", "y"], flag=True))
    (row,) = obligations_of(rules, session=session).filters
    assert row.values == (7, ["x", "y"], "triage", ["g1"], "orders", True)


def test_a_claim_whose_name_is_no_word_is_written_in_brackets() -> None:
    rule = """
    - filter:
        tables: [customers]
        where: 'a = {{ identity.claims["https://corp.example/tenant"].id }}'
    """
    session = session_of(replace(identity_of(), claims={"https://corp.example/tenant": {"id": 7}}))
    (row,) = obligations_of(rule, session=session).filters
    assert row.values == (7,)


def test_an_empty_list_is_a_list() -> None:
    rule = '[{filter: {tables: [customers], where: "a = ANY({{ identity.claims.clinics }})"}}]'
    (row,) = obligations_of(rule, session=session_of(identity_of(clinics=[]))).filters
    assert row.values == ([],)

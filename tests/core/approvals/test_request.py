"""What people are asked, and the digest of what they agree to."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.policies import NOON, agent_of, identity_of, operation_of, resource, session_of, table
from tollhouse_core.api import parse_object, to_document
from tollhouse_core.api.approval_request import ApprovalRequest
from tollhouse_core.approvals.admission import admit_new
from tollhouse_core.approvals.digest import operation_digest
from tollhouse_core.approvals.request import make_request, readable
from tollhouse_core.decision import ApprovalTerms, Approver, EscalationStep, RuleRef, WhileWaiting
from tollhouse_core.identity import Session
from tollhouse_core.operation import Operation

RULE = RuleRef("agents", "refunds", "sha256:" + "1" * 64)
TERMS = ApprovalTerms((Approver(group="managers", count=2), Approver(on_behalf_of=True)))
DELETE = replace(
    operation_of(table("Delete", "orders"), resources=(resource("orders", "id", "total"),)),
    text="delete from orders where id = $1",
    canonical="DELETE FROM orders WHERE id = $1",
    parameters=("7",),
)
SESSION = session_of(agent_of(human="ann@corp.example"))


def request_for(
    operation: Operation = DELETE, session: Session = SESSION, terms: ApprovalTerms = TERMS
) -> ApprovalRequest:
    return make_request(
        session=session,
        operation=operation,
        rule=RULE,
        terms=terms,
        digest=operation_digest(session, operation),
        instance="proxy-1",
        now=NOON,
    )


def test_a_request_can_be_stored_and_read_again() -> None:
    request = request_for()
    document = to_document(request)
    assert parse_object(document) == request
    assert document["metadata"]["generateName"] == "orders-db-"
    assert admit_new(request) is None


def test_a_request_says_who_what_where_and_under_which_rule() -> None:
    spec = request_for().spec
    assert (spec.connection, spec.instance, spec.session) == ("orders-db", "proxy-1", "s-1")
    assert spec.requester.kubernetes_user == "system:serviceaccount:agents:triage"
    assert spec.requester.service_account is not None
    assert spec.requester.on_behalf_of is not None
    assert spec.requester.on_behalf_of.name == "ann@corp.example"
    assert spec.operation.text == "DELETE FROM orders WHERE id = $1"
    assert spec.operation.parameters == ("7",)
    assert [(each.action, each.object) for each in spec.operation.accesses] == [("Delete", "public.orders")]
    assert (spec.policy.name, spec.policy.rule, spec.policy.rule_hash) == ("agents", "refunds", RULE.hash)
    assert [(each.group, each.count, each.on_behalf_of is not None) for each in spec.approvers] == [
        ("managers", 2, False),
        (None, 1, True),
    ]
    assert spec.expires_at == NOON + timedelta(minutes=15)


def test_escalation_keeps_its_moments() -> None:
    terms = replace(TERMS, escalation=(EscalationStep(90.5, (Approver(user="dora"),)),))
    (step,) = request_for(terms=terms).spec.escalation
    assert step.after.seconds == 90.5
    stored = parse_object(to_document(request_for(terms=terms)))
    assert isinstance(stored, ApprovalRequest)
    assert stored.spec.escalation[0].after.seconds == 90.5


def test_nobody_holds_an_operation_that_fails_fast() -> None:
    assert request_for(terms=replace(TERMS, while_waiting=WhileWaiting.FAIL_FAST)).spec.instance is None


def test_the_estimate_is_shown_where_there_is_one() -> None:
    known = replace(DELETE, facts={"estimatedRows": 12})
    effect = request_for(known).spec.effect
    assert effect is not None
    assert effect.rows == 12
    assert request_for(replace(DELETE, facts={"estimatedRows": None})).spec.effect is None


def test_without_a_canonical_form_the_text_is_shown() -> None:
    assert request_for(replace(DELETE, canonical="")).spec.operation.text == DELETE.text


def test_what_people_read_is_plain_ascii() -> None:
    text = "DELETE FROM orders WHERE note = 'e\u0301 \u202e\u2066 \u0430dmin \x07\n'"
    shown = readable(text)
    assert shown.isascii()
    assert shown.isprintable()
    assert "\\u{202e}" in shown
    assert "\\u{430}dmin" in shown


def test_long_literals_are_cut_with_their_length_told() -> None:
    shown = readable(f"INSERT INTO t VALUES ('{'x' * 5000}', 'short', 'it''s')")
    assert "(5000 characters)" in shown
    assert shown.endswith("'short', 'it''s')")
    assert len(shown) < 400


def test_a_long_statement_is_cut_and_says_so() -> None:
    shown = readable("SELECT " + ", ".join(["col"] * 10_000))
    assert len(shown) < 17_000
    assert shown.endswith(" more)")


def test_many_parameters_and_accesses_are_bounded() -> None:
    wide = replace(
        DELETE,
        parameters=(None, *("v" * 10_000 for _ in range(1000))),
        accesses=tuple(table("Select", f"t{number}") for number in range(1000)),
    )
    operation = parse_object(to_document(request_for(wide)))
    assert isinstance(operation, ApprovalRequest)
    parameters = operation.spec.operation.parameters
    assert parameters[0] == "NULL"
    assert "more)" in parameters[-1]
    assert max(map(len, parameters)) < 300


@given(st.text(max_size=200), st.lists(st.none() | st.text(max_size=300), max_size=5), st.text(max_size=30))
def test_any_operation_can_be_shown(text: str, parameters: list[str | None], action: str) -> None:
    operation = replace(DELETE, text=text, canonical="", parameters=tuple(parameters), action=action)
    assert parse_object(to_document(request_for(operation)))


@pytest.mark.parametrize(
    "change",
    [
        {"canonical": "DELETE FROM orders WHERE id = 7"},
        {"parameters": ("8",)},
        {"parameters": (None,)},
        {"parameters": ("7", "")},
        {"action": "UPDATE"},
        {"accesses": (table("Delete", "customers"),)},
        {"accesses": (table("Update", "orders"),)},
        {"resources": (resource("orders", "id"),)},
        {"objects": ("public.orders@16385",)},
        {"circumstances": ("DateStyle=ISO, DMY",)},
    ],
)
def test_another_operation_has_another_digest(change: dict[str, Any]) -> None:
    assert operation_digest(SESSION, replace(DELETE, **change)) != operation_digest(SESSION, DELETE)


@pytest.mark.parametrize(
    "session",
    [
        replace(SESSION, database="other"),
        replace(SESSION, user="other"),
        replace(SESSION, connection="other"),
        replace(SESSION, namespace="other"),
        replace(SESSION, identity=agent_of("agents/other")),
        replace(SESSION, identity=agent_of(human="bob@corp.example")),
        replace(SESSION, identity=identity_of("triage", provider="corp")),
    ],
)
def test_the_same_statement_of_somebody_or_somewhere_else_has_another_digest(session: Session) -> None:
    assert operation_digest(session, DELETE) != operation_digest(SESSION, DELETE)


def test_what_does_not_matter_does_not_change_the_digest() -> None:
    later = replace(SESSION, id="s-2", address="10.0.0.9:1", application_name="other")
    same = replace(
        DELETE,
        text="delete  from orders -- again\nwhere id=$1",
        facts={"estimatedRows": 3},
        accesses=DELETE.accesses * 2,
    )
    assert operation_digest(later, same) == operation_digest(SESSION, DELETE)
    two = (table("Select", "a"), table("Delete", "b"))
    assert operation_digest(SESSION, replace(DELETE, accesses=two)) == operation_digest(
        SESSION, replace(DELETE, accesses=two[::-1])
    )

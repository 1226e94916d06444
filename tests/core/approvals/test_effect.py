"""What people are told of an effect, and how far an approved operation may go."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kit.approvals import request_of
from tollhouse_core.api.approval_request import MAX_RELATIONS, Effect
from tollhouse_core.approvals.effect import Preview, cannot_be_held, effect_of, row_cap, shown
from tollhouse_core.decision import ApprovalTerms, Approver, NeedsApproval, PreviewMode, RuleRef

TERMS = ApprovalTerms((Approver(group="managers"),))
EXECUTED = replace(TERMS, preview=PreviewMode.EXECUTE)
RULE = RuleRef("agents", "refunds", "sha256:" + "1" * 64)
COUNTED = Preview(7, ("public.orders",), counted_rows=5)


def needing(terms: ApprovalTerms) -> NeedsApproval:
    return NeedsApproval("r", RULE, ((RULE, terms),))


@pytest.mark.parametrize(
    ("terms", "preview", "limit"),
    [
        (TERMS, COUNTED, None),
        (EXECUTED, COUNTED, 10),
        (replace(EXECUTED, max_rows=3), COUNTED, 3),
        (replace(TERMS, max_rows=3), Preview(), 3),
        (replace(TERMS, max_rows=0), Preview(), 0),
        (EXECUTED, Preview(7, note="not run beforehand: it calls public.f"), None),
        (EXECUTED, Preview(counted_rows=0), 0),
    ],
)
def test_the_limit_is_the_rules_or_twice_what_was_counted(
    terms: ApprovalTerms, preview: Preview, limit: int | None
) -> None:
    found = effect_of(preview, terms, writes_rows=True)
    assert (found.max_rows if found is not None else None) == limit


def test_what_writes_no_rows_has_no_limit_of_them() -> None:
    assert effect_of(COUNTED, replace(TERMS, max_rows=3), writes_rows=False) == Effect(
        rows=7, relations=("public.orders",)
    )


def test_a_rule_that_asks_for_no_run_tells_nothing_of_one_that_another_asked_for() -> None:
    assert effect_of(COUNTED, TERMS, writes_rows=True) == Effect(rows=7, relations=("public.orders",))


def test_an_effect_nobody_can_tell_is_left_out() -> None:
    assert effect_of(Preview(), TERMS, writes_rows=True) is None
    assert effect_of(Preview(-1), TERMS, writes_rows=True) == Effect(rows=0)


def test_names_and_notes_are_bounded_and_shown_in_ascii() -> None:
    long = Preview(1, tuple(f"public.t{n}\u202e" for n in range(100)), note="x" * 5000)
    found = effect_of(long, EXECUTED, writes_rows=True)
    assert found is not None
    assert len(found.relations) == MAX_RELATIONS
    assert all(name.isascii() for name in found.relations)
    assert found.note is not None
    assert len(found.note) <= 1024


def test_the_least_of_what_was_approved_and_what_rules_say_binds() -> None:
    one = request_of("[{group: managers}]", effect={"countedRows": 5, "maxRows": 10})
    other = request_of("[{group: dba}]", effect={"rows": 5, "maxRows": 8})
    free = request_of("[{group: dba}]", effect={"rows": 5})
    assert row_cap([free], needing(TERMS)) is None
    found = row_cap([one], None)
    assert found is not None
    assert (found.rows, found.request) == (10, "orders-db-x7k2p")
    assert found.words == "approval orders-db-x7k2p allows at most 10 (5 were counted beforehand)"
    assert [cap.rows for cap in (row_cap([one, other], None),) if cap] == [8]
    ruled = row_cap([one, other, free], needing(replace(TERMS, max_rows=2)))
    assert ruled is not None
    assert (ruled.rows, ruled.words) == (2, "rule refunds allows at most 2")


def test_a_limit_cannot_be_held_where_nobody_counts() -> None:
    limited = needing(replace(TERMS, max_rows=2))
    assert cannot_be_held("TRUNCATE does not tell", limited) == RULE
    assert cannot_be_held("", limited) is None
    assert cannot_be_held("TRUNCATE does not tell", needing(EXECUTED)) is None


def test_an_effect_in_words() -> None:
    assert shown(None) == []
    effect = Effect(rows=7, relations=("public.orders",), counted_rows=5, max_rows=10)
    assert [title for title, _ in shown(effect)] == ["Rows", "Estimate", "Touches", "Limit"]
    assert shown(Effect(note="not run beforehand: it calls public.f")) == [
        ("Not run", "not run beforehand: it calls public.f")
    ]

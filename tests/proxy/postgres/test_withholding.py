"""Answers kept back until it is known how many rows were written, and plans read for their tables."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tollhouse_core.decision import RowCap, RuleRef
from tollhouse_proxy.protocols.postgres.preview import planned_relations, planned_rows
from tollhouse_proxy.protocols.postgres.withholding import MOST_BYTES, Withheld, rows_written

CAP = RowCap(2, "approval a allows at most 2", RuleRef("p", "r"), "a")


@pytest.mark.parametrize(
    ("tag", "rows"),
    [
        ("INSERT 0 3", 3),
        ("UPDATE 0", 0),
        ("DELETE 12", 12),
        ("MERGE 4", 4),
        ("SELECT 5", None),
        ("COPY 5", None),
        ("TRUNCATE TABLE", None),
        ("DELETE", None),
        ("DELETE -1", None),
        ("DELETE many", None),
    ],
)
def test_a_tag_tells_rows_written_or_nothing(tag: str, rows: int | None) -> None:
    assert rows_written(tag) == rows


def answered(tag: str, *rows: bytes) -> Withheld:
    held = Withheld(CAP)
    for row in rows:
        held.row(row)
    held.complete(b"C", tag)
    return held


def test_what_stays_is_kept_whole_and_in_order() -> None:
    held = answered("DELETE 2", b"one", b"two")
    assert held.refusal == ("", "")
    assert held.messages == [b"one", b"two", b"C"]


def test_more_than_the_cap_is_refused_with_both_figures_and_kept_no_longer() -> None:
    held = answered("DELETE 3", b"one", b"two", b"three")
    assert held.messages == []
    assert held.refusal[0] == "it wrote 3 rows, and approval a allows at most 2; all of it was rolled back"


def test_what_tells_no_number_is_refused() -> None:
    assert "does not tell how many rows" in answered("SELECT 1").refusal[0]
    assert answered("PREPARE").refusal == ("", "")


def test_what_is_kept_is_bounded_in_bytes() -> None:
    held = answered("DELETE 2", b"x" * MOST_BYTES, b"x")
    assert held.messages == []
    assert "returns more than" in held.refusal[0]


def plan(node: dict[str, Any]) -> list[list[tuple[str | None, ...]]]:
    return [[(json.dumps([{"Plan": node}]),)]]


def test_the_tables_of_a_plan_are_told_once_each_with_their_schemas() -> None:
    scan = {"Node Type": "Seq Scan", "Relation Name": "orders", "Schema": "public", "Plan Rows": 9}
    other = {"Node Type": "Seq Scan", "Relation Name": "notes", "Schema": "private", "Plan Rows": 1}
    node = {
        "Node Type": "ModifyTable",
        "Relation Name": "orders",
        "Schema": "public",
        "Plan Rows": 0,
        "Target Tables": [{"Relation Name": "orders_2026", "Schema": "public"}],
        "Plans": [{"Node Type": "Hash Join", "Plan Rows": 4, "Plans": [scan, other]}],
    }
    assert planned_relations(plan(node)) == ("public.orders", "public.orders_2026", "private.notes")
    assert planned_rows(plan(node)) == 4


@pytest.mark.parametrize("results", [[], [[]], [[(None,)]], [[("no json",)]], [[("[]",)]], [[("[1]",)]]])
def test_a_plan_that_cannot_be_read_tells_nothing(results: Any) -> None:
    assert planned_relations(results) == ()
    assert planned_rows(results) is None

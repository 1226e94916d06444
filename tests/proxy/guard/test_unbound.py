"""Who is bound by nothing: everything is open, and no rule takes anything back."""

from __future__ import annotations

from typing import Any

import pytest

from kit.guard_world import DELETE_NEEDS, World, policy_document
from tollhouse_proxy.protocols.postgres.anything import ANYTHING

OPEN = (
    {
        "name": "tables",
        "allow": {
            "sql": {
                "access": ["Select", "Insert", "Update", "Delete", "Truncate"],
                "tables": ["*", "pg_catalog.*", "information_schema.*", "pg_toast.*"],
            }
        },
    },
    {"name": "commands", "allow": {"sql": {"commands": ["*"]}}},
    {
        "name": "functions",
        "allow": {
            "sql": {"functions": ["*", "pg_catalog.*", "information_schema.*"]},
        },
    },
)

CLOSING: list[dict[str, Any]] = [
    {"name": "no", "deny": {"sql": {"access": ["Select"], "tables": ["payroll"]}}},
    {"name": "no", "deny": {"sql": {"commands": ["DROP TABLE"]}}, "mode": "Shadow"},
    {**DELETE_NEEDS},
    {"name": "no", "mask": {"columns": ["people.email"], "with": {"redact": {}}}},
    {"name": "no", "mask": {"content": ["PaymentCard"], "with": {"redact": {}}}},
    {"name": "no", "filter": {"tables": ["orders"], "where": "id > 0"}},
]


def test_whom_only_allows_speak_of_and_who_may_do_anything_is_bound_by_nothing() -> None:
    assert World(policy_document(*OPEN)).open().unbound(ANYTHING)


@pytest.mark.parametrize("closing", CLOSING, ids=lambda rule: next(key for key in rule if key != "name"))
def test_any_rule_that_takes_something_back_binds(closing: dict[str, Any]) -> None:
    assert not World(policy_document(*OPEN, closing)).open().unbound(ANYTHING)


@pytest.mark.parametrize("left_out", OPEN, ids=lambda rule: rule["name"])
def test_so_does_a_kind_of_access_that_is_not_open(left_out: dict[str, Any]) -> None:
    assert (
        not World(policy_document(*(rule for rule in OPEN if rule is not left_out))).open().unbound(ANYTHING)
    )


@pytest.mark.parametrize("tables", [["public.*"], ["a*", "b*"], ["*.orders"], ["*"]])
def test_so_do_tables_that_are_not_open(tables: list[str]) -> None:
    some = {"name": "tables", "allow": {"sql": {**OPEN[0]["allow"]["sql"], "tables": tables}}}
    assert not World(policy_document(some, *OPEN[1:])).open().unbound(ANYTHING)


@pytest.mark.parametrize(
    "when",
    [
        "operation.hasWhere",
        'operation.action != "DROP TABLE"',
        '!operation.tables.exists(t, t == "public.payroll")',
        '!operation.accesses.exists(a, a.object.startsWith("public.pay"))',
    ],
)
def test_what_is_open_on_a_condition_is_not_open(when: str) -> None:
    rules = [{**OPEN[0], "when": when}, *OPEN[1:]]
    assert not World(policy_document(*rules)).open().unbound(ANYTHING)


def test_without_a_bundle_everybody_is_bound() -> None:
    world = World(policy_document(*OPEN))
    judge = world.open()
    world.apply()
    assert not judge.unbound(ANYTHING)

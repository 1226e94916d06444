"""docs/policies.md tells the truth: its rules compile, and decide as it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kit.policies import NOON, bundle_of, command, operation_of, policy_of, problems_of, session_of, table
from tollhouse_core.decision import Allow, Deny, NeedsApproval
from tollhouse_core.operation import Access
from tollhouse_core.policy.conditions import compile_condition, variables
from tollhouse_core.policy.evaluate import evaluate
from tollhouse_dialects import LANGUAGES

GUIDE = (Path(__file__).parents[3] / "docs" / "policies.md").read_text()
BLOCKS = re.findall(r"^```([^\n]+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def blocks(kind: str) -> list[str]:
    found = [text for label, text in BLOCKS if label == kind]
    assert found, f"the guide has no block {kind}"
    return found


def lines(kind: str) -> list[str]:
    return [line for text in blocks(kind) for line in text.splitlines() if line.strip()]


def test_rules_compile_but_for_the_mistake_that_the_guide_shows() -> None:
    wrong, *right = blocks("yaml rules")
    assert [f"{problem.path}: {problem.message}" for problem in problems_of(wrong)] == lines("problem")
    for rules in right:
        assert not problems_of(rules)


def access_of(words: str) -> Access:
    action, _, name = words.strip().partition(" ")
    return table(action, name) if action.istitle() else command(words.strip(), "public", "x")


@pytest.mark.parametrize("line", lines("decisions"))
def test_decisions_are_made_as_the_guide_says(line: str) -> None:
    what, outcome = re.split(r"\s{2,}", line, maxsplit=1)
    bundle = bundle_of(policy_of(blocks("yaml rules")[1]))
    operation = operation_of(*(access_of(words) for words in what.split(", ")))
    decision = evaluate(bundle, session_of(), operation, NOON)
    match outcome:
        case "allowed":
            assert isinstance(decision, Allow)
        case "waits":
            assert isinstance(decision, NeedsApproval)
        case _:
            assert isinstance(decision, Deny)
            assert decision.message.startswith(outcome)


@pytest.mark.parametrize("source", lines("conditions"))
def test_conditions_compile(source: str) -> None:
    compile_condition(source, variables(LANGUAGES["postgres"].facts))

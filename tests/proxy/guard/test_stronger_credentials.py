"""Rules that name a stronger credential: who is told of it, and when nobody is even asked."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from kit.guard_world import World, bundle_text, connection_document, delete, no_facts, policy_document
from tollhouse_core.api import parse_object
from tollhouse_core.api.approval_request import Decision
from tollhouse_core.decision import Permitted, Refused
from tollhouse_core.policy.bundle import build_bundle
from tollhouse_dialects import LANGUAGES

SECRET = {"secretRef": {"name": "stronger"}}


def rule(credential: str, name: str = "deletes", **terms: Any) -> dict[str, Any]:
    action = {"sql": {"access": ["Delete"], "tables": ["*"]}, "approvers": [{"group": "managers"}]}
    return {"name": name, "requireApproval": {**action, "credential": credential, **terms}}


def world(*rules: dict[str, Any]) -> World:
    made = World()
    stronger = {"eraser": SECRET, "owner": SECRET}
    assert made.in_force.offer(bundle_text(policy_document(*rules), approvalCredentials=stronger))
    return made


async def test_the_verdict_names_it_and_people_read_it() -> None:
    shop = world(rule("eraser"))
    waits: Any = shop.open().judge(delete(), no_facts, shop.waiting)
    running = asyncio.ensure_future(waits)
    while not shop.waits:
        await asyncio.sleep(0)
    [(name, words)] = shop.waits
    assert "it would run with the credential eraser" in words
    assert shop.approvals.requests[name].spec.credential == "eraser"
    await shop.approvals.vote(name, "alice", ["managers"], Decision.APPROVED, shop.clock.now())
    verdict = await running
    assert isinstance(verdict, Permitted)
    assert (verdict.credential, verdict.cacheable) == ("eraser", False)


async def test_an_operation_that_cannot_leave_its_session_is_refused_before_anybody_is_asked() -> None:
    shop = world(rule("eraser"))
    operation = replace(delete(), tied="it stands in a transaction block")
    verdict = await shop.open().judge(operation, no_facts, shop.waiting)  # type: ignore[misc]
    assert isinstance(verdict, Refused)
    assert "eraser on a session of its own, but it stands in a transaction block" in verdict.message
    assert shop.approvals.requests == {}


async def test_rules_that_name_different_ones_cannot_both_be_kept() -> None:
    shop = world(rule("eraser"), rule("owner", "deletes-too"))
    verdict = await shop.open().judge(delete(), no_facts, shop.waiting)  # type: ignore[misc]
    assert isinstance(verdict, Refused)
    assert "different credentials (eraser, owner)" in verdict.message
    assert shop.approvals.requests == {}


def test_a_name_that_the_connection_does_not_have_makes_no_bundle() -> None:
    policy: Any = parse_object(policy_document(rule("nobody")))
    connection: Any = parse_object(connection_document())
    result = build_bundle(connection, [policy], [], [], LANGUAGES)
    assert result.bundle is None
    [problem] = result.problems
    assert problem.path == "spec.rules[0].requireApproval.credential"
    assert "has no approvalCredentials nobody; it has none" in problem.message


@pytest.mark.parametrize("terms", [{"maxRows": 10}, {"maxRows": 0}, {"preview": "Execute"}])
def test_what_runs_on_a_session_of_its_own_can_be_neither_counted_nor_held_to_rows(
    terms: dict[str, Any],
) -> None:
    policy: Any = parse_object(policy_document(rule("eraser", **terms)))
    document = connection_document()
    document["spec"]["approvalCredentials"] = {"eraser": SECRET}
    connection: Any = parse_object(document)
    result = build_bundle(connection, [policy], [], [], LANGUAGES)
    assert result.bundle is None
    [problem] = result.problems
    assert problem.path == "spec.rules[0].requireApproval.credential"
    assert "cannot be run beforehand, nor held to maxRows" in problem.message
    plain: Any = parse_object(policy_document(rule("eraser", preview="Estimate")))
    assert build_bundle(connection, [plain], [], [], LANGUAGES).bundle is not None

"""What a rule that asks people comes to."""

from __future__ import annotations

import pytest

from kit.judging import judge
from kit.policies import bundle_of, command, connection_of, problems_of
from tollhouse_core.api.access_policy import PreviewMode
from tollhouse_core.decision import NeedsApproval

STRONGER = "approvalCredentials: {strong: {secretRef: {name: strong}}}"
RULE = "[{requireApproval: {sql: {commands: [VACUUM]}, approvers: [{group: g}], %s}}]"


def test_all_that_a_rule_says_is_in_its_terms() -> None:
    said = "expiresAfter: 10m, credential: strong, escalation: [{after: 9m, approvers: [{group: h}]}]"
    decision = judge(bundle_of(RULE % said, connection=connection_of(STRONGER)), command("VACUUM"))
    assert isinstance(decision, NeedsApproval)
    [(_, terms)] = decision.terms
    assert (terms.expires_after_seconds, terms.credential) == (600, "strong")
    assert [step.after_seconds for step in terms.escalation] == [540]
    assert terms.max_rows is None


@pytest.mark.parametrize("more", ["preview: Execute", "maxRows: 10"])
def test_what_runs_with_another_credential_is_neither_tried_before_nor_counted(more: str) -> None:
    (problem,) = problems_of(RULE % f"credential: strong, {more}", connection_of(STRONGER))
    assert problem.path == "spec.rules[0].requireApproval.credential"
    assert "beforehand" in problem.message


def test_without_one_it_may_be() -> None:
    decision = judge(bundle_of(RULE % "preview: Execute, maxRows: 10"), command("VACUUM"))
    assert isinstance(decision, NeedsApproval)
    [(_, terms)] = decision.terms
    assert (terms.preview, terms.max_rows, terms.credential) == (PreviewMode.EXECUTE, 10, "")

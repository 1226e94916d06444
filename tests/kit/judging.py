"""Operations judged at noon, and rules that most tests of judging stand on."""

from __future__ import annotations

from kit.policies import NOON, operation_of, session_of
from tollhouse_core.decision import Decision
from tollhouse_core.identity import Session
from tollhouse_core.operation import Access
from tollhouse_core.policy.bundle import PolicyBundle
from tollhouse_core.policy.evaluate import evaluate

READ = "[{allow: {sql: {access: [Select], tables: [orders, customers]}}}]"

APPROVE = """
- name: refunds
  requireApproval:
    sql: {access: [Delete], tables: ["*"]}
    approvers: [{group: managers}]
"""


def judge(
    bundle: PolicyBundle, *accesses: Access, session: Session | None = None, **facts: object
) -> Decision:
    known = {"hasWhere": True, "inTransaction": False, **facts}
    return evaluate(bundle, session or session_of(), operation_of(*accesses, facts=known), NOON)

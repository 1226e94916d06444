"""The statuses of a namespace's AccessPolicies."""

from __future__ import annotations

from typing import Any

from tollhouse_core.api.access_policy import AccessPolicy
from tollhouse_operator import resources
from tollhouse_operator.gather import read
from tollhouse_operator.reconcile.connection_status import write_status
from tollhouse_operator.reconcile.desk import Desk
from tollhouse_operator.reports import matched_counts
from tollhouse_operator.statuses import policy_findings

_MOST_RULES = 128


async def reconcile_policy_statuses(desk: Desk, namespace: str) -> None:
    """Raises ClusterError when the API server is away."""
    found = read(await desk.cluster.list(resources.ACCESS_POLICIES, namespace), "AccessPolicy", AccessPolicy)
    reports = [report for key, of in desk.memory.reports.items() if key[0] == namespace for report in of]
    for document in (*(one for one, _ in found.good), *(one for one, _ in found.bad)):
        name = document["metadata"]["name"]
        outcome = desk.memory.policies.get((namespace, name))
        if outcome is None:
            continue  # made after the last compilation; the next one is under way
        status: dict[str, Any] = {"connections": outcome.connections, "rules": outcome.rules}
        matched = dict(list(matched_counts(reports, name).items())[:_MOST_RULES])
        if matched:
            status["matched"] = matched
        await write_status(desk, resources.ACCESS_POLICIES, document, status, policy_findings(outcome))

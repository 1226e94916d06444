"""ApprovalRequests and votes for tests."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import yaml

from kit.policies import NOON
from tollhouse_core.api import parse_object
from tollhouse_core.api.approval_request import ApprovalRequest, Phase


def vote_of(
    by: str, *groups: str, decision: str = "Approved", reason: str | None = None, at: datetime | None = NOON
) -> dict[str, object]:
    """A vote as it is stored."""
    vote: dict[str, object] = {"by": by, "groups": sorted(groups), "decision": decision}
    if reason is not None:
        vote["reason"] = reason
    if at is not None:
        vote["at"] = at
    return vote


def request_of(
    approvers: str,
    *votes: dict[str, object],
    escalation: str = "[]",
    human: str | None = None,
    human_user: str | None = None,
    created: datetime | None = NOON,
    phase: Phase | None = None,
    **spec: Any,
) -> ApprovalRequest:
    """A request of the ServiceAccount agents/triage on orders-db, made at NOON, open for 15 minutes;
    `approvers` and `escalation` are YAML."""
    requester: dict[str, object] = {
        "name": "triage",
        "provider": "kubernetes",
        "kubernetesUser": "system:serviceaccount:agents:triage",
        "serviceAccount": {"namespace": "agents", "name": "triage"},
    }
    if human is not None:
        behind = {"name": human, "kubernetesUser": human_user}
        requester["onBehalfOf"] = {key: value for key, value in behind.items() if value is not None}
    document: dict[str, Any] = {
        "apiVersion": "tollhouse.dev/v1alpha1",
        "kind": "ApprovalRequest",
        "metadata": {"name": "orders-db-x7k2p", "namespace": "shop"},
        "spec": {
            "connection": "orders-db",
            "requester": requester,
            "operation": {"text": "DELETE FROM public.orders WHERE id = 7", "digest": "sha256:" + "0" * 64},
            "policy": {"name": "agents", "rule": "refunds", "ruleHash": "sha256:" + "1" * 64},
            "approvers": yaml.safe_load(approvers),
            "escalation": yaml.safe_load(escalation),
            "expiresAt": NOON + timedelta(minutes=15),
            "votes": list(votes),
            **spec,
        },
    }
    if created is not None:
        document["metadata"]["creationTimestamp"] = created
    if phase is not None:
        document["status"] = {"phase": phase.value}
    parsed = parse_object(document)
    assert isinstance(parsed, ApprovalRequest)
    return parsed

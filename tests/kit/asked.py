"""What an ApprovalRequest says that a proxy made for an agent, for whoever tries votes on it."""

from __future__ import annotations

from typing import Any

TRIAGE = "system:serviceaccount:agents:triage"


def spec_of_request(expires_at: str, **more: Any) -> dict[str, Any]:
    """A DELETE by agents/triage on orders-db that one of the managers may approve; `more` goes over it."""
    return {
        "connection": "orders-db",
        "requester": {
            "name": TRIAGE,
            "provider": "kubernetes",
            "kubernetesUser": TRIAGE,
            "serviceAccount": {"namespace": "agents", "name": "triage"},
        },
        "operation": {"text": "DELETE FROM public.orders WHERE id = 7", "digest": "sha256:0123"},
        "policy": {"name": "support-agents", "rule": "refunds", "ruleHash": "sha256:4567"},
        "approvers": [{"group": "managers"}],
        "expiresAt": expires_at,
        **more,
    }

"""What people write: Connections, AccessPolicies, IdentityProviders and the other kinds of ours."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tollhouse_operator.engine import Engine


class OurObjects:
    """Hears of every change; says what to look at.

    A change of nothing but the status is our own doing and means nothing, except for
    ApprovalRequests, whose status proxies write too.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._seen: dict[str, str] = {}

    async def connection(self, event: Mapping[str, Any], **_: Any) -> None:
        """Its objects, and all bundles of its namespace."""
        metadata = event["object"]["metadata"]
        if self._news(event) and self._engine.watches(metadata["namespace"]):
            self._engine.look_at_connection((metadata["namespace"], metadata["name"]))
            self._engine.standing.add("all")  # its proxies may review tokens, or may no longer

    async def access_policy(self, event: Mapping[str, Any], **_: Any) -> None:
        """All bundles of its namespace: it may have selected others before."""
        namespace = event["object"]["metadata"]["namespace"]
        if self._news(event) and self._engine.watches(namespace):
            self._engine.bundles.add(namespace)

    async def identity_provider(self, event: Mapping[str, Any], **_: Any) -> None:
        """Every Connection of the cluster may name it."""
        if self._news(event):
            self._engine.standing.add("all")
            name = event["object"]["metadata"]["name"]
            await self._engine.look_at_users("IdentityProvider", name, None)

    async def audit_sink(self, event: Mapping[str, Any], **_: Any) -> None:
        """Every Connection of the namespace may name it."""
        metadata = event["object"]["metadata"]
        if self._news(event) and self._engine.watches(metadata["namespace"]):
            self._engine.standing.add("all")
            await self._engine.look_at_users("AuditSink", metadata["name"], metadata["namespace"])

    async def revocation(self, event: Mapping[str, Any], **_: Any) -> None:
        """All bundles of its namespace."""
        namespace = event["object"]["metadata"]["namespace"]
        if self._news(event) and self._engine.watches(namespace):
            self._engine.standing.add("all")
            self._engine.bundles.add(namespace)

    async def cluster_revocation(self, event: Mapping[str, Any], **_: Any) -> None:
        """All bundles there are."""
        if self._news(event):
            self._engine.standing.add("all")
            await self._engine.look_at_all_bundles()

    async def approval_request(self, event: Mapping[str, Any], **_: Any) -> None:
        """That request."""
        metadata = event["object"]["metadata"]
        if self._engine.watches(metadata["namespace"]):
            self._engine.look_at_request((metadata["namespace"], metadata["name"]))

    def _news(self, event: Mapping[str, Any]) -> bool:
        metadata = event["object"]["metadata"]
        uid = metadata["uid"]
        if event["type"] == "DELETED":
            self._seen.pop(uid, None)
            return True
        state = json.dumps(
            [metadata.get("generation"), metadata.get("labels"), metadata.get("deletionTimestamp")],
            sort_keys=True,
        )
        if event["type"] is not None and self._seen.get(uid) == state:
            return False
        self._seen[uid] = state
        return True

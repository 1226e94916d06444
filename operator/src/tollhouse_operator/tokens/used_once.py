"""That an assertion counts once, in all processes of the operator together (SAML profiles 4.1.4.5).

Whoever can make the Lease that an assertion's ID names has shown it first: the API server decides, so it
does not matter which process is asked, or whether it ran before. The name tells nothing of the assertion.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from tollhouse_operator import resources
from tollhouse_operator.cluster import Cluster, ClusterError, Conflict
from tollhouse_operator.manifests.naming import FIELD_MANAGER, MANAGED_BY
from tollhouse_operator.tokens.saml_document import AHEAD_SECONDS, OLDEST_SECONDS, BadAssertion

KEPT_SECONDS = 2 * (OLDEST_SECONDS + AHEAD_SECONDS)
"""How long it is remembered: longer than any assertion counts, whatever the clocks say."""
SWEEP_SECONDS = 300.0
_LABEL = "tollhouse.dev/used-assertion"


class UsedAssertions:
    """Remembered as Leases of the operator's namespace, which go when older than `kept_seconds`; that is
    looked at every `sweep_seconds` at most."""

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        kept_seconds: float = KEPT_SECONDS,
        sweep_seconds: float = SWEEP_SECONDS,
    ) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._kept_seconds = kept_seconds
        self._sweep_seconds = sweep_seconds
        self._swept = float("-inf")

    async def take(self, provider: str, assertion_id: str) -> None:
        """Raises BadAssertion the second time; ClusterError where nobody can say."""
        try:
            await self._cluster.create(resources.LEASES, self._namespace, self._lease(provider, assertion_id))
            first = True
        except Conflict:
            first = False
        if not first:
            raise BadAssertion("the assertion has been used already")
        await self._sweep()

    async def close(self) -> None:
        """Closes the connections to the API server."""
        await self._cluster.close()

    def _lease(self, provider: str, assertion_id: str) -> dict[str, Any]:
        told = hashlib.sha256(f"{provider}\n{assertion_id}".encode()).hexdigest()
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": f"tollhouse-saml-{told[:40]}",
                "namespace": self._namespace,
                "labels": {MANAGED_BY: FIELD_MANAGER, _LABEL: "true"},
            },
            "spec": {"holderIdentity": "tollhouse-operator", "leaseDurationSeconds": int(KEPT_SECONDS)},
        }

    async def _sweep(self) -> None:
        """Takes away what no assertion can mean any more, now and then. What fails is done the next time."""
        if monotonic() - self._swept < self._sweep_seconds:
            return
        self._swept = monotonic()
        try:
            for lease in await self._cluster.list(resources.LEASES, self._namespace, f"{_LABEL}=true"):
                made = datetime.fromisoformat(lease["metadata"]["creationTimestamp"])
                if (datetime.now(UTC) - made).total_seconds() > self._kept_seconds:
                    name, uid = lease["metadata"]["name"], lease["metadata"]["uid"]
                    await self._cluster.delete(resources.LEASES, self._namespace, name, uid)
        except ClusterError:
            return

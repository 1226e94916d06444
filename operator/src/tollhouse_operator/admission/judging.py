"""What the two webhooks ask of the rest: fresh Connections, and the clock."""

from __future__ import annotations

from tollhouse_core.api.connection import Connection
from tollhouse_operator import resources
from tollhouse_operator.admission.answer import Answer, Request
from tollhouse_operator.admission.review import review
from tollhouse_operator.admission.votes import judge_votes
from tollhouse_operator.gather import read
from tollhouse_operator.reconcile.desk import Desk


class Judges:
    """Bound to one desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def validate(self, request: Request) -> Answer:
        """Connections, AccessPolicies, IdentityProviders, AuditSinks."""
        connections: tuple[Connection, ...] = ()
        if request.kind == "AccessPolicy":
            found = await self._desk.cluster.list(resources.CONNECTIONS, request.namespace)
            connections = read(found, "Connection", Connection).models
        return review(request, connections, self._desk.languages)

    async def votes(self, request: Request) -> Answer:
        """ApprovalRequests."""
        return judge_votes(request, self._desk.settings.account, self._desk.now())

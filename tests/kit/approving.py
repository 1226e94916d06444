"""A proxy before a real PostgreSQL with the real guard; requests are files, votes pass admission's rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import psycopg

from kit import wait
from kit.guard_world import ListSink, bundle_text, policy_document
from kit.postgres import Postgres
from kit.wire_world import SystemClock, WireWorld, running
from tollhouse_core.api.approval_request import ApprovalRequest, Decision
from tollhouse_core.approvals.admission import NotAdmitted, admit
from tollhouse_core.identity import Identity
from tollhouse_core.policy.limits import LimitBook
from tollhouse_dialects import LANGUAGES
from tollhouse_operator.standalone.requests import RequestFolder
from tollhouse_proxy.adapters.folder import folder_stores
from tollhouse_proxy.guard.counters import Counters
from tollhouse_proxy.guard.gate import Gate
from tollhouse_proxy.guard.house import House
from tollhouse_proxy.guard.in_force import InForce

READ_EVERYTHING: dict[str, Any] = {
    "name": "read",
    "allow": {"sql": {"access": ["Select", "Update", "Insert"], "tables": ["*"]}},
}


def deletes_need(**terms: Any) -> dict[str, Any]:
    """A rule: DELETE anywhere waits for one of the managers, or as `terms` say."""
    action = {"sql": {"access": ["Delete"], "tables": ["*"]}, "approvers": [{"group": "managers"}], **terms}
    return {"name": "deletes", "requireApproval": action}


@dataclass
class Approving:
    """`state`: the folder's. Requests are in namespace shop."""

    state: Path
    world: WireWorld
    in_force: InForce = field(default_factory=lambda: InForce(LANGUAGES))
    sink: ListSink = field(default_factory=ListSink)
    stronger: dict[str, Any] = field(default_factory=dict)
    """The Connection's `approvalCredentials`; what they lend is the world's `stronger`."""
    _seen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        stores = folder_stores(self.state, "shop", "orders-db", "orders-db-1")
        house = House(
            self.in_force, stores.approvals, self.sink, SystemClock(), LimitBook(), Counters(), "orders-db-1"
        )
        self.world.gate = cast(Any, Gate(house))
        self.requests = RequestFolder(self.state / "state" / "approvals")

    def policy(self, *rules: Mapping[str, Any], opens: bool = True) -> None:
        """What is in force from now on for everybody; `opens`: besides READ_EVERYTHING."""
        document = policy_document(*([READ_EVERYTHING] if opens else []), *rules)
        document["spec"]["subjects"] = [{"authenticated": {}}]
        text = bundle_text(document, approvalCredentials=self.stronger)
        assert self.in_force.offer(text), self.in_force.problem

    def connect(self, **options: Any) -> psycopg.Connection[Any]:
        """An agent's session."""
        return psycopg.connect(self.world.dsn(), autocommit=True, **options)

    def all(self) -> list[ApprovalRequest]:
        """Every request, oldest first."""
        return self.requests.read_all()

    def asked(self) -> ApprovalRequest:
        """Waits for a request that was not asked about before."""
        found = wait.until(
            lambda: [one for one in self.all() if one.name not in self._seen], within=60, what="a request"
        )
        self._seen.add(found[0].name)
        return found[0]

    def phase(self, name: str) -> str:
        """Where the request stands."""
        found = self.requests.read("shop", name)
        return found.status.phase.value if found is not None else "gone"

    def vote(self, name: str, by: str, *groups: str, decision: str = "Approved") -> str:
        """ "" when the vote was taken, else the sentence that refuses it."""
        refused: list[str] = []

        def voted(request: ApprovalRequest) -> ApprovalRequest:
            written = request.spec.model_copy(update={"decision": Decision(decision), "reason": "because"})
            new = request.model_copy(update={"spec": written})
            admitted = admit(request, new, by, groups, datetime.now(UTC))
            if isinstance(admitted, NotAdmitted):
                refused.append(str(admitted))
                return request
            return admitted

        assert self.requests.change("shop", name, voted) is not None
        return refused[0] if refused else ""


@contextmanager
def approving(
    state: Path, server: Postgres, database: str, known: Mapping[str, Identity] | None = None
) -> Iterator[Approving]:
    """Serves until the end of the block; `known` are identities by token, instead of the usual one."""
    made = Approving(state, WireWorld(server, database, known=dict(known or {})))
    with running(made.world):
        yield made

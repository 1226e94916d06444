"""A guard with the real engine and tally; clock, sink and approvals are fakes of our own ports."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tollhouse_core.api import parse_object
from tollhouse_core.api.access_policy import AccessPolicy
from tollhouse_core.api.approval_request import ApprovalRequest, Decision, Phase, Vote
from tollhouse_core.api.revocation import ClusterRevocation, Revocation
from tollhouse_core.audit.event import Brief, Event, event_of
from tollhouse_core.identity import Identity, Proof, Session
from tollhouse_core.operation import Access, AccessKind, Operation, Resource, Verb
from tollhouse_core.policy.bundle import build_bundle
from tollhouse_core.policy.limits import LimitBook
from tollhouse_dialects import LANGUAGES
from tollhouse_proxy.guard.counters import Counters
from tollhouse_proxy.guard.gate import Gate
from tollhouse_proxy.guard.house import House
from tollhouse_proxy.guard.in_force import InForce
from tollhouse_proxy.guard.session import SessionJudge
from tollhouse_proxy.ports.audit import AuditUnavailable

START = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)


class HandClock:
    """Moves when it is told to."""

    def __init__(self) -> None:
        self.moment = START

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return (self.moment - START).total_seconds()

    def forward(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


class ListSink:
    """Keeps events; refuses them once `broken`."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.broken = False

    def accept(self, event: Event | Brief) -> None:
        if self.broken:
            raise AuditUnavailable("the disk is full")
        self.events.append(event_of(event) if isinstance(event, tuple) else event)

    async def flush(self) -> None: ...

    async def close(self) -> None: ...

    def kinds(self) -> list[str]:
        return [event.kind.value for event in self.events]


class MemoryApprovals:
    """ApprovalRequests with optimistic concurrency, as the API server has them."""

    def __init__(self) -> None:
        self.requests: dict[str, ApprovalRequest] = {}
        self._versions = itertools.count(1)
        self._changed = asyncio.Condition()

    async def create(self, request: ApprovalRequest) -> ApprovalRequest:
        name = f"{request.metadata.generate_name}{next(self._versions)}"
        return await self._store(request, name=name)

    async def get(self, name: str) -> ApprovalRequest | None:
        return self.requests.get(name)

    async def find(self, digest: str) -> Sequence[ApprovalRequest]:
        found = [
            item
            for item in self.requests.values()
            if (item.spec.operation.template_digest or item.spec.operation.digest) == digest
        ]
        return found[::-1]

    async def watch(self, name: str) -> AsyncIterator[ApprovalRequest]:
        seen = None
        while True:
            async with self._changed:
                while self.requests.get(name) is seen:
                    await self._changed.wait()
                seen = self.requests.get(name)
            if seen is None:
                return
            yield seen

    async def set_phase(self, request: ApprovalRequest, phase: Phase, message: str) -> bool:
        return await self._write(request, phase, message, {})

    async def count_use(self, request: ApprovalRequest, phase: Phase, message: str, now: datetime) -> bool:
        begun = request.status.first_used_at or now
        uses = (request.status.uses or 0) + 1
        return await self._write(request, phase, message, {"uses": uses, "first_used_at": begun})

    async def _write(
        self, request: ApprovalRequest, phase: Phase, message: str, more: dict[str, object]
    ) -> bool:
        current = self.requests.get(request.metadata.name or "")
        if current is None or current.metadata.resource_version != request.metadata.resource_version:
            return False
        status = current.status.model_copy(update={"phase": phase, "message": message, **more})
        await self._store(current.model_copy(update={"status": status}))
        return True

    async def vote(self, name: str, by: str, groups: Sequence[str], decision: Decision, at: datetime) -> None:
        current = self.requests[name]
        vote = Vote(by=by, groups=tuple(groups), decision=decision, reason="because", at=at)
        spec = current.spec.model_copy(update={"votes": (*current.spec.votes, vote)})
        await self._store(current.model_copy(update={"spec": spec}))

    async def delete(self, name: str) -> None:
        async with self._changed:
            del self.requests[name]
            self._changed.notify_all()

    async def _store(self, request: ApprovalRequest, name: str = "") -> ApprovalRequest:
        meta = request.metadata.model_copy(
            update={"name": name or request.metadata.name, "resource_version": str(next(self._versions))}
        )
        stored = request.model_copy(update={"metadata": meta})
        async with self._changed:
            self.requests[meta.name or ""] = stored
            self._changed.notify_all()
        return stored


def connection_document() -> dict[str, Any]:
    return {
        "apiVersion": "tollhouse.dev/v1alpha1",
        "kind": "Connection",
        "metadata": {"name": "orders-db", "namespace": "shop"},
        "spec": {
            "postgres": {"host": "db", "port": 5432, "database": "orders"},
            "credentials": {"secretRef": {"name": "orders-db"}},
        },
    }


def policy_document(*rules: Mapping[str, Any], name: str = "support") -> dict[str, Any]:
    return {
        "apiVersion": "tollhouse.dev/v1alpha1",
        "kind": "AccessPolicy",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "connections": {"names": ["orders-db"]},
            "subjects": [{"group": "support-agents"}],
            "rules": list(rules),
        },
    }


def revocation_document(
    *entries: Mapping[str, Any], name: str = "out", kind: str = "Revocation", **spec: Any
) -> dict[str, Any]:
    where = {} if kind == "ClusterRevocation" else {"namespace": "shop"}
    return {
        "apiVersion": "tollhouse.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, **where},
        "spec": {"revoke": list(entries), **spec},
    }


def bundle_text(*documents: Mapping[str, Any], **spec: Any) -> str:
    """`spec`: what the Connection says besides."""
    connection = connection_document()
    connection["spec"] = {**connection["spec"], **spec}
    parsed = [parse_object(document) for document in documents]
    revocations = [one for one in parsed if isinstance(one, Revocation | ClusterRevocation)]
    result = build_bundle(
        parse_object(connection),  # type: ignore[arg-type]
        [one for one in parsed if isinstance(one, AccessPolicy)],
        [],
        [],
        LANGUAGES,
        revocations,
    )
    assert result.bundle is not None, result.problems
    return result.bundle.to_json()


READ_ORDERS = {"name": "read", "allow": {"sql": {"access": ["Select"], "tables": ["orders"]}}}
DELETE_NEEDS = {
    "name": "deletes",
    "requireApproval": {
        "sql": {"access": ["Delete"], "tables": ["*"]},
        "approvers": [{"group": "managers"}],
        "expiresAfter": "15m",
    },
}

TRIAGE = Identity(
    name="triage", provider="kubernetes", proof=Proof.SERVICE_ACCOUNT, groups=("support-agents",)
)


def session(identity: Identity = TRIAGE, number: int = 1) -> Session:
    return Session(
        id=f"session-{number}",
        connection="orders-db",
        namespace="shop",
        protocol="postgres",
        identity=identity,
        database="orders",
        user="agent",
        application_name="psql",
        address="10.0.0.1:5000",
        started_at=START,
    )


def select(table: str = "orders", **changes: Any) -> Operation:
    path = ("public", table)
    made = Operation(
        action="SELECT",
        accesses=(Access(Verb.READ, AccessKind.TABLE, "Select", path),),
        resources=(Resource(path, ("id", "note")),),
        text=f"SELECT * FROM {table}",
        canonical=f"SELECT * FROM public.{table}",
    )
    return replace(made, **changes)


def delete(identifier: int = 7) -> Operation:
    path = ("public", "orders")
    return Operation(
        action="DELETE",
        accesses=(Access(Verb.DELETE, AccessKind.TABLE, "Delete", path),),
        resources=(Resource(path, ("id", "note")),),
        text=f"DELETE FROM orders WHERE id = {identifier}",
        canonical=f"DELETE FROM public.orders WHERE id = {identifier}",
    )


class World:
    """One proxy's guard."""

    def __init__(self, *policies: Mapping[str, Any]) -> None:
        self.clock = HandClock()
        self.sink = ListSink()
        self.approvals = MemoryApprovals()
        self.in_force = InForce(LANGUAGES)
        self.counters = Counters()
        self.house = House(
            self.in_force, self.approvals, self.sink, self.clock, LimitBook(), self.counters, "proxy-0"
        )
        self.gate = Gate(self.house)
        self.waits: list[tuple[str, str]] = []
        if policies:
            self.apply(*policies)

    def apply(self, *policies: Mapping[str, Any]) -> None:
        assert self.in_force.offer(bundle_text(*policies)), self.in_force.problem

    def open(self, number: int = 1) -> SessionJudge:
        return self.gate.open(session(number=number))

    def waiting(self, name: str, words: str) -> None:
        self.waits.append((name, words))


async def no_facts(names: frozenset[str]) -> Mapping[str, object]:
    return {}

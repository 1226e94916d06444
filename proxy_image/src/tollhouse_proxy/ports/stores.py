"""Where bundles come from, and where approvals and reports go: a cluster or a folder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from tollhouse_core.api.approval_request import ApprovalRequest, Phase
from tollhouse_core.privileges import Excess
from tollhouse_core.stores import SecretStore, StoreRefused, StoreUnavailable

__all__ = [
    "ApprovalStore",
    "BundleStore",
    "ProxyReport",
    "ReportStore",
    "SecretStore",
    "StoreRefused",
    "StoreUnavailable",
]


class BundleStore(Protocol):
    """The compiled policies of this proxy's Connection, as the JSON text of its bundle."""

    def watch(self) -> AsyncIterator[str]:
        """Yields the bundle now if there is one, and each later version. Never ends: lost
        connections are made again with back-off; what was yielded last stays in force."""
        ...


class ApprovalStore(Protocol):
    """ApprovalRequests of this Connection."""

    async def create(self, request: ApprovalRequest) -> ApprovalRequest:
        """Stores a new request (metadata.generateName is honoured); returns it with its name."""
        ...

    async def get(self, name: str) -> ApprovalRequest | None:
        """One request as it is now; None when it is gone."""
        ...

    async def find(self, digest: str) -> Sequence[ApprovalRequest]:
        """Requests of this Connection that this digest, exact or of a template, opens; newest first."""
        ...

    def watch(self, name: str) -> AsyncIterator[ApprovalRequest]:
        """The request now and after every change; ends when it is deleted."""
        ...

    async def set_phase(self, request: ApprovalRequest, phase: Phase, message: str) -> bool:
        """Writes status.phase with optimistic concurrency. False: somebody else was first (the
        request has changed since it was read), so the caller must read it again."""
        ...

    async def count_use(self, request: ApprovalRequest, phase: Phase, message: str, now: datetime) -> bool:
        """As set_phase, with one more of status.uses; the first one writes status.firstUsedAt."""
        ...


@dataclass(frozen=True, slots=True)
class ProxyReport:
    """What this proxy tells about itself; shown in the Connection's status."""

    instance: str
    revision: str
    ready: bool
    sessions: int
    matched: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """policy/rule -> {"enforced" | "warned" | "shadowed": count}"""
    warnings: Sequence[str] = ()
    excess: Sequence[Excess] | None = None
    """What the backend's role may do beyond the policies' needs; None: not looked at yet."""


class ReportStore(Protocol):
    """Where proxies leave their reports."""

    async def put(self, report: ProxyReport) -> None:
        """Replaces this instance's report."""
        ...

    async def remove(self, instance: str) -> None:
        """Takes this instance's report away (a clean stop)."""
        ...

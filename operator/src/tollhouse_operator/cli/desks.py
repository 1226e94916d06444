"""Where ApprovalRequests are read and voted on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tollhouse_core.api.approval_request import ApprovalRequest


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says about where and who. `namespace` None: the desk's own default."""

    namespace: str | None = None
    context: str | None = None
    as_user: str = ""
    as_groups: tuple[str, ...] = ()


class Desk(Protocol):
    """A folder or a cluster. Every call raises CommandFailed."""

    def all(self) -> list[ApprovalRequest]:
        """All requests, oldest first."""
        ...

    def one(self, name: str) -> ApprovalRequest:
        """One request."""
        ...

    def vote(self, name: str, decision: str, reason: str | None) -> ApprovalRequest:
        """Casts a vote; returns the request with it."""
        ...

"""What the operator does to ApprovalRequests in a cluster: tallies, lets expire, clears away."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from tollhouse_core.api.approval_request import ApprovalRequest, Phase
from tollhouse_core.approvals.tally import next_deadline, tally
from tollhouse_operator.standalone.requests import RequestFolder, read_request

KEEP_RESOLVED = timedelta(hours=24)
_RESOLVED = frozenset({Phase.DENIED, Phase.EXPIRED, Phase.USED, Phase.WITHDRAWN})


class Tending:
    """Looks at a request when its file changed or its time has come."""

    def __init__(self, requests: RequestFolder) -> None:
        self._requests = requests
        self._seen: dict[Path, tuple[tuple[int, int], datetime]] = {}

    def look(self, now: datetime) -> list[ApprovalRequest]:
        """Writes what has come of the requests; returns those that are new or in a new phase.
        Raises OSError."""
        told: list[ApprovalRequest] = []
        paths = set(self._requests.paths())
        self._seen = {path: seen for path, seen in self._seen.items() if path in paths}
        for path in sorted(paths):
            stamp = _stamp(path)
            known = self._seen.get(path)
            if stamp is None or (known is not None and known[0] == stamp and now < known[1]):
                continue
            request = self._tend(path, now)
            after = _stamp(path)
            if request is None or after is None:
                continue
            if known is None or request.status.phase is not Phase.PENDING:
                told.append(request)
            self._seen[path] = (after, _look_again(request, now))
        return told

    def _tend(self, path: Path, now: datetime) -> ApprovalRequest | None:
        request = read_request(path)
        if request is None:
            return None
        if _is_over(request, now):
            self._requests.remove(request.namespace, request.name)
            return None
        return self._requests.change(request.namespace, request.name, lambda one: _tallied(one, now))


def _tallied(request: ApprovalRequest, now: datetime) -> ApprovalRequest:
    result = tally(request, now)
    status = request.status
    resolved_at = status.resolved_at or (now if result.phase is not Phase.PENDING else None)
    changed = status.model_copy(
        update={
            "phase": result.phase,
            "message": result.message[:1024],
            "votes": result.votes,
            "resolved_at": resolved_at,
        }
    )
    return request if changed == status else request.model_copy(update={"status": changed})


def _look_again(request: ApprovalRequest, now: datetime) -> datetime:
    if request.status.phase in _RESOLVED:
        return (request.status.resolved_at or now) + KEEP_RESOLVED
    deadline = next_deadline(request, now)
    return deadline if deadline > now else now + timedelta(seconds=5)


def _is_over(request: ApprovalRequest, now: datetime) -> bool:
    resolved = request.status.resolved_at
    return request.status.phase in _RESOLVED and resolved is not None and now >= resolved + KEEP_RESOLVED


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino

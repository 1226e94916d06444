"""ApprovalStore over files."""

from __future__ import annotations

import asyncio
import secrets
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import ParamSpec, TypeVar

from tollhouse_core.api.approval_request import ApprovalRequest, Phase
from tollhouse_proxy.adapters.folder.files import changes, is_object_name
from tollhouse_proxy.adapters.folder.objects import RequestFiles
from tollhouse_proxy.ports.stores import StoreRefused, StoreUnavailable

# Kubernetes' own alphabet for generated names: nothing that looks like something else or a word.
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
Given = ParamSpec("Given")
Result = TypeVar("Result")
_EPOCH = datetime.fromtimestamp(0, UTC)


class FolderApprovals:
    """ApprovalRequests of one Connection (see the port)."""

    def __init__(self, folder: Path, namespace: str, connection: str) -> None:
        self._files = RequestFiles(folder)
        self._namespace = namespace
        self._connection = connection

    async def create(self, request: ApprovalRequest) -> ApprovalRequest:
        """See the port. Raises StoreRefused for a name that is taken, StoreUnavailable."""
        return await _on_disk(self._create, request)

    async def get(self, name: str) -> ApprovalRequest | None:
        """See the port."""
        return await _on_disk(self._get, name)

    async def find(self, digest: str) -> Sequence[ApprovalRequest]:
        """See the port."""
        return await _on_disk(self._find, digest)

    async def watch(self, name: str) -> AsyncIterator[ApprovalRequest]:
        """See the port."""
        if not is_object_name(name):
            return
        seen: ApprovalRequest | None = None
        async for there in changes(self._files.path(name)):
            if not there:
                return
            request = await self.get(name)
            # A file edited into something unreadable says nothing new; its next version will.
            if request is not None and request != seen:
                seen = request
                yield request

    async def set_phase(self, request: ApprovalRequest, phase: Phase, message: str) -> bool:
        """See the port."""
        return await _on_disk(self._set_phase, request, phase, message, {})

    async def count_use(self, request: ApprovalRequest, phase: Phase, message: str, now: datetime) -> bool:
        """See the port."""
        begun = request.status.first_used_at or now
        uses = {"uses": (request.status.uses or 0) + 1, "first_used_at": begun}
        return await _on_disk(self._set_phase, request, phase, message, uses)

    def _create(self, request: ApprovalRequest) -> ApprovalRequest:
        name = request.metadata.name or f"{request.metadata.generate_name or ''}{_suffix()}"
        if not is_object_name(name):
            raise StoreRefused(f"{name[:80]!r} cannot be the name of an ApprovalRequest")
        metadata = request.metadata.model_copy(
            update={
                "name": name,
                "namespace": self._namespace,
                "uid": str(uuid.uuid4()),
                "creation_timestamp": datetime.now(UTC).replace(microsecond=0),
                "resource_version": None,
            }
        )
        with self._files.locked():
            if self._files.path(name).exists():
                raise StoreRefused(f"ApprovalRequest {name} exists already")
            return self._files.write(request.model_copy(update={"metadata": metadata}))

    def _get(self, name: str) -> ApprovalRequest | None:
        request = self._files.read(name)
        return request if request is not None and self._ours(request) else None

    def _find(self, digest: str) -> Sequence[ApprovalRequest]:
        found = [
            request
            for request in self._files.read_all(digest)
            if self._ours(request) and digest == _key(request)
        ]
        return sorted(
            found, key=lambda one: (one.metadata.creation_timestamp or _EPOCH, one.name), reverse=True
        )

    def _set_phase(
        self, request: ApprovalRequest, phase: Phase, message: str, more: dict[str, object]
    ) -> bool:
        with self._files.locked():
            current = self._get(request.name)
            if current is None or current.metadata.resource_version != request.metadata.resource_version:
                return False
            status = current.status.model_copy(
                update={
                    "phase": phase,
                    "message": message[:1024],
                    **more,
                    "resolved_at": current.status.resolved_at
                    or (datetime.now(UTC) if phase is not Phase.PENDING else None),
                }
            )
            self._files.write(current.model_copy(update={"status": status}))
            return True

    def _ours(self, request: ApprovalRequest) -> bool:
        return request.spec.connection == self._connection


def _key(request: ApprovalRequest) -> str:
    """What a request is found by: the template's digest where it covers one."""
    return request.spec.operation.template_digest or request.spec.operation.digest


def _suffix() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(5))


async def _on_disk(function: Callable[Given, Result], *args: Given.args, **named: Given.kwargs) -> Result:
    """Files can be slow and the lock taken: never on the event loop."""
    try:
        return await asyncio.to_thread(function, *args, **named)
    except OSError as error:
        raise StoreUnavailable(f"{error.filename or 'the state folder'}: {error.strerror}") from error

"""ApprovalRequests of one Connection, as objects of the API server."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

from tollhouse_core.api import InvalidObject, parse_object, to_document
from tollhouse_core.api.approval_request import ApprovalRequest, Phase
from tollhouse_proxy.adapters.kubernetes.client import Api, Conflict, Document, NotFound
from tollhouse_proxy.adapters.kubernetes.feed import Feed
from tollhouse_proxy.ports.stores import StoreRefused, StoreUnavailable

log = logging.getLogger(__name__)

CONNECTION_LABEL = "tollhouse.dev/connection"
DIGEST_LABEL = "tollhouse.dev/digest"
_LABEL_LENGTH = 63
_MESSAGE_LENGTH = 1024


class KubernetesApprovals:
    """An ApprovalStore."""

    def __init__(self, api: Api, namespace: str, connection: str) -> None:
        self._api = api
        self._namespace = namespace
        self._connection = connection
        self._collection = f"/apis/tollhouse.dev/v1alpha1/namespaces/{namespace}/approvalrequests"
        self._feed = Feed(api, self._collection, f"{CONNECTION_LABEL}={connection}", self._troubled)

    async def create(self, request: ApprovalRequest) -> ApprovalRequest:
        """See ApprovalStore.create."""
        document = to_document(request)
        document.pop("status", None)  # the API server drops it anyway
        metadata = document["metadata"]
        metadata["namespace"] = self._namespace
        metadata["labels"] = {
            **(metadata.get("labels") or {}),
            CONNECTION_LABEL: self._connection,
            DIGEST_LABEL: _digest_label(_key(request)),
        }
        return _parse(await self._api.create(self._collection, document))

    async def get(self, name: str) -> ApprovalRequest | None:
        """See ApprovalStore.get."""
        try:
            return _parse(await self._api.get(f"{self._collection}/{name}"))
        except NotFound:
            return None

    async def find(self, digest: str) -> Sequence[ApprovalRequest]:
        """See ApprovalStore.find. The label only narrows; the digest itself decides."""
        selector = f"{CONNECTION_LABEL}={self._connection},{DIGEST_LABEL}={_digest_label(digest)}"
        found = await self._api.get(self._collection, labelSelector=selector)
        requests = [_parse(_complete(item)) for item in found.get("items") or ()]
        wanted = [
            request
            for request in requests
            if _key(request) == digest and request.spec.connection == self._connection
        ]
        return sorted(wanted, key=_created, reverse=True)

    async def watch(self, name: str) -> AsyncGenerator[ApprovalRequest, None]:
        """See ApprovalStore.watch."""
        changes = self._feed.follow(name)
        async with aclosing(changes):
            async for document in changes:
                yield _parse(document)

    async def set_phase(self, request: ApprovalRequest, phase: Phase, message: str) -> bool:
        """See ApprovalStore.set_phase. The version in the patch makes the API server refuse it if
        the request has changed since it was read: of two proxies, one gets False."""
        return await self._write(request, phase, message, {})

    async def count_use(self, request: ApprovalRequest, phase: Phase, message: str, now: datetime) -> bool:
        """See ApprovalStore.count_use."""
        begun = request.status.first_used_at or now
        uses = {"uses": (request.status.uses or 0) + 1, "firstUsedAt": _stamp(begun)}
        return await self._write(request, phase, message, uses)

    async def _write(
        self, request: ApprovalRequest, phase: Phase, message: str, more: dict[str, Any]
    ) -> bool:
        status: dict[str, Any] = {"phase": str(phase), "message": message[:_MESSAGE_LENGTH], **more}
        if request.status.resolved_at is None and phase is not Phase.PENDING:
            status["resolvedAt"] = _stamp(datetime.now(UTC))
        body = {"metadata": {"resourceVersion": request.metadata.resource_version}, "status": status}
        if request.metadata.resource_version is None:
            raise StoreRefused(f"{request.title} was not read from the store")
        try:
            await self._api.merge(f"{self._collection}/{request.name}/status", body)
        except (Conflict, NotFound):
            return False
        return True

    def _troubled(self, why: str) -> None:
        log.warning("approval requests of %s: %s", self._connection, why)


def _parse(document: Document) -> ApprovalRequest:
    try:
        parsed = parse_object(document)
    except InvalidObject as error:
        raise StoreUnavailable(f"a stored request cannot be read: {error}"[:_MESSAGE_LENGTH]) from None
    assert isinstance(parsed, ApprovalRequest)
    return parsed


def _complete(item: Document) -> Document:
    """Items of a list come without apiVersion and kind."""
    return {"apiVersion": "tollhouse.dev/v1alpha1", "kind": "ApprovalRequest", **item}


def _key(request: ApprovalRequest) -> str:
    """What a request is found by: the template's digest where it covers one."""
    return request.spec.operation.template_digest or request.spec.operation.digest


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _digest_label(digest: str) -> str:
    return digest.rpartition(":")[2][:_LABEL_LENGTH]


def _created(request: ApprovalRequest) -> datetime:
    return request.metadata.creation_timestamp or datetime.min.replace(tzinfo=UTC)

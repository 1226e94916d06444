"""Tells receivers outside of the cluster about one ApprovalRequest."""

from __future__ import annotations

import base64
import binascii
import logging
from typing import Any

from tollhouse_core.api import InvalidObject, parse_object, to_document
from tollhouse_core.api.access_policy import AccessPolicy
from tollhouse_core.api.approval_request import ApprovalRequest, NotificationRecord, NotificationState
from tollhouse_core.api.connection import Connection
from tollhouse_core.api.meta import CaRef, SecretKeyRef
from tollhouse_core.api.notifying import Notify
from tollhouse_core.secret import Secret
from tollhouse_operator import resources
from tollhouse_operator.cluster import Conflict, Missing, Resource
from tollhouse_operator.compiling import Key
from tollhouse_operator.manifests.naming import Manifest
from tollhouse_operator.notify.messages import body_of, headers_of, message_of
from tollhouse_operator.notify.plan import Due, after, plan, receivers
from tollhouse_operator.notify.sending import post
from tollhouse_operator.reconcile.desk import Desk

log = logging.getLogger(__name__)

_AGAIN_SECONDS = 0.05


class _Lacking(Exception):
    """Something that a receiver needs is not there; `str()` says what."""


async def reconcile_notifications(desk: Desk, key: Key) -> float | None:
    """Returns after how many seconds to look again. Raises ClusterError."""
    namespace, name = key
    document = await desk.cluster.find(resources.APPROVAL_REQUESTS, namespace, name)
    request = _parsed(document, ApprovalRequest)
    if document is None or request is None or document["metadata"].get("deletionTimestamp"):
        return None
    told = await _receivers(desk, namespace, request)
    wanted = plan(request, told, desk.now())
    if not wanted.due:
        return wanted.again_seconds
    tried = [await _tried(desk, namespace, request, due) for due in wanted.due]
    await _give_up_aloud(desk, document, tried)
    return await _remember(desk, document, request, tried)


async def _receivers(desk: Desk, namespace: str, request: ApprovalRequest) -> dict[str, Notify]:
    connection = await _found(desk, resources.CONNECTIONS, namespace, request.spec.connection, Connection)
    policy = await _found(desk, resources.ACCESS_POLICIES, namespace, request.spec.policy.name, AccessPolicy)
    return receivers(connection.spec.notify if connection else (), policy.spec.notify if policy else ())


async def _tried(desk: Desk, namespace: str, request: ApprovalRequest, due: Due) -> NotificationRecord:
    message = message_of(request, due.moment, due.words, due.name)
    body = body_of(message, due.receiver.format)
    try:
        url = await _url(desk, namespace, due.receiver)
        signing, authority = due.receiver.signing_key_ref, due.receiver.ca_ref
        key = await _secret(desk, namespace, signing) if signing is not None else None
        ca = await _secret(desk, namespace, authority) if authority is not None else None
    except _Lacking as lacking:
        problem = str(lacking)
    else:
        headers = headers_of(message, body, key, desk.now())
        problem = await post(url, body, headers, ca.reveal() if ca else None)
    if problem:
        log.warning(
            "request %s/%s: %s could not be told %s: %s",
            namespace, request.name, due.name, due.moment.value, problem,
        )  # fmt: skip
    return after(due.record, problem, desk.now())


async def _url(desk: Desk, namespace: str, receiver: Notify) -> Secret:
    if receiver.url is not None:
        return Secret(receiver.url)
    assert receiver.url_ref is not None  # the API types let nothing else through
    url = await _secret(desk, namespace, receiver.url_ref)
    return Secret(url.reveal().strip())


async def _secret(desk: Desk, namespace: str, reference: SecretKeyRef | CaRef) -> Secret:
    """One key of a Secret in the request's own namespace. Raises _Lacking, ClusterError."""
    name, key = reference.secret, reference.key
    found = await desk.cluster.find(resources.SECRETS, namespace, name)
    encoded = ((found or {}).get("data") or {}).get(key)
    if encoded is None:
        raise _Lacking(f"the Secret {name} with key {key} is missing")
    try:
        return Secret(base64.b64decode(encoded, validate=True).decode())
    except (binascii.Error, UnicodeDecodeError):
        raise _Lacking(f"key {key} of the Secret {name} is no text") from None


async def _give_up_aloud(desk: Desk, document: Manifest, tried: list[NotificationRecord]) -> None:
    for record in tried:
        if record.state is NotificationState.GIVEN_UP:
            words = f"{record.receiver} could not be told {record.event.value}: {record.problem}"
            await desk.teller.tell(document, "NotificationFailed", words, desk.now(), warning=True)


async def _remember(
    desk: Desk, document: Manifest, request: ApprovalRequest, tried: list[NotificationRecord]
) -> float | None:
    """Writes down what was tried, beside whatever the status has become meanwhile."""
    changed = {(record.receiver, record.event): record for record in tried}
    kept = {(record.receiver, record.event): record for record in request.status.notifications}
    told = request.model_copy(
        update={
            "status": request.status.model_copy(update={"notifications": tuple({**kept, **changed}.values())})
        }
    )
    metadata = document["metadata"]
    body = {
        "metadata": {"uid": metadata["uid"]},
        "status": {"notifications": to_document(told)["status"]["notifications"]},
    }
    try:
        await desk.cluster.merge(
            resources.APPROVAL_REQUESTS, metadata["namespace"], metadata["name"], body, "status"
        )
    except (Conflict, Missing):
        return None
    return _AGAIN_SECONDS


async def _found(desk: Desk, kind: Resource, namespace: str, name: str, model: type[Any]) -> Any:
    return _parsed(await desk.cluster.find(kind, namespace, name), model)


def _parsed(document: Manifest | None, model: type[Any]) -> Any:
    if document is None:
        return None
    try:
        parsed = parse_object(document)
    except InvalidObject as error:
        log.warning("nobody is told: %s", error)
        return None
    return parsed if isinstance(parsed, model) else None

"""What goes into the audit's events: plain JSON values, never a secret, never a masked value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from tollhouse_core.decision import Observation, RuleRef
from tollhouse_core.identity import Identity, Session
from tollhouse_core.operation import Operation

MAX_TEXT = 64 * 1024
"""Longer statements are cut in the record, with their full length beside them."""


def identity_record(identity: Identity) -> dict[str, object]:
    """Who it is; claims stay out (they may hold what nobody asked to keep)."""
    record: dict[str, object] = {
        "name": identity.name,
        "provider": identity.provider,
        "proof": identity.proof.value,
        "groups": list(identity.groups),
    }
    if identity.kubernetes_user:
        record["kubernetesUser"] = identity.kubernetes_user
    if identity.on_behalf_of:
        record["onBehalfOf"] = {
            "name": identity.on_behalf_of.name,
            "groups": list(identity.on_behalf_of.groups),
            **({"provider": identity.on_behalf_of.provider} if identity.on_behalf_of.provider else {}),
        }
    if identity.scope is not None:
        record["scope"] = list(identity.scope)
    if identity.via:
        record["via"] = identity.via
    if identity.origins:
        record["tradedFor"] = [
            {"provider": origin.provider, "tokenId": origin.token_id} for origin in identity.origins
        ]
    if identity.token_id:
        record["tokenId"] = identity.token_id
    if identity.expires_at:
        record["expiresAt"] = _time(identity.expires_at)
    return record


def session_record(session: Session, revision: str) -> dict[str, object]:
    """A session's opening."""
    record: dict[str, object] = {
        "connection": session.connection,
        "namespace": session.namespace,
        "protocol": session.protocol,
        "identity": identity_record(session.identity),
        "database": session.database,
        "user": session.user,
        "applicationName": session.application_name,
        "address": session.address,
        "revision": revision,
    }
    if session.role:
        record["role"] = session.role
    return record


def operation_record(number: int, operation: Operation, length: int | None = None) -> dict[str, object]:
    """What was asked. `length` is that of its whole text, where `operation` holds only the beginning."""
    record: dict[str, object] = {
        "operation": number,
        "action": operation.action,
        "text": operation.text[:MAX_TEXT],
        "accesses": [
            {"verb": access.verb.value, "action": access.action, "object": access.object}
            for access in operation.accesses
        ],
    }
    length = len(operation.text) if length is None else length
    if length > MAX_TEXT:
        record["textLength"] = length
    if operation.parameters:
        record["parameters"] = [
            value if value is None or len(value) <= MAX_TEXT else value[:MAX_TEXT]
            for value in operation.parameters
        ]
    return record


def decision_record(
    decision: str, rule: RuleRef, revision: str, observed: Sequence[Observation] = (), message: str = ""
) -> dict[str, object]:
    """What was decided, and by which rule."""
    record: dict[str, object] = {
        "decision": decision,
        "policy": rule.policy,
        "rule": rule.rule,
        "revision": revision,
    }
    if message:
        record["message"] = message
    if observed:
        record["observed"] = [
            {
                "policy": seen.rule.policy,
                "rule": seen.rule.rule,
                "mode": seen.mode.value,
                "would": seen.would,
                "message": seen.message,
            }
            for seen in observed
        ]
    return record


def votes_record(votes: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    """Who voted what."""
    return [dict(vote) for vote in votes]


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

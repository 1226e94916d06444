"""Everything a Connection owns except its bundle."""

from __future__ import annotations

import base64
import logging
from collections.abc import Sequence

from pydantic import BaseModel

from tollhouse_core.api import InvalidObject, parse_object
from tollhouse_core.api.audit_sink import AuditSink
from tollhouse_core.api.connection import Connection
from tollhouse_core.api.identity_provider import IdentityProvider
from tollhouse_core.secret import Secret
from tollhouse_operator import resources
from tollhouse_operator.apply import OwnedByAnother
from tollhouse_operator.authority import Authority, ensure_authority
from tollhouse_operator.certificates import (
    BadKeyPair,
    KeyPair,
    audit_public_key,
    mask_key,
    new_audit_key,
    new_serving_certificate,
    why_renew,
)
from tollhouse_operator.cluster import Refused
from tollhouse_operator.compiling import Key
from tollhouse_operator.conditions import Reason
from tollhouse_operator.gather import desired, read
from tollhouse_operator.manifests.all import manifests_of
from tollhouse_operator.manifests.config_maps import authority_config_map
from tollhouse_operator.manifests.naming import Manifest, Names, names_of
from tollhouse_operator.manifests.pod_volumes import own_certificate
from tollhouse_operator.manifests.secrets import (
    PRIVATE_KEY,
    audit_key_secret,
    mask_key_secret,
    serving_certificate_secret,
)
from tollhouse_operator.reconcile.desk import Desk
from tollhouse_operator.statuses import listed

log = logging.getLogger(__name__)


async def reconcile_objects(desk: Desk, key: Key) -> None:
    """Puts all objects in place. What the API server refuses becomes a condition; raises
    ClusterError when it is away."""
    namespace, name = key
    document = await desk.cluster.find(resources.CONNECTIONS, namespace, name)
    if document is None or document["metadata"].get("deletionTimestamp"):
        desk.memory.forget_connection(key)
        desk.applier.forget(namespace, name)
        return
    trouble = await _put_in_place(desk, document)
    if trouble is None:
        desk.memory.troubles.pop(key, None)
    else:
        desk.memory.troubles[key] = trouble
    desk.look_at_status(key)


async def _put_in_place(desk: Desk, document: Manifest) -> tuple[Reason, str] | None:
    try:
        connection = parse_object(desired(document))
    except InvalidObject as error:
        return Reason.INVALID, listed(error.problems)
    assert isinstance(connection, Connection)
    try:
        others = await _others(desk, connection)
        await _secrets(desk, connection)
        for manifest in manifests_of(connection, others, desk.settings.proxies):
            await desk.applier.apply(manifest)
    except OwnedByAnother as error:
        return Reason.NAME_TAKEN, str(error)
    except BadKeyPair as error:
        return Reason.OBJECT_REFUSED, str(error)
    except Refused as error:
        return Reason.OBJECT_REFUSED, f"the API server refused an object: {error}"
    return None


async def _others(desk: Desk, connection: Connection) -> Sequence[BaseModel]:
    """Specs of the providers and sinks it names; those that are missing or invalid hold the bundle
    back, which is told there."""
    providers = read(
        await desk.cluster.list(resources.IDENTITY_PROVIDERS), "IdentityProvider", IdentityProvider
    )
    sinks = read(await desk.cluster.list(resources.AUDIT_SINKS, connection.namespace), "AuditSink", AuditSink)
    named = set(connection.spec.identity.providers)
    wanted = set(connection.spec.audit.sinks)
    return [
        *(provider.spec for provider in providers.models if provider.name in named),
        *(sink.spec for sink in sinks.models if sink.name in wanted),
    ]


async def _secrets(desk: Desk, connection: Connection) -> None:
    """Keys and certificates, made where they are missing, unreadable or near their end."""
    authority = await ensure_authority(desk.cluster, desk.settings.namespace, desk.now())
    desk.authority = authority
    names = names_of(connection)
    audit_public = await _audit_key(desk, connection, names)
    desk.applier.doubt("Secret", names.namespace, names.mask_key)  # Secrets are not watched
    await desk.applier.apply(mask_key_secret(connection, mask_key(authority.mask_master, names.namespace)))
    if own_certificate(connection) is None:
        await _serving_certificate(desk, connection, names, authority)
        trusted = authority.trusted_pem
    else:
        trusted = ""  # agents verify a certificate of one's own by one's own authority
    await desk.applier.apply(authority_config_map(connection, trusted, audit_public))


async def _audit_key(desk: Desk, connection: Connection, names: Names) -> str:
    found = await desk.cluster.find(resources.SECRETS, names.namespace, names.audit_key)
    if found is not None:
        try:
            return audit_public_key(Secret(_value(found, PRIVATE_KEY)))
        except BadKeyPair as error:
            log.warning("%s: %s; a new one is made", connection.title, error)
    private, public = new_audit_key()
    await desk.applier.apply(audit_key_secret(connection, private, public))
    return public


async def _serving_certificate(
    desk: Desk, connection: Connection, names: Names, authority: Authority
) -> None:
    found = await desk.cluster.find(resources.SECRETS, names.namespace, names.serving_certificate)
    pair = None
    if found is not None:
        pair = KeyPair(_value(found, "tls.crt"), Secret(_value(found, "tls.key")))
    why = why_renew(pair, authority.pair.certificate_pem, names.dns, desk.now())
    if why is None:
        return
    log.info("%s: a serving certificate is made: %s", connection.title, why)
    pair = new_serving_certificate(authority.pair, names.dns, desk.now())
    await desk.applier.apply(
        serving_certificate_secret(connection, pair.certificate_pem, pair.key_pem, authority.trusted_pem)
    )


def _value(secret: Manifest, key: str) -> str:
    try:
        return base64.b64decode((secret.get("data") or {}).get(key, "")).decode()
    except ValueError:
        return ""

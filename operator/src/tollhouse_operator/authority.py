"""The operator's own secrets: its certificate authority and the master key of token masks.

Made once, kept in Secret `tollhouse-authority` of the operator's namespace, and never handed to a
proxy. When the authority comes near its end a new one is made; the old one stays trusted beside it
until it has ended.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from datetime import datetime

from tollhouse_core.secret import Secret
from tollhouse_operator import resources
from tollhouse_operator.certificates import BadKeyPair, KeyPair, authority_ends_soon, new_authority
from tollhouse_operator.cluster import Cluster, Conflict
from tollhouse_operator.manifests.naming import FIELD_MANAGER, MANAGED_BY, Manifest

SECRET = "tollhouse-authority"  # noqa: S105 - a name
_CERTIFICATE, _KEY, _FORMER, _MASTER = "ca.crt", "ca.key", "former.crt", "mask.key"


@dataclass(frozen=True, slots=True)
class Authority:
    """pair: what signs now. trusted_pem: what to verify by, the former authority included."""

    pair: KeyPair
    trusted_pem: str
    mask_master: Secret


async def ensure_authority(cluster: Cluster, namespace: str, now: datetime) -> Authority:
    """Reads the authority, makes it if there is none, renews it before its end.

    Raises ClusterError; BadKeyPair if the Secret is there but unreadable: replacing it would break
    every client, so a person must say so by deleting it.
    """
    found = await cluster.find(resources.SECRETS, namespace, SECRET)
    if found is None:
        pair = new_authority(now)
        master = Secret(secrets.token_hex(32))
        try:
            found = await cluster.create(resources.SECRETS, namespace, _manifest(namespace, pair, "", master))
        except Conflict:
            found = await cluster.get(resources.SECRETS, namespace, SECRET)
    authority = _read(found)
    if authority_ends_soon(authority.pair, now):
        former = authority.pair.certificate_pem
        body = _manifest(namespace, new_authority(now), former, authority.mask_master)
        body["metadata"]["resourceVersion"] = found["metadata"]["resourceVersion"]
        authority = _read(await cluster.replace(resources.SECRETS, body))
    return authority


def _read(found: Manifest) -> Authority:
    try:
        data = {key: base64.b64decode(value).decode() for key, value in (found.get("data") or {}).items()}
    except ValueError:
        raise BadKeyPair(
            f"Secret {SECRET} holds something that is no text; delete it to have it made anew"
        ) from None
    missing = [key for key in (_CERTIFICATE, _KEY, _MASTER) if not data.get(key)]
    if missing:
        raise BadKeyPair(
            f"Secret {SECRET} lacks {', '.join(missing)}; delete it to have a new authority made "
            "(clients must then be given the new ca.crt)"
        )
    pair = KeyPair(data[_CERTIFICATE], Secret(data[_KEY]))
    return Authority(pair, data[_CERTIFICATE] + data.get(_FORMER, ""), Secret(data[_MASTER]))


def _manifest(namespace: str, pair: KeyPair, former: str, master: Secret) -> Manifest:
    values = {_CERTIFICATE: pair.certificate_pem, _KEY: pair.key_pem.reveal(), _MASTER: master.reveal()}
    if former:
        values[_FORMER] = former
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": SECRET,
            "namespace": namespace,
            "labels": {MANAGED_BY: FIELD_MANAGER, "app.kubernetes.io/part-of": "tollhouse"},
        },
        "type": "Opaque",
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()},
    }

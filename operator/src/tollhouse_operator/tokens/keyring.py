"""The keys that sign our tokens, in Secret `tollhouse-token-keys` of the operator's namespace.

A new key is published some time before it signs, so that every proxy knows it by then, and an old one
is published until the last of its tokens has ended. Private halves never leave the operator.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from joserfc import jwk

from tollhouse_operator import resources
from tollhouse_operator.cluster import Cluster, Conflict
from tollhouse_operator.manifests.naming import FIELD_MANAGER, MANAGED_BY, Manifest

SECRET = "tollhouse-token-keys"  # noqa: S105 - a name
ALGORITHM = "ES256"
ROTATE_SECONDS = 7 * 86400.0
SPREAD_SECONDS = 600.0
"""How long a key is published before it signs."""
LINGER_SECONDS = 2 * 3600.0
"""How long it is published after another one signs; longer than any token lives."""
_ENTRY = "keys.json"


class BadKeyring(Exception):
    """The Secret is there and holds no keys; a person must delete it to have new ones made."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key, and when it was made (seconds since 1970). `repr` shows nothing of it."""

    key: jwk.ECKey
    made: float

    def __repr__(self) -> str:
        return "SigningKey(...)"

    @property
    def public(self) -> dict[str, Any]:
        """Its public half, as a JWK."""
        return dict(self.key.as_dict(private=False))


@dataclass(frozen=True, slots=True)
class Keyring:
    """Oldest first; never empty."""

    keys: tuple[SigningKey, ...]

    def signing(self, now: float) -> SigningKey:
        """What signs now: the newest that everybody has had time to learn of."""
        spread = [key for key in self.keys if key.made <= now - SPREAD_SECONDS]
        return spread[-1] if spread else self.keys[0]

    @property
    def published(self) -> tuple[dict[str, Any], ...]:
        """The public halves."""
        return tuple(key.public for key in self.keys)


def kept_up(keys: Sequence[SigningKey], now: float) -> tuple[SigningKey, ...]:
    """The keys there should be: a new one when the newest is old, none that nobody needs."""
    ordered = sorted(keys, key=lambda key: key.made)
    if not ordered or ordered[-1].made <= now - ROTATE_SECONDS:
        ordered.append(new_key(now))
    needed = []
    for position, key in enumerate(ordered):
        successor = ordered[position + 1] if position + 1 < len(ordered) else None
        if successor is None or successor.made > now - SPREAD_SECONDS - LINGER_SECONDS:
            needed.append(key)
    return tuple(needed)


def new_key(now: float) -> SigningKey:
    """A P-256 key with a name of its own."""
    name = f"tollhouse-{secrets.token_hex(8)}"
    made = jwk.ECKey.generate_key("P-256", parameters={"kid": name, "use": "sig", "alg": ALGORITHM})
    return SigningKey(made, now)


async def ensure_keyring(cluster: Cluster, namespace: str, moment: datetime) -> Keyring:
    """Reads the keys, makes and rotates them. Raises ClusterError, BadKeyring."""
    now = moment.timestamp()
    found = await cluster.find(resources.SECRETS, namespace, SECRET)
    if found is None:
        keys = kept_up((), now)
        try:
            await cluster.create(resources.SECRETS, namespace, _manifest(namespace, keys))
        except Conflict:
            found = await cluster.get(resources.SECRETS, namespace, SECRET)
        else:
            return Keyring(keys)
    keys = _read(found)
    wanted = kept_up(keys, now)
    if wanted != keys:
        body = _manifest(namespace, wanted)
        body["metadata"]["resourceVersion"] = found["metadata"]["resourceVersion"]
        await cluster.replace(resources.SECRETS, body)
    return Keyring(wanted)


def _read(found: Manifest) -> tuple[SigningKey, ...]:
    try:
        listed = json.loads(base64.b64decode((found.get("data") or {})[_ENTRY]))
        keys = tuple(SigningKey(jwk.ECKey.import_key(one["key"]), float(one["made"])) for one in listed)
    except Exception:  # whatever is wrong in there must not be repeated: it is a key
        keys = ()
    if not keys:
        raise BadKeyring(f"Secret {SECRET} holds no keys that can be read; delete it to have new ones made")
    return keys


def _manifest(namespace: str, keys: Sequence[SigningKey]) -> Manifest:
    listed = [{"key": one.key.as_dict(private=True), "made": one.made} for one in keys]
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": SECRET,
            "namespace": namespace,
            "labels": {MANAGED_BY: FIELD_MANAGER, "app.kubernetes.io/part-of": "tollhouse"},
        },
        "type": "Opaque",
        "data": {_ENTRY: base64.b64encode(json.dumps(listed).encode()).decode()},
    }

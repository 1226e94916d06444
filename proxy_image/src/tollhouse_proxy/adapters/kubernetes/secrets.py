"""Secrets that the Connection names; the Role allows `get` on exactly those."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from tollhouse_core.secret import Secret
from tollhouse_proxy.adapters.kubernetes.client import Api
from tollhouse_proxy.ports.stores import StoreRefused


class KubernetesSecrets:
    """A SecretStore. Nothing is kept: every read asks the API server, so rotation is seen at once."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self._collection = f"/api/v1/namespaces/{namespace}/secrets"

    async def read(self, name: str) -> Mapping[str, Secret]:
        """See SecretStore.read. Keys whose value is no UTF-8 text are refused by name."""
        found = await self._api.get(f"{self._collection}/{name}")
        return {key: _decode(name, key, value) for key, value in (found.get("data") or {}).items()}


def _decode(name: str, key: str, value: str) -> Secret:
    try:
        return Secret(base64.b64decode(value, validate=True).decode("utf-8"))
    except (binascii.Error, UnicodeDecodeError):
        # Not chained: the cause would carry the value.
        raise StoreRefused(f"key {key} of Secret {name} is no UTF-8 text") from None

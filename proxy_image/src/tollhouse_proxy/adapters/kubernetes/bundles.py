"""The bundle: key `bundle.json` of ConfigMap `<connection>-bundle`."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from tollhouse_proxy.adapters.kubernetes.client import Api
from tollhouse_proxy.adapters.kubernetes.watching import watch_one

log = logging.getLogger(__name__)

BUNDLE_KEY = "bundle.json"


class KubernetesBundles:
    """A BundleStore. A deleted ConfigMap changes nothing: what was read last stays in force."""

    def __init__(self, api: Api, namespace: str, connection: str) -> None:
        self.api = api
        self._collection = f"/api/v1/namespaces/{namespace}/configmaps"
        self._name = f"{connection}-bundle"

    async def watch(self) -> AsyncGenerator[str, None]:
        """See BundleStore.watch."""
        last: str | None = None
        changes = watch_one(self.api, self._collection, self._name, self._troubled)
        async with aclosing(changes):
            async for found in changes:
                text = ((found or {}).get("data") or {}).get(BUNDLE_KEY)
                if isinstance(text, str) and text != last:
                    last = text
                    yield text

    def _troubled(self, why: str) -> None:
        log.warning("bundle %s: %s; the last bundle stays in force", self._name, why)

"""The bundle: key `bundle.json` of ConfigMap `<connection>-bundle`."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from tollhouse_proxy.adapters.kubernetes.client import Api, Document
from tollhouse_proxy.adapters.kubernetes.watching import watch_one

log = logging.getLogger(__name__)

BUNDLE_KEY = "bundle.json"
OURS = ("app.kubernetes.io/managed-by", "tollhouse-operator")
CONNECTION_LABEL = "tollhouse.dev/connection"


class KubernetesBundles:
    """A BundleStore. A deleted ConfigMap changes nothing: what was read last stays in force.

    The name alone proves nothing: whoever writes ConfigMaps can take it before the operator does.
    Only the operator may write one with its label (the chart's guard sees to that), so the label is
    what makes it a bundle.
    """

    def __init__(self, api: Api, namespace: str, connection: str) -> None:
        self.api = api
        self._collection = f"/api/v1/namespaces/{namespace}/configmaps"
        self._connection = connection
        self._name = f"{connection}-bundle"

    async def watch(self) -> AsyncGenerator[str, None]:
        """See BundleStore.watch."""
        last: str | None = None
        changes = watch_one(self.api, self._collection, self._name, self._troubled)
        async with aclosing(changes):
            async for found in changes:
                if found is not None and not self._is_ours(found):
                    self._troubled("the ConfigMap of that name is not the operator's, so it is no bundle")
                    continue
                text = ((found or {}).get("data") or {}).get(BUNDLE_KEY)
                if isinstance(text, str) and text != last:
                    last = text
                    yield text

    def _is_ours(self, found: Document) -> bool:
        labels = found["metadata"].get("labels") or {}
        label, manager = OURS
        return labels.get(label) == manager and labels.get(CONNECTION_LABEL) == self._connection

    def _troubled(self, why: str) -> None:
        log.warning("bundle %s: %s; the last bundle stays in force", self._name, why)

"""What the operator made: somebody changes it, Kubernetes reports on it, proxies report in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tollhouse_operator.compiling import Key
from tollhouse_operator.engine import Engine
from tollhouse_operator.manifests.naming import CONNECTION_LABEL


class OwnedObjects:
    """Hears of every change of an owned object; drift is put right at once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._generations: dict[str, int] = {}

    async def changed(self, event: Mapping[str, Any], **_: Any) -> None:
        """An owned object changed, or is gone."""
        document = event["object"]
        metadata = document["metadata"]
        key = _owner(metadata)
        if key is None or not self._engine.watches(key[0]):
            return
        gone = event["type"] == "DELETED"
        kind = str(document.get("kind", ""))
        applier = self._engine.desk.applier
        if not gone and applier.is_own(kind, key[0], metadata["name"], metadata["resourceVersion"]):
            return
        if kind == "ConfigMap" and metadata["name"] == f"{key[1]}-proxies" and not gone:
            self._engine.statuses.add(key)
        elif kind == "ConfigMap" and metadata["name"] == f"{key[1]}-bundle":
            applier.doubt(kind, key[0], metadata["name"])
            self._engine.bundles.add(key[0])
        elif not gone and self._only_status(metadata):
            self._engine.statuses.add(key)
        else:
            applier.doubt(kind, key[0], metadata["name"])
            self._engine.objects.add(key)

    async def pod(self, event: Mapping[str, Any], **_: Any) -> None:
        """A proxy's pod came or went: reports of pods that are gone are pruned, and what waited in
        them is withdrawn."""
        key = _owner(event["object"]["metadata"])
        if key is None or event["type"] not in {"ADDED", "DELETED"} or not self._engine.watches(key[0]):
            return
        self._engine.statuses.add(key)
        if event["type"] == "DELETED":
            await self._engine.look_at_requests(key)

    def _only_status(self, metadata: Mapping[str, Any]) -> bool:
        """Objects with a generation keep it while only their status changes."""
        generation: int | None = metadata.get("generation")
        if generation is None:
            return False
        before = self._generations.get(metadata["uid"])
        self._generations[metadata["uid"]] = generation
        return before == generation


def _owner(metadata: Mapping[str, Any]) -> Key | None:
    connection = (metadata.get("labels") or {}).get(CONNECTION_LABEL)
    return (metadata["namespace"], connection) if connection and metadata.get("namespace") else None

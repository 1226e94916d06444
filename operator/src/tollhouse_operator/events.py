"""Kubernetes Events: what `kubectl describe` shows below an object."""

from __future__ import annotations

import logging
import uuid
from datetime import datetime

from tollhouse_operator.cluster import Cluster, ClusterError
from tollhouse_operator.manifests.naming import Manifest
from tollhouse_operator.resources import EVENTS

_NOTE_LIMIT = 1024
_NAME_LIMIT = 200

log = logging.getLogger(__name__)


class Teller:
    """Posts Events. An Event that cannot be posted is logged; it never holds up the work."""

    def __init__(self, cluster: Cluster, instance: str) -> None:
        self._cluster = cluster
        self._instance = instance

    async def tell(
        self, about: Manifest, reason: str, note: str, now: datetime, *, warning: bool = False
    ) -> None:
        """Posts one Event about the object `about` (a document with its metadata)."""
        body = event_of(about, reason, note, now, self._instance, warning=warning)
        try:
            await self._cluster.create(EVENTS, body["metadata"]["namespace"], body)
        except ClusterError as error:
            log.warning("Event %s about %s: %s", reason, about["metadata"]["name"], error)


def event_of(
    about: Manifest, reason: str, note: str, now: datetime, instance: str, *, warning: bool
) -> Manifest:
    """The Event's manifest."""
    metadata = about["metadata"]
    namespace = metadata.get("namespace") or "default"
    regarding = {
        "apiVersion": about.get("apiVersion"),
        "kind": about.get("kind"),
        "name": metadata["name"],
        "namespace": metadata.get("namespace"),
        "uid": metadata.get("uid"),
        "resourceVersion": metadata.get("resourceVersion"),
    }
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {
            "name": f"{metadata['name'][:_NAME_LIMIT]}.{uuid.uuid4().hex[:16]}",
            "namespace": namespace,
        },
        "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": "tollhouse.dev/operator",
        "reportingInstance": instance[:128],
        "action": "Reconcile",
        "reason": reason,
        "note": note if len(note) <= _NOTE_LIMIT else note[: _NOTE_LIMIT - 1] + "…",
        "type": "Warning" if warning else "Normal",
        "regarding": {key: value for key, value in regarding.items() if value is not None},
    }

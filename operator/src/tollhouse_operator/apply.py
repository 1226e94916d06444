"""Putting objects into the state their manifests describe.

Server-side apply takes back every field of ours that somebody changed. What it leaves is what
others have *added* (a sidecar, a host mount): for pods, rights and network policies that would be
a way round the proxy, so such an object is put back as a whole.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from tollhouse_operator.cluster import Cluster, Conflict, Missing
from tollhouse_operator.manifests.naming import FIELD_MANAGER, Manifest
from tollhouse_operator.resources import BY_KIND

_RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
_RESTARTED_PATH = ("f:spec", "f:template", "f:metadata", "f:annotations", f"f:{_RESTARTED_AT}")
_GUARDED = frozenset(
    {"Deployment", "Role", "RoleBinding", "NetworkPolicy", "PodDisruptionBudget", "Service", "ServiceAccount"}
)
_CONTENT = ("f:spec", "f:rules", "f:subjects", "f:roleRef", "f:data", "f:automountServiceAccountToken")


class OwnedByAnother(Exception):
    """An object of the wanted name is there and belongs to somebody else."""


Place = tuple[str, str, str]
"""Kind, namespace and name of an object."""


class Applier:
    """Applies manifests, and remembers what it applied: the same again costs nothing until there
    is a reason to doubt that the object still is so."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._versions: dict[Place, str] = {}
        self._digests: dict[Place, str] = {}

    def is_own(self, kind: str, namespace: str, name: str, version: str) -> bool:
        """Whether that version of that object is what this operator wrote last."""
        return self._versions.get((kind, namespace, name)) == version

    def doubt(self, kind: str, namespace: str, name: str) -> None:
        """Somebody else has written or deleted the object."""
        self._digests.pop((kind, namespace, name), None)

    def doubt_all(self) -> None:
        """Something may have been missed."""
        self._digests.clear()

    async def apply(self, manifest: Manifest) -> None:
        """Raises OwnedByAnother, ClusterError."""
        kind = manifest["kind"]
        resource = BY_KIND[kind]
        name, namespace = manifest["metadata"]["name"], manifest["metadata"]["namespace"]
        place, digest = (kind, namespace, name), _digest(manifest)
        if self._digests.get(place) == digest:
            return
        now = await self._cluster.find(resource, namespace, name)
        if now is not None:
            refuse_strangers(now, manifest)
        # Before the call: what is heard while it is under way must not be lost.
        self._digests[place] = digest
        try:
            applied = await self._cluster.apply(resource, manifest)
            if kind in _GUARDED and foreign_managers(applied):
                applied = await self._put_back(manifest, applied)
        except BaseException:
            self._digests.pop(place, None)
            raise
        self._versions[place] = applied["metadata"]["resourceVersion"]

    def forget(self, namespace: str, connection: str) -> None:
        """Forgets the objects of a Connection that is gone."""
        for known in (self._versions, self._digests):
            for place in [p for p in known if p[1] == namespace and p[2].startswith(connection)]:
                del known[place]

    async def _put_back(self, manifest: Manifest, now: Manifest) -> Manifest:
        resource = BY_KIND[manifest["kind"]]
        try:
            return await self._cluster.replace(resource, whole(manifest, now))
        except Conflict:
            # Changed again meanwhile: its event brings us back here.
            self._digests.pop((manifest["kind"], *_where(now)), None)
            return now
        except Missing:
            return await self._cluster.apply(resource, manifest)


def refuse_strangers(now: Manifest, manifest: Manifest) -> None:
    """Raises OwnedByAnother unless the object is ours, or ours to take.

    An object without a controller may be taken over only if it carries our label: never a Service
    or a Secret that somebody made for themselves.
    """
    wanted = manifest["metadata"]["ownerReferences"][0]["uid"]
    metadata = now["metadata"]
    owners = [owner for owner in metadata.get("ownerReferences") or [] if owner.get("controller")]
    if any(owner["uid"] == wanted for owner in owners):
        return
    labels = metadata.get("labels") or {}
    if not owners and labels.get("app.kubernetes.io/managed-by") == FIELD_MANAGER:
        return
    if owners and owners[0]["kind"] == "Connection" and owners[0]["name"] == _owner_name(manifest):
        return  # a Connection of that name was deleted and made anew; the collector is on its way
    name = metadata["name"]
    holder = f"{owners[0]['kind']} {owners[0]['name']}" if owners else "nobody Tollhouse knows"
    raise OwnedByAnother(
        f"{now.get('kind', manifest['kind'])} {name} is there already and belongs to {holder}; "
        "delete it or give the Connection another name"
    )


def foreign_managers(applied: Manifest) -> tuple[str, ...]:
    """Who else has a say in the object's content (statuses and metadata do not count)."""
    return tuple(
        entry["manager"]
        for entry in applied["metadata"].get("managedFields") or []
        if entry["manager"] != FIELD_MANAGER
        and not entry.get("subresource")
        and _has_content(entry.get("fieldsV1") or {})
    )


def whole(manifest: Manifest, now: Manifest) -> Manifest:
    """The manifest to replace `now` with. A rollout that somebody asked for is not undone."""
    body = copy.deepcopy(manifest)
    metadata = body["metadata"]
    metadata["resourceVersion"] = now["metadata"]["resourceVersion"]
    # Other people's labels and annotations on the object itself do no harm.
    for field in ("labels", "annotations"):
        merged = {**(now["metadata"].get(field) or {}), **(metadata.get(field) or {})}
        if merged:
            metadata[field] = merged
    if manifest["kind"] == "Deployment":
        restarted = _template_annotations(now).get(_RESTARTED_AT)
        if restarted is not None:
            _template_annotations(body)[_RESTARTED_AT] = restarted
    if manifest["kind"] == "Service":
        for field in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if field in now["spec"]:
                body["spec"][field] = now["spec"][field]
    return body


def _template_annotations(deployment: Manifest) -> dict[str, Any]:
    metadata = deployment["spec"]["template"].setdefault("metadata", {})
    annotations: dict[str, Any] = metadata.setdefault("annotations", {})
    return annotations


def _has_content(fields: Mapping[str, Any]) -> bool:
    return any(
        path[0] in _CONTENT and path[: len(_RESTARTED_PATH)] != _RESTARTED_PATH for path in _paths(fields)
    )


def _paths(fields: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterable[tuple[str, ...]]:
    """The leaves of a fieldsV1 tree."""
    for name, inner in fields.items():
        if name == ".":
            continue
        if inner and set(inner) != {"."}:
            yield from _paths(inner, (*above, name))
        else:
            yield (*above, name)


def _where(document: Manifest) -> tuple[str, str]:
    return document["metadata"]["namespace"], document["metadata"]["name"]


def _digest(manifest: Manifest) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _owner_name(manifest: Manifest) -> str:
    return str(manifest["metadata"]["ownerReferences"][0]["name"])

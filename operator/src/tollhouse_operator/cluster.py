"""The operator's seam to the Kubernetes API; kopf has its own, for watching.

ClusterError            bounded message, safe to show
+-- Unavailable         no answer, or one that says "later": worth trying again
+-- Refused             the API server said no
    +-- Missing         404
    +-- Conflict        409
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import aiohttp
from kubernetes.aio import client as kube
from kubernetes.aio import config as kube_config

from tollhouse_operator.manifests.naming import FIELD_MANAGER, Manifest

CALL_TIMEOUT_SECONDS = 15.0
_MESSAGE_LIMIT = 1000
_UNREACHABLE = (aiohttp.ClientError, TimeoutError, OSError, kube_config.ConfigException)


class ClusterError(Exception):
    """A call failed."""


class Unavailable(ClusterError):
    """No answer now."""


class Refused(ClusterError):
    """The answer is no."""


class Missing(Refused):
    """The object is not there."""


class Conflict(Refused):
    """Somebody else was first."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of object: its API group and version ("v1" for the core), plural, and scope."""

    api_version: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str | None = None, name: str | None = None, sub: str | None = None) -> str:
        """The path of a collection or of one object; without `namespace`, of all namespaces."""
        root = "/api/v1" if self.api_version == "v1" else f"/apis/{self.api_version}"
        parts = [root]
        if self.namespaced and namespace:
            parts.append(f"namespaces/{namespace}")
        parts += [part for part in (self.plural, name, sub) if part]
        return "/".join(parts)


class Cluster:
    """Calls to the API server. `kubeconfig` is a path; None means the pod's own ServiceAccount."""

    def __init__(self, kubeconfig: str | None = None) -> None:
        self._kubeconfig = kubeconfig
        self._client: kube.ApiClient | None = None
        self._making = asyncio.Lock()

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Manifest:
        """Raises Missing."""
        return await self._call("GET", resource.path(namespace, name))

    async def find(self, resource: Resource, namespace: str | None, name: str) -> Manifest | None:
        """The object, or None."""
        try:
            return await self.get(resource, namespace, name)
        except Missing:
            return None

    async def list(
        self, resource: Resource, namespace: str | None = None, label_selector: str = ""
    ) -> list[Manifest]:
        """All objects of a namespace, or of all of them."""
        query = {"labelSelector": label_selector} if label_selector else {}
        answer = await self._call("GET", resource.path(namespace), query)
        return cast(list[Manifest], answer.get("items") or [])

    async def create(self, resource: Resource, namespace: str | None, body: Manifest) -> Manifest:
        """Raises Conflict if the name is taken."""
        return await self._call("POST", resource.path(namespace), {"fieldManager": FIELD_MANAGER}, body)

    async def apply(
        self,
        resource: Resource,
        body: Manifest,
        sub: str | None = None,
        manager: str = FIELD_MANAGER,
    ) -> Manifest:
        """Server-side apply; what others have made of our fields is taken back (force)."""
        path = resource.path(body["metadata"].get("namespace"), body["metadata"]["name"], sub)
        query = {"fieldManager": manager, "force": "true"}
        return await self._call("PATCH", path, query, body, "application/apply-patch+yaml")

    async def replace(self, resource: Resource, body: Manifest) -> Manifest:
        """Puts `body` in place of the object. Raises Conflict if it is no longer that version."""
        path = resource.path(body["metadata"].get("namespace"), body["metadata"]["name"])
        return await self._call("PUT", path, {"fieldManager": FIELD_MANAGER}, body)

    async def merge(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        body: Mapping[str, object],
        sub: str | None = None,
    ) -> Manifest:
        """A JSON merge patch; with metadata.resourceVersion it is conditional."""
        path = resource.path(namespace, name, sub)
        query = {"fieldManager": FIELD_MANAGER}
        return await self._call("PATCH", path, query, body, "application/merge-patch+json")

    async def delete(self, resource: Resource, namespace: str | None, name: str, uid: str = "") -> None:
        """Deletes the object (of that `uid`, if given); fine if it is gone already."""
        body = {"preconditions": {"uid": uid}} if uid else None
        try:
            await self._call("DELETE", resource.path(namespace, name), {}, body)
        except (Missing, Conflict):
            return

    async def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Manifest:
        """Any other request: reviews, and what the API server publishes."""
        return await self._call(method, path, None, body)

    async def close(self) -> None:
        """Closes all connections."""
        if self._client is not None:
            await self._client.close()  # type: ignore[no-untyped-call]
            self._client = None

    async def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> Manifest:
        try:
            status, text = await self._exchange(method, path, query or {}, body, content_type)
        except _UNREACHABLE as error:
            why = (str(error) or type(error).__name__)[:_MESSAGE_LIMIT]
            raise Unavailable(f"the API server cannot be reached: {why}") from error
        if status >= 400:
            raise _error(status, text)
        return cast(Manifest, json.loads(text))

    async def _exchange(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Mapping[str, Any] | None,
        content_type: str,
    ) -> tuple[int, str]:
        client = await self._connected()
        verb, url, headers, payload, _ = await client.param_serialize(
            method,
            path,
            query_params=list(query.items()),
            # The keys of ServiceAccount tokens are served as application/jwk-set+json alone: hence */*.
            header_params={"Accept": "application/json, */*;q=0.5", "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        answer = await client.call_api(
            verb, url, header_params=headers, body=payload, _request_timeout=CALL_TIMEOUT_SECONDS
        )
        content: bytes = await answer.read()  # type: ignore[no-untyped-call]
        return answer.status, content.decode("utf-8", "replace")

    async def _connected(self) -> kube.ApiClient:
        async with self._making:
            if self._client is None:
                configuration = kube.Configuration()
                if self._kubeconfig:
                    await kube_config.load_kube_config(  # type: ignore[no-untyped-call]
                        config_file=self._kubeconfig,
                        client_configuration=configuration,
                        persist_config=False,
                    )
                else:
                    kube_config.load_incluster_config(  # type: ignore[no-untyped-call]
                        client_configuration=configuration
                    )
                self._client = kube.ApiClient(configuration=configuration)
            return self._client


def _error(status: int, text: str) -> ClusterError:
    try:
        message = str(json.loads(text).get("message", ""))[:_MESSAGE_LIMIT]
    except (ValueError, AttributeError):
        message = ""
    message = message or f"HTTP status {status}"
    match status:
        case 404:
            return Missing(message)
        case 409:
            return Conflict(message)
        case 401 | 408 | 429:
            return Unavailable(message)
        case _ if status >= 500:
            return Unavailable(message)
        case _:
            return Refused(message)

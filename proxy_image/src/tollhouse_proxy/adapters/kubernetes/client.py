"""The one seam to the Kubernetes API: JSON in, JSON out, errors sorted by what can be done about them.

    ApiError
    +-- StoreUnavailable   no answer, or one that says "later" (5xx, 429, 401 while a token rotates)
    +-- StoreRefused       the API server said no (403, 400, 422 ...): trying again will not help
        +-- NotFound       404
        +-- Conflict       409: the object exists already, or has changed since it was read
        +-- Expired        410: a watch must begin anew

The generated models are not used: objects are read by `tollhouse_core.api`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any, cast

import aiohttp
from kubernetes.aio import client as kube
from kubernetes.aio import config as kube_config

from tollhouse_proxy.ports.stores import StoreRefused, StoreUnavailable

CALL_TIMEOUT_SECONDS = 10.0
CONNECT_TIMEOUT_SECONDS = 5.0
QUIET_WATCH_SECONDS = 75.0
"""API servers send a bookmark about once a minute; a watch that is silent for longer is dead."""
_CALL = aiohttp.ClientTimeout(total=CALL_TIMEOUT_SECONDS, sock_connect=CONNECT_TIMEOUT_SECONDS)
_WATCH = aiohttp.ClientTimeout(
    total=None, sock_connect=CONNECT_TIMEOUT_SECONDS, sock_read=QUIET_WATCH_SECONDS
)
_MESSAGE_LIMIT = 600
_UNREACHABLE = (aiohttp.ClientError, TimeoutError, OSError, kube_config.ConfigException)

Document = dict[str, Any]


class NotFound(StoreRefused):
    """The object is not there."""


class Conflict(StoreRefused):
    """Somebody else wrote first, or the name is taken."""


class Expired(StoreRefused):
    """The resource version is too old for a watch to go on from."""


class Api:
    """A connection to the API server; made on first use, so that it may be away at our start.

    `instance` is how the API server's audit log names this process; `kubeconfig` is a path, None
    means the pod's own ServiceAccount.
    """

    def __init__(self, instance: str, kubeconfig: str | None = None) -> None:
        self._instance = instance
        self._kubeconfig = kubeconfig
        self._client: kube.ApiClient | None = None
        self._making = asyncio.Lock()

    async def get(self, path: str, **query: str) -> Document:
        """One object, or a list."""
        return await self._call("GET", path, query)

    async def create(self, path: str, body: Mapping[str, object]) -> Document:
        """Stores a new object; `path` is the collection's."""
        return await self._call("POST", path, {}, body)

    async def merge(self, path: str, body: Mapping[str, object]) -> Document:
        """A JSON merge patch (RFC 7396); with metadata.resourceVersion it is conditional."""
        return await self._call("PATCH", path, {}, body, "application/merge-patch+json")

    async def watch(self, path: str, **query: str) -> AsyncGenerator[tuple[str, Document], None]:
        """(type, object) of one watch request until the server ends it. Raises like a call."""
        client = await self._connected()
        wanted = {"watch": "true", "allowWatchBookmarks": "true", **query}
        response = await self._send(client, "GET", path, wanted, None, "application/json", _WATCH)
        try:
            if response.status >= 400:
                raise _error(response.status, await response.text())
            while line := await response.content.readline():
                event = cast(Document, json.loads(line))
                found = cast(Document, event["object"])
                if event["type"] == "ERROR":
                    raise _error(int(found.get("code", 500)), json.dumps(found))
                yield str(event["type"]), found
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError, TypeError) as error:
            raise StoreUnavailable(f"the watch of {path} was cut: {_short(error)}") from error
        finally:
            _cut(response)

    async def close(self) -> None:
        """Closes all connections."""
        if self._client is not None:
            await self._client.close()  # type: ignore[no-untyped-call]
            self._client = None

    async def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Mapping[str, object] | None = None,
        content_type: str = "application/json",
    ) -> Document:
        client = await self._connected()
        response = await self._send(client, method, path, query, body, content_type, _CALL)
        try:
            text = await response.text()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise StoreUnavailable(f"the API server's answer was cut: {_short(error)}") from error
        finally:
            response.release()
        if response.status >= 400:
            raise _error(response.status, text)
        try:
            return cast(Document, json.loads(text))
        except ValueError as error:
            raise StoreUnavailable("the API server's answer is no JSON") from error

    async def _send(
        self,
        client: kube.ApiClient,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Mapping[str, object] | None,
        content_type: str,
        patience: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        # The keys of ServiceAccount tokens are served as application/jwk-set+json alone: hence */*.
        headers = {"Accept": "application/json, */*;q=0.5", "Content-Type": content_type}
        try:
            verb, url, headers, payload, _ = await client.param_serialize(
                method,
                path,
                query_params=list(query.items()),
                header_params=headers,
                body=body,
                auth_settings=["BearerToken"],
            )
            answer = await client.call_api(
                verb, url, header_params=headers, body=payload, _request_timeout=patience
            )
        except _UNREACHABLE as error:
            raise StoreUnavailable(f"the API server cannot be reached: {_short(error)}") from error
        return cast(aiohttp.ClientResponse, answer.response)

    async def _connected(self) -> kube.ApiClient:
        async with self._making:
            if self._client is None:
                self._client = await _connect(self._kubeconfig)
                self._client.user_agent = f"tollhouse-proxy/{self._instance}"
            return self._client


async def _connect(kubeconfig: str | None) -> kube.ApiClient:
    configuration = kube.Configuration()
    try:
        if kubeconfig:
            await kube_config.load_kube_config(  # type: ignore[no-untyped-call]
                config_file=kubeconfig, client_configuration=configuration, persist_config=False
            )
        else:
            kube_config.load_incluster_config(  # type: ignore[no-untyped-call]
                client_configuration=configuration
            )
    except (kube_config.ConfigException, OSError) as error:
        raise StoreUnavailable(f"no way to the API server: {_short(error)}") from error
    return kube.ApiClient(configuration=configuration)


def _cut(response: aiohttp.ClientResponse) -> None:
    """Ends a stream that has no end of its own. Closing would begin a TLS goodbye nobody waits for, which
    could outlive the event loop."""
    connection = response.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()
    response.close()


def _error(status: int, text: str) -> StoreUnavailable | StoreRefused:
    message = _message(text) or f"HTTP status {status}"
    match status:
        case 404:
            return NotFound(message)
        case 409:
            return Conflict(message)
        case 410:
            return Expired(message)
        case 401 | 408 | 429:
            return StoreUnavailable(message)
        case _ if status >= 500:
            return StoreUnavailable(message)
        case _:
            return StoreRefused(message)


def _message(text: str) -> str:
    """The words of a Kubernetes `Status`; a proxy's HTML page is not repeated."""
    try:
        status = json.loads(text)
    except ValueError:
        return ""
    message = status.get("message", "") if isinstance(status, dict) else ""
    return str(message)[:_MESSAGE_LIMIT]


def _short(error: BaseException) -> str:
    return (str(error) or type(error).__name__)[:_MESSAGE_LIMIT]

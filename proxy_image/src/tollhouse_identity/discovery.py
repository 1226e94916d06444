"""Where an issuer publishes its keys (OpenID Connect Discovery 1.0 section 4; RFC 8414 section 3).

Two kinds of issuer: one found by its own URL, and the API server of this cluster, which publishes
its ServiceAccount issuer and keys under its own address.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from tollhouse_core.stores import StoreRefused, StoreUnavailable
from tollhouse_identity.fetch import Fetcher, FetchFailed, is_loopback
from tollhouse_identity.keys import Jwk, keys_of

WELL_KNOWN = "/.well-known/openid-configuration"
CLUSTER_KEYS = "/openid/v1/jwks"


@dataclass(frozen=True, slots=True)
class PublishedKeys:
    """What an issuer published: its exact name, and its keys as they came.

    `own_cluster` when the API server of this cluster said so.
    """

    issuer: str
    keys: tuple[Jwk, ...]
    own_cluster: bool = False


class ApiServer(Protocol):
    """The API server of this cluster as this proxy reaches it, with its own proof and CA."""

    async def get(self, path: str) -> Mapping[str, object]:
        """One JSON object. Raises StoreUnavailable or StoreRefused."""
        ...

    async def create(self, path: str, body: Mapping[str, object]) -> Mapping[str, object]:
        """Stores (or has judged) an object. Raises StoreUnavailable or StoreRefused."""
        ...


async def published_by_issuer(
    fetcher: Fetcher, issuer: str, ca_pem: Callable[[], Awaitable[str | None]]
) -> PublishedKeys:
    """Discovery at the issuer's URL. Raises FetchFailed."""
    require_safe_url(issuer, issuer)
    authorities = await ca_pem()
    document = await fetcher.json_object(issuer.rstrip("/") + WELL_KNOWN, authorities)
    if document.get("issuer") != issuer:
        raise FetchFailed("says that it is another issuer than the one configured")
    location = document.get("jwks_uri")
    if not isinstance(location, str):
        raise FetchFailed("does not say where its keys are (jwks_uri)")
    require_safe_url(location, issuer)
    return PublishedKeys(issuer, await _keys_at(fetcher, location, authorities))


async def published_by_api_server(server: ApiServer) -> PublishedKeys:
    """The ServiceAccount issuer of this cluster, always from the API server's own address: the
    `jwks_uri` it names may be reachable from outside only. Raises FetchFailed."""
    try:
        issuer = (await server.get(WELL_KNOWN)).get("issuer")
        keys = keys_of(await server.get(CLUSTER_KEYS))
    except (StoreUnavailable, StoreRefused):
        raise FetchFailed("is the API server of this cluster, which cannot be asked now") from None
    except ValueError as problem:
        raise FetchFailed(f"answers with a document that {problem}") from None
    if not isinstance(issuer, str) or not issuer:
        raise FetchFailed("does not name its ServiceAccount issuer")
    return PublishedKeys(issuer, keys, own_cluster=True)


async def _keys_at(fetcher: Fetcher, url: str, ca_pem: str | None) -> tuple[Jwk, ...]:
    try:
        return keys_of(await fetcher.json_object(url, ca_pem))
    except ValueError as problem:
        raise FetchFailed(f"answers with a document that {problem}") from None


def require_safe_url(url: str, issuer: str) -> None:
    """HTTPS everywhere; plain HTTP on loopback, and only for an issuer that is there itself."""
    try:
        parts = urlsplit(url)
        plain = parts.scheme == "http" and is_loopback(url) and is_loopback(issuer)
        sound = bool(parts.hostname) and parts.username is None and (parts.scheme == "https" or plain)
    except ValueError:
        sound = False
    if not sound:
        raise FetchFailed("has an address that is not https")

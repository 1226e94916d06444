"""Where an issuer publishes its keys (OpenID Connect Discovery 1.0 section 4; RFC 8414 section 3).

Two kinds of issuer: one found by its own URL, and the API server of this cluster, which publishes
its ServiceAccount issuer and keys under its own address.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tollhouse_core.secret import Secret
from tollhouse_proxy.adapters.identity.fetch import Endpoint, Fetcher, FetchFailed, is_loopback
from tollhouse_proxy.adapters.identity.keys import Jwk, keys_of

WELL_KNOWN = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class PublishedKeys:
    """What an issuer published: its exact name, and its keys as they came.

    `own_cluster` when the API server of this cluster said so.
    """

    issuer: str
    keys: tuple[Jwk, ...]
    own_cluster: bool = False


@dataclass(frozen=True, slots=True)
class ApiServer:
    """The API server as a pod reaches it. Both files are read anew each time: both are rotated."""

    url: str
    ca_file: Path
    token_file: Path


async def published_by_issuer(
    fetcher: Fetcher, issuer: str, ca_pem: Callable[[], Awaitable[str | None]]
) -> PublishedKeys:
    """Discovery at the issuer's URL. Raises FetchFailed."""
    require_safe_url(issuer, issuer)
    endpoint = Endpoint(ca_pem=await ca_pem())
    document = await fetcher.json_object(issuer.rstrip("/") + WELL_KNOWN, endpoint)
    if document.get("issuer") != issuer:
        raise FetchFailed("says that it is another issuer than the one configured")
    location = document.get("jwks_uri")
    if not isinstance(location, str):
        raise FetchFailed("does not say where its keys are (jwks_uri)")
    require_safe_url(location, issuer)
    return PublishedKeys(issuer, await _keys_at(fetcher, location, endpoint))


async def published_by_api_server(fetcher: Fetcher, server: ApiServer) -> PublishedKeys:
    """The ServiceAccount issuer of this cluster, always from the API server's own address: the
    `jwks_uri` it names may be reachable from outside only. Raises FetchFailed."""
    endpoint = _as_this_pod(server)
    base = server.url.rstrip("/")
    document = await fetcher.json_object(base + WELL_KNOWN, endpoint)
    issuer = document.get("issuer")
    if not isinstance(issuer, str) or not issuer:
        raise FetchFailed("does not name its ServiceAccount issuer")
    keys = await _keys_at(fetcher, base + "/openid/v1/jwks", endpoint)
    return PublishedKeys(issuer, keys, own_cluster=True)


def _as_this_pod(server: ApiServer) -> Endpoint:
    try:
        ca_pem = server.ca_file.read_text(encoding="ascii")
        token = server.token_file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise FetchFailed("cannot be asked: the pod's own token or CA cannot be read") from None
    return Endpoint(ca_pem=ca_pem, bearer=Secret(token))


async def _keys_at(fetcher: Fetcher, url: str, endpoint: Endpoint) -> tuple[Jwk, ...]:
    try:
        return keys_of(await fetcher.json_object(url, endpoint))
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

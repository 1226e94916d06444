"""What a Connection, its providers and its sinks refer to: Secrets to read and hosts to reach."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import urlsplit

from pydantic import BaseModel

from tollhouse_core.api.connection import Connection
from tollhouse_core.api.credentials import CredentialSecretRef
from tollhouse_core.api.identity_provider import IdentityProviderSpec
from tollhouse_core.api.meta import CaRef, SecretKeyRef, SecretRef
from tollhouse_operator.manifests.network_policy import Destination

_DEFAULT_PORTS = {"http": 80, "https": 443}


def secret_names(connection: Connection, others: Iterable[BaseModel]) -> tuple[str, ...]:
    """Names of the Secrets that proxies must read through the API, sorted.

    `others`: the specs of the IdentityProviders and AuditSinks of the Connection. The serving
    certificate is not among them: it is mounted.
    """
    own = connection.spec.proxy.model_copy(update={"tls": None})
    spec = _of_proxies(connection).model_copy(update={"proxy": own})
    found: set[str] = set()
    for root in (spec, *_needed(others)):
        for value in _within(root):
            match value:
                case CaRef() | SecretKeyRef():
                    found.add(value.secret)
                case SecretRef() | CredentialSecretRef():
                    found.add(value.name)
    return tuple(sorted(found))


def destinations(connection: Connection, others: Iterable[BaseModel]) -> tuple[Destination, ...]:
    """Every host and port that the Connection, its providers and its sinks name."""
    found: set[Destination] = set()
    for root in (_of_proxies(connection), *_needed(others)):
        for value in _within(root):
            destination = _destination(value)
            if destination is not None:
                found.add(destination)
    return tuple(sorted(found))


def _of_proxies(connection: Connection) -> BaseModel:
    """Without what only the operator reads and reaches."""
    return connection.spec.model_copy(update={"notify": ()})


def _needed(others: Iterable[BaseModel]) -> Iterator[BaseModel]:
    """Without SAML providers: the token endpoint alone reads their metadata and talks to them."""
    for other in others:
        if not isinstance(other, IdentityProviderSpec) or other.saml is None:
            yield other


def _destination(value: object) -> Destination | None:
    if isinstance(value, BaseModel):
        host, port = getattr(value, "host", None), getattr(value, "port", None)
        if isinstance(host, str) and isinstance(port, int):
            return Destination(host, port)
        return None
    if not isinstance(value, str) or not value.startswith(("http://", "https://")):
        return None
    try:
        parts = urlsplit(value)
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
    except ValueError:
        return None
    return Destination(parts.hostname, port) if parts.hostname else None


def _within(value: object) -> Iterator[object]:
    """The value and everything inside it."""
    yield value
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _within(getattr(value, name))
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _within(inner)
    elif isinstance(value, tuple | list):
        for inner in value:
            yield from _within(inner)

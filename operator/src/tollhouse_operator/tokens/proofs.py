"""Proving the tokens that are shown to the endpoint: the proxies' own examination, asked from here."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from tollhouse_core.api import parse_object
from tollhouse_core.api.connection import Connection
from tollhouse_core.api.identity_provider import IdentityProvider
from tollhouse_core.api.meta import API_VERSION
from tollhouse_core.identity import Identity
from tollhouse_core.secret import Secret
from tollhouse_core.stores import StoreRefused, StoreUnavailable
from tollhouse_core.token_issuer import TokenIssuer
from tollhouse_identity.prover import ProverSettings, TokenProver
from tollhouse_operator import resources
from tollhouse_operator.cluster import Cluster, ClusterError, Refused
from tollhouse_operator.gather import read

LOOK_AGAIN_SECONDS = 2.0
"""How old what is known of the IdentityProviders may be, unless there is news of them."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom the endpoint believes (`tollhouse_identity.trust.Trusting`)."""

    connection: Connection
    providers: tuple[IdentityProvider, ...]
    tokens: TokenIssuer | None


class Proofs:
    """Proves by the IdentityProviders that some `tollhouse` provider names as subjects or actors."""

    def __init__(self, cluster: Cluster, namespace: str, audiences: Sequence[str]) -> None:
        self._cluster = cluster
        self._audiences = audiences
        self._trust: Trust | None = None
        self._read_at = float("-inf")
        self._news = self._news_read = 0
        settings = ProverSettings(api_server=_ClusterApi(cluster))
        self._secrets = _Secrets(cluster, namespace)
        self._prover = TokenProver(lambda: self._trust, _WallClock(), settings, self._secrets)

    @property
    def providers(self) -> tuple[IdentityProvider, ...]:
        """All IdentityProviders, as last read."""
        return self._trust.providers if self._trust else ()

    def hear(self, providers: Sequence[IdentityProvider]) -> None:
        """A bundle is about to be made of these: whoever asks from now on is answered by no older ones."""
        if self._trust is not None and self._trust.providers != tuple(providers):
            self._news += 1

    async def look(self, tokens: TokenIssuer) -> None:
        """Reads the IdentityProviders unless that was done just now. Raises ClusterError."""
        known = self._trust is not None and self._trust.tokens == tokens and self._news_read == self._news
        if known and monotonic() - self._read_at < LOOK_AGAIN_SECONDS:
            return
        news = self._news
        found = read(
            await self._cluster.list(resources.IDENTITY_PROVIDERS), "IdentityProvider", IdentityProvider
        ).models
        if news < self._news_read:
            return  # another request has read them since
        self._read_at, self._news_read = monotonic(), news
        trust = trust_in(found, self._audiences, tokens)
        if trust != self._trust:
            self._trust = trust

    async def prove(self, token: Secret) -> Identity:
        """Raises NotProven."""
        return await self._prover.prove(token)

    async def secret(self, name: str) -> Mapping[str, Secret]:
        """A Secret of the operator's namespace; empty where it cannot be read."""
        try:
            return await self._secrets.read(name)
        except StoreRefused:
            return {}

    async def close(self) -> None:
        """Ends fetches under way."""
        await self._prover.close()


def trust_in(
    providers: Sequence[IdentityProvider], audiences: Sequence[str], tokens: TokenIssuer | None
) -> Trust:
    """Trust in those that may be traded, and in no others."""
    named = {
        name
        for provider in providers
        if provider.spec.tollhouse is not None
        for name in (*provider.spec.tollhouse.subjects, *provider.spec.tollhouse.actors)
    }
    known = sorted(one.name for one in providers if one.name in named and one.spec.tollhouse is None) or [
        "none"
    ]
    return Trust(_connection(known, audiences), tuple(providers), tokens)


def _connection(providers: Sequence[str], audiences: Sequence[str]) -> Connection:
    """What a Connection would say that took those tokens; there is no backend behind it."""
    document = {
        "apiVersion": API_VERSION,
        "kind": "Connection",
        "metadata": {"name": "tokens", "namespace": "tollhouse"},
        "spec": {
            "postgres": {"host": "none", "database": "none"},
            "credentials": {"secretRef": {"name": "none"}},
            "identity": {"providers": list(providers), "audiences": list(audiences)},
        },
    }
    made = parse_object(document)
    assert isinstance(made, Connection)
    return made


class _WallClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return monotonic()


class _ClusterApi:
    """The API server, in the words of `tollhouse_identity`."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def get(self, path: str) -> Mapping[str, object]:
        return await _asked(self._cluster, "GET", path, None)

    async def create(self, path: str, body: Mapping[str, object]) -> Mapping[str, object]:
        return await _asked(self._cluster, "POST", path, body)


async def _asked(
    cluster: Cluster, method: str, path: str, body: Mapping[str, Any] | None
) -> Mapping[str, object]:
    try:
        return await cluster.call(method, path, body)
    except Refused as error:
        raise StoreRefused(str(error)) from None
    except ClusterError as error:
        raise StoreUnavailable(str(error)) from None


class _Secrets:
    """CA bundles of IdentityProviders, in the operator's own namespace."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace

    async def read(self, name: str) -> Mapping[str, Secret]:
        try:
            found = await self._cluster.get(resources.SECRETS, self._namespace, name)
            data = found.get("data") or {}
            return {key: Secret(base64.b64decode(value).decode()) for key, value in data.items()}
        except ValueError:
            raise StoreRefused(f"Secret {name} holds something that is no text") from None
        except ClusterError as error:
            raise StoreRefused(f"Secret {name}: {error}") from None

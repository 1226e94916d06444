"""The IdentityProver: the stations of a token in order (see the package's docstring)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import NoReturn, TypeVar

from tollhouse_core.clock import Clock
from tollhouse_core.identity import Identity
from tollhouse_core.secret import Secret
from tollhouse_proxy.adapters.identity import checks, local_keys
from tollhouse_proxy.adapters.identity.checks import Presented
from tollhouse_proxy.adapters.identity.claims import identity_from
from tollhouse_proxy.adapters.identity.discovery import (
    ApiServer,
    PublishedKeys,
    published_by_api_server,
    published_by_issuer,
)
from tollhouse_proxy.adapters.identity.fetch import Fetcher, FetchFailed
from tollhouse_proxy.adapters.identity.form import CompactToken, Refused, parse_token
from tollhouse_proxy.adapters.identity.jws import signature_holds
from tollhouse_proxy.adapters.identity.key_cache import IssuerKeys, KeySettings, KeysUnavailable
from tollhouse_proxy.adapters.identity.keys import Jwk, candidates
from tollhouse_proxy.adapters.identity.trust import ALGORITHMS, DEFAULT_TYPES, SecretKey, TrustedProvider
from tollhouse_proxy.ports.identity import NotProven, ProofUnavailable
from tollhouse_proxy.ports.stores import SecretStore

_LOG = logging.getLogger("tollhouse.identity")
T = TypeVar("T")
_INLINE_BYTES = 4096
"""Longer tokens are read and verified in a thread, so that nobody else's bytes wait for them."""

TrustInForce = Callable[[], tuple[TrustedProvider, ...] | None]
"""The providers of the bundle in force; None while there is no bundle."""


@dataclass(frozen=True, slots=True)
class ProverSettings:
    """`api_server` is None outside a cluster; `local_jwks` is None inside one."""

    keys: KeySettings = field(default_factory=KeySettings)
    api_server: ApiServer | None = None
    local_jwks: Path | None = None


class TokenProver:
    """Proves tokens by the providers in force. Holds the issuers' keys between tokens."""

    def __init__(
        self,
        trusted: TrustInForce,
        clock: Clock,
        settings: ProverSettings,
        secrets: SecretStore | None = None,
    ) -> None:
        self._trusted = trusted
        self._clock = clock
        self._settings = settings
        self._secrets = secrets
        self._fetcher = Fetcher(settings.keys.timeout_seconds)
        self._local = None if settings.local_jwks is None else local_keys.LocalKeys(settings.local_jwks)
        self._issuers: dict[TrustedSource, IssuerKeys] = {}

    async def prove(self, token: Secret) -> Identity:
        """The identity that `token` proves. Raises NotProven, and nothing else."""
        try:
            return await self._prove(token.reveal())
        except Refused as refusal:
            raise NotProven(f"identity not proved: {refusal}") from None
        except KeysUnavailable as failure:
            raise ProofUnavailable(f"identity not proved: {failure}") from None
        except Exception as error:
            # The edge of this adapter: a fault of ours proves nobody. Its text may hold a token.
            _LOG.error("a token could not be examined: %s", type(error).__name__)
            raise NotProven("identity not proved: the token could not be examined") from None

    async def close(self) -> None:
        """Ends fetches under way and connections."""
        await asyncio.gather(*(issuer.close() for issuer in self._issuers.values()))
        await self._fetcher.close()

    async def _prove(self, text: str) -> Identity:
        token = await _off_the_loop_if_long(text, partial(parse_token, text))
        first_refusal: Refused | None = None
        for provider in await self._vouching(token):
            try:
                return await self._prove_by(provider, token)
            except Refused as refusal:
                first_refusal = first_refusal or refusal
        raise first_refusal or Refused("the token's issuer is not trusted here (iss)")

    async def _vouching(self, token: CompactToken) -> list[TrustedProvider]:
        """The providers whose exact issuer this token names; no other's keys are looked at."""
        trusted = self._trusted()
        if trusted is None:
            raise KeysUnavailable("this connection has no policies in force yet")
        self._forget_all_but(trusted)
        issuer = token.claims.get("iss")
        if not isinstance(issuer, str):
            return []
        known = [provider for provider in trusted if provider.issuer == issuer]
        unnamed = [provider for provider in trusted if provider.issuer is None]
        if known:
            return known
        named = [replace(provider, issuer=await self._cluster_issuer(provider)) for provider in unnamed]
        return [provider for provider in named if provider.issuer == issuer]

    async def _cluster_issuer(self, provider: TrustedProvider) -> str:
        if self._settings.api_server is None:
            return local_keys.CLUSTER_ISSUER
        return (await self._issuer_keys(provider).current()).issuer

    async def _prove_by(self, provider: TrustedProvider, token: CompactToken) -> Identity:
        local = self._local is not None and self._local.speaks_for(token.header)
        if local:
            provider = replace(provider, algorithms=ALGORITHMS, types=provider.types | DEFAULT_TYPES)
        presented = Presented(token.header, token.claims, provider, self._now())
        checks.require(checks.HEADER, presented)
        await (self._verify_local(token) if local else self._verify(token, provider))
        presented = replace(presented, now=self._now())
        checks.require(checks.CLAIMS, presented)
        if provider.cluster or "kubernetes.io" in token.claims:
            checks.require(checks.SERVICE_ACCOUNT, presented)
        return identity_from(token.claims, provider)

    async def _verify(self, token: CompactToken, provider: TrustedProvider) -> None:
        """Raises Refused unless exactly one published key may, and does, verify the signature."""
        issuer = self._issuer_keys(provider)
        published = await issuer.current()
        _require_issuer(published, provider)
        key_id = _key_id(token)
        known = any(key_id in (None, key.get("kid")) for key in published.keys)
        key = None
        if known:
            key = _the_one_key(token, published.keys)
            if key is not None and await self._holds(token, key):
                return
        if known and key_id is not None:
            _refuse_signature(key)
        renewed = await issuer.after_unknown_key()
        fresh = None if renewed is None else _the_one_key(token, renewed.keys)
        if fresh is None or fresh == key or not await self._holds(token, fresh):
            _refuse_signature(key or fresh)

    async def _verify_local(self, token: CompactToken) -> None:
        key = None if self._local is None else _the_one_key(token, self._local.keys())
        if key is None or not await self._holds(token, key):
            _refuse_signature(key)

    async def _holds(self, token: CompactToken, key: Jwk) -> bool:
        return await _off_the_loop_if_long(
            token.text, partial(signature_holds, token.text, key, _algorithm(token))
        )

    def _issuer_keys(self, provider: TrustedProvider) -> IssuerKeys:
        source = TrustedSource.of(provider)
        keys = self._issuers.get(source)
        if keys is None:
            keys = IssuerKeys(provider.name, partial(self._load, provider), self._clock, self._settings.keys)
            self._issuers[source] = keys
        return keys

    async def _load(self, provider: TrustedProvider) -> PublishedKeys:
        if provider.cluster:
            if self._settings.api_server is None:
                raise FetchFailed("is the API server of a cluster, and there is none here")
            return await published_by_api_server(self._fetcher, self._settings.api_server)
        return await published_by_issuer(self._fetcher, provider.issuer or "", partial(self._ca, provider.ca))

    async def _ca(self, ca: SecretKey | None) -> str | None:
        if ca is None:
            return None
        if self._secrets is None:
            raise FetchFailed("has a CA bundle configured (caRef), and no Secret can be read here")
        found = (await self._secrets.read(ca.name)).get(ca.key)
        if found is None:
            raise FetchFailed("has a CA bundle configured (caRef) that its Secret does not hold")
        return found.reveal()

    def _forget_all_but(self, trusted: tuple[TrustedProvider, ...]) -> None:
        kept = {TrustedSource.of(provider) for provider in trusted}
        for source in [source for source in self._issuers if source not in kept]:
            del self._issuers[source]

    def _now(self) -> float:
        return self._clock.now().timestamp()


@dataclass(frozen=True, slots=True)
class TrustedSource:
    """Where keys come from: providers that agree on it share what was fetched."""

    issuer: str | None
    ca: SecretKey | None
    cluster: bool

    @classmethod
    def of(cls, provider: TrustedProvider) -> TrustedSource:
        """The API server is one source, whichever issuer is expected of it."""
        if provider.cluster:
            return cls(None, None, True)
        return cls(provider.issuer, provider.ca, False)


async def _off_the_loop_if_long(text: str, work: Callable[[], T]) -> T:
    return await asyncio.to_thread(work) if len(text) > _INLINE_BYTES else work()


def _algorithm(token: CompactToken) -> str:
    return str(token.header["alg"])


def _key_id(token: CompactToken) -> str | None:
    key_id = token.header.get("kid")
    return key_id if isinstance(key_id, str) else None


def _the_one_key(token: CompactToken, keys: tuple[Jwk, ...]) -> Jwk | None:
    found = candidates(keys, _key_id(token), _algorithm(token))
    if len(found) > 1:
        raise Refused("the token does not say which of its issuer's keys signed it (kid)")
    return found[0] if found else None


def _require_issuer(published: PublishedKeys, provider: TrustedProvider) -> None:
    if published.issuer != provider.issuer:
        raise KeysUnavailable(
            f"the keys of identity provider {provider.name} cannot be had: "
            "the cluster's ServiceAccount issuer is another than the one configured"
        )


def _refuse_signature(key: Jwk | None) -> NoReturn:
    if key is None:
        raise Refused("the token is signed with a key that its issuer does not publish for this")
    raise Refused("the token's signature does not hold")

"""The IdentityProver: the stations of a token in order (see the package's docstring)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from tollhouse_core.api.meta import CaRef
from tollhouse_core.clock import Clock
from tollhouse_core.identity import Identity
from tollhouse_core.proving import NotProven, ProofUnavailable
from tollhouse_core.secret import Secret
from tollhouse_core.stores import SecretStore, StoreRefused, StoreUnavailable
from tollhouse_identity import checks, local_keys
from tollhouse_identity.checks import Presented
from tollhouse_identity.claims import identity_from
from tollhouse_identity.discovery import (
    ApiServer,
    PublishedKeys,
    published_by_api_server,
    published_by_issuer,
)
from tollhouse_identity.fetch import Fetcher, FetchFailed
from tollhouse_identity.form import CompactToken, Refused, parse_token
from tollhouse_identity.jws import signature_holds
from tollhouse_identity.key_cache import IssuerKeys, KeySettings, KeysUnavailable
from tollhouse_identity.keys import Jwk, candidates
from tollhouse_identity.review import AGAIN_SECONDS, TokenReviews
from tollhouse_identity.trust import (
    DEFAULT_TYPES,
    TrustedProvider,
    Trusting,
    trusted_providers,
)

_LOG = logging.getLogger("tollhouse.identity")
T = TypeVar("T")
_INLINE_BYTES = 4096
"""Longer tokens are read and verified in a thread, so that nobody else's bytes wait for them."""

BundleInForce = Callable[[], Trusting | None]
"""The bundle in force, asked for each token; None while there is none."""


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
        bundle: BundleInForce,
        clock: Clock,
        settings: ProverSettings,
        secrets: SecretStore | None = None,
    ) -> None:
        self._bundle = bundle
        self._judged_bundle: Trusting | None = None
        self._trusted: tuple[TrustedProvider, ...] = ()
        self._clock = clock
        self._settings = settings
        self._secrets = secrets
        self._fetcher = Fetcher(settings.keys.timeout_seconds)
        self._local = None if settings.local_jwks is None else local_keys.LocalKeys(settings.local_jwks)
        self._issuers: dict[KeySource, IssuerKeys] = {}
        server = settings.api_server
        self._reviews = None if server is None else TokenReviews(server, clock)
        # Not the loop's own threads: names are looked up there, and a dead name server fills them.
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="tokens")

    async def prove(self, token: Secret) -> Identity:
        """The identity that `token` proves. Raises NotProven, and nothing else."""
        try:
            return await self._prove(token.reveal())
        except Refused as refusal:
            failure = NotProven(str(refusal))
        except KeysUnavailable as unavailable:
            failure = ProofUnavailable(str(unavailable))
        except Exception as error:
            # The edge of this adapter: a fault of ours proves nobody. Its text may hold a token.
            _LOG.error("a token could not be examined: %s", type(error).__name__)
            failure = NotProven("the token could not be examined")
        raise failure  # out here, so that no other error goes along as its context

    @property
    def warnings(self) -> tuple[str, ...]:
        """Issuers whose keys cannot be had now, in words for the status; clients that were served
        with their last keys do not notice yet."""
        return tuple(issuer.warning for issuer in self._issuers.values() if issuer.warning)

    async def close(self) -> None:
        """Ends fetches under way and connections."""
        await asyncio.gather(*(issuer.close() for issuer in self._issuers.values()))
        if self._reviews is not None:
            await self._reviews.close()
        await self._fetcher.close()
        self._threads.shutdown(wait=False)

    async def _prove(self, text: str) -> Identity:
        token = await self._off_the_loop_if_long(text, partial(parse_token, text))
        first_refusal: Refused | None = None
        for provider, source in await self._vouching(token):
            try:
                return await self._prove_by(provider, source, token)
            except Refused as refusal:
                first_refusal = first_refusal or refusal
        raise first_refusal or Refused("the token's issuer is not trusted here (iss)")

    async def _vouching(self, token: CompactToken) -> list[tuple[TrustedProvider, KeySource]]:
        """The providers whose exact issuer this token names, and where their keys come from; no
        other's keys are looked at."""
        issuer = token.claims.get("iss")
        if not isinstance(issuer, str):
            return []
        trusted = [(provider, KeySource.of(provider)) for provider in self._trusted_now()]
        known = [one for one in trusted if one[0].issuer == issuer]
        if known:
            return known
        unnamed = [one for one in trusted if one[0].issuer is None]
        return [
            (replace(provider, issuer=issuer), source)
            for provider, source in unnamed
            if await self._cluster_issuer(provider, source) == issuer
        ]

    def _trusted_now(self) -> tuple[TrustedProvider, ...]:
        bundle = self._bundle()
        if bundle is None:
            raise KeysUnavailable("this connection has no policies in force yet")
        if bundle is not self._judged_bundle:
            self._trusted, self._judged_bundle = trusted_providers(bundle), bundle
            kept = {KeySource.of(provider) for provider in self._trusted}
            self._issuers = {source: keys for source, keys in self._issuers.items() if source in kept}
        return self._trusted

    async def _cluster_issuer(self, provider: TrustedProvider, source: KeySource) -> str:
        if self._settings.api_server is None:
            return local_keys.CLUSTER_ISSUER
        return (await self._issuer_keys(provider.name, source).current()).issuer

    async def _prove_by(self, provider: TrustedProvider, source: KeySource, token: CompactToken) -> Identity:
        local = provider.keys is None and self._local is not None and self._local.speaks_for(token.header)
        if local:
            provider = replace(provider, types=provider.types | DEFAULT_TYPES)
        presented = Presented(token.header, token.claims, provider, self._now())
        checks.require(checks.HEADER, presented)
        own_cluster = await self._verified(token, provider, source, local=local)
        presented = replace(presented, now=self._now())
        checks.require(checks.CLAIMS, presented)
        if provider.kubernetes or "kubernetes.io" in token.claims:
            checks.require(checks.SERVICE_ACCOUNT, presented)
        identity = identity_from(token.claims, provider, own_cluster)
        if not provider.review or local:
            return identity
        await self._review(token, provider, own_cluster=own_cluster)
        return replace(identity, prove_again_seconds=AGAIN_SECONDS)

    async def _review(self, token: CompactToken, provider: TrustedProvider, *, own_cluster: bool) -> None:
        if self._reviews is None or not own_cluster:
            raise Refused("only tokens of this cluster can be reviewed (tokenReview)")
        wanted = frozenset[str]().union(*provider.audiences)
        await self._reviews.require(token.text, str(token.claims.get("sub")), sorted(wanted))

    async def _verified(
        self, token: CompactToken, provider: TrustedProvider, source: KeySource, *, local: bool
    ) -> bool:
        """Whether it was this cluster that signed."""
        if provider.keys is not None:
            key = _the_one_key(token, provider.keys)
            if key is None or not await self._holds(token, key):
                raise _refused_signature(key)
            return False
        return await (self._verify_local(token) if local else self._verify(token, provider.name, source))

    async def _verify(self, token: CompactToken, name: str, source: KeySource) -> bool:
        """Whether it was this cluster that signed. Raises Refused unless exactly one published key
        may, and does, verify the signature."""
        issuer = self._issuer_keys(name, source)
        published = await issuer.current()
        key = _the_one_key(token, published.keys)
        if key is not None and await self._holds(token, key):
            return published.own_cluster
        if _is_published(token, published):
            raise _refused_signature(key)
        renewed = await issuer.after_unknown_key() or published
        fresh = _the_one_key(token, renewed.keys)
        if fresh is None or fresh == key or not await self._holds(token, fresh):
            raise _refused_signature(key or fresh)
        issuer.new_key_holds()
        return renewed.own_cluster

    async def _verify_local(self, token: CompactToken) -> bool:
        """As `_verify`; the local issuer stands in for this cluster's too."""
        key = None if self._local is None else _the_one_key(token, self._local.keys())
        if key is None or not await self._holds(token, key):
            raise _refused_signature(key)
        return True

    async def _holds(self, token: CompactToken, key: Jwk) -> bool:
        return await self._off_the_loop_if_long(
            token.text, partial(signature_holds, token.text, key, _algorithm(token))
        )

    async def _off_the_loop_if_long(self, text: str, work: Callable[[], T]) -> T:
        if len(text) <= _INLINE_BYTES:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _issuer_keys(self, name: str, source: KeySource) -> IssuerKeys:
        keys = self._issuers.get(source)
        if keys is None:
            keys = IssuerKeys(name, partial(self._load, source), self._clock, self._settings.keys)
            self._issuers[source] = keys
        return keys

    async def _load(self, source: KeySource) -> PublishedKeys:
        server = self._settings.api_server
        if source.kubernetes and server is not None and (source.issuer is None or source.ca is None):
            published = await published_by_api_server(server)
            if source.issuer in (None, published.issuer):
                return published
        if source.issuer is None:
            raise FetchFailed("is the API server of a cluster, and there is none here")
        return await published_by_issuer(self._fetcher, source.issuer, partial(self._ca, source.ca))

    async def _ca(self, ca: CaRef | None) -> str | None:
        if ca is None:
            return None
        if self._secrets is None:
            raise FetchFailed("has a CA bundle configured (caRef), and no Secret can be read here")
        try:
            found = (await self._secrets.read(ca.secret)).get(ca.key)
        except (StoreUnavailable, StoreRefused):
            raise FetchFailed("has a CA bundle configured (caRef) whose Secret cannot be read") from None
        if found is None:
            raise FetchFailed("has a CA bundle configured (caRef) that its Secret does not hold")
        return found.reveal()

    def _now(self) -> float:
        return self._clock.now().timestamp()


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where keys come from: providers that agree on it share what was fetched."""

    issuer: str | None
    ca: CaRef | None
    kubernetes: bool

    @classmethod
    def of(cls, provider: TrustedProvider) -> KeySource:
        """The source of a provider of the bundle."""
        return cls(provider.issuer, provider.ca, provider.kubernetes)


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


def _is_published(token: CompactToken, published: PublishedKeys) -> bool:
    """Whether the issuer knows this key by name, so that fetching again would tell nothing new."""
    key_id = _key_id(token)
    return key_id is not None and any(key.get("kid") == key_id for key in published.keys)


def _refused_signature(key: Jwk | None) -> Refused:
    if key is None:
        return Refused("the token is signed with a key that its issuer does not publish for this")
    return Refused("the token's signature does not hold")

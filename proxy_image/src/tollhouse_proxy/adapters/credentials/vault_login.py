"""The proxy's own tokens at Vault: one in use, and older ones as long as leases hang on them.

A lease ends with the token it was made with. So a token is not given up when a newer one is
taken into use; it is renewed together with the leases it carries, and ended with the last of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from tollhouse_core.api.credentials import VaultCredentials, pod_token_file
from tollhouse_core.clock import Clock
from tollhouse_core.secret import Secret
from tollhouse_proxy.adapters.credentials.accessors import Server
from tollhouse_proxy.adapters.credentials.settings import CredentialSettings
from tollhouse_proxy.adapters.credentials.threads import BoundedThreads
from tollhouse_proxy.adapters.credentials.vault_api import VaultApi
from tollhouse_proxy.adapters.credentials.vault_terms import TokenGrant, Trouble, VaultProblem
from tollhouse_proxy.ports.stores import SecretStore, StoreRefused, StoreUnavailable


@dataclass(slots=True, eq=False)
class Login:
    """A token in use. `ends_at` is monotonic, None where it has no end that we look after."""

    api: VaultApi
    token: Secret
    ours: bool
    lifetime_seconds: float = 0.0
    ends_at: float | None = None
    renewable: bool = False
    dropped: bool = False
    accessor: str = ""
    leases: set[str] = field(default_factory=set)


class VaultLogins:
    """Logs in when needed, once for all who wait."""

    def __init__(
        self, vault: VaultCredentials, secrets: SecretStore, settings: CredentialSettings, clock: Clock
    ) -> None:
        self._vault = vault
        self._secrets = secrets
        self._settings = settings
        self._clock = clock
        self._lock = asyncio.Lock()
        self._current: Login | None = None
        self._ca: str | None = None
        self._api: VaultApi | None = None

    @property
    def current(self) -> Login | None:
        """The login that new leases are made with."""
        return self._current

    async def get(self, threads: BoundedThreads) -> Login:
        """A login with a good part of its life before it. Raises VaultProblem."""
        async with self._lock:
            if self._vault.auth.token_ref is not None:
                return await self._with_token(
                    self._vault.auth.token_ref.secret, self._vault.auth.token_ref.key
                )
            if self._current is None or not self._is_fresh(self._current):
                self._current = await self._log_in(threads)
            return self._current

    def _is_fresh(self, login: Login) -> bool:
        if login.dropped:
            return False
        return login.ends_at is None or login.ends_at - self._clock.monotonic() > login.lifetime_seconds / 3

    async def _with_token(self, secret: str, key: str) -> Login:
        """The token that the Secret holds now; its life is somebody else's care."""
        token = await self._read(secret, key, "the Vault token")
        if self._current is None or self._current.token != token or self._current.dropped:
            self._current = Login(await self._server(), token, ours=False)
        return self._current

    async def _log_in(self, threads: BoundedThreads) -> Login:
        api = await self._server()
        mount, proof = await self._proof()
        grant = await threads.run(partial(api.log_in, mount, proof))
        return self._granted(api, grant)

    async def _proof(self) -> tuple[str, Mapping[str, Secret]]:
        """The auth method's mount, and what it wants to see."""
        auth = self._vault.auth
        if auth.app_role is not None:
            reference = auth.app_role.secret_id_ref
            secret_id = await self._read(reference.secret, reference.key, "the AppRole's secret id")
            return auth.app_role.mount, {"role_id": Secret(auth.app_role.role_id), "secret_id": secret_id}
        method = auth.kubernetes or auth.jwt
        if method is None:
            raise VaultProblem(Trouble.WRONG, "cannot be logged in to: no way is configured")
        return method.mount, {"role": Secret(method.role), "jwt": self._pod_token(method.audience)}

    def _pod_token(self, audience: str | None) -> Secret:
        file = self._settings.pod_token_file
        if audience is not None:
            file = file.with_name(pod_token_file(audience))
        try:
            return Secret(file.read_text(encoding="ascii").strip())
        except (OSError, UnicodeDecodeError):
            words = "cannot be logged in to: the pod's own token cannot be read"
            raise VaultProblem(Trouble.WRONG, words) from None

    def _granted(self, api: VaultApi, grant: TokenGrant) -> Login:
        ends_at = self._clock.monotonic() + grant.seconds if grant.seconds else None
        if self._settings.book is not None and grant.accessor:
            self._settings.book.enter(self.server, grant.accessor)
        return Login(api, grant.token, True, grant.seconds, ends_at, grant.renewable, accessor=grant.accessor)

    @property
    def server(self) -> Server:
        """Which Vault it is."""
        return Server(self._vault.address.rstrip("/"), self._vault.namespace or "")

    async def lengthen(self, login: Login, threads: BoundedThreads) -> None:
        """Renews a token of ours that is past the first third of its life. Raises VaultProblem."""
        if not login.ours or not login.renewable or login.ends_at is None:
            return
        if login.ends_at - self._clock.monotonic() < login.lifetime_seconds * 2 / 3:
            seconds = await threads.run(partial(login.api.renew_token, login.token))
            login.ends_at = self._clock.monotonic() + seconds

    async def _server(self) -> VaultApi:
        """The server, with the CA bundle as its Secret has it now."""
        reference = self._vault.ca_ref
        ca: str | None = None
        if reference is not None:
            ca = (await self._read(reference.secret, reference.key, "its CA bundle")).reveal()
        if self._api is None or ca != self._ca:
            make = partial(VaultApi, self._vault.address, self._vault.namespace, ca)
            bounds = (self._settings.request_seconds, self._settings.acquire_seconds)
            self._api = await asyncio.to_thread(make, *bounds)
            self._ca = ca
        return self._api

    async def _read(self, secret: str, key: str, what: str) -> Secret:
        try:
            found = (await self._secrets.read(secret)).get(key)
        except StoreUnavailable:
            words = f"cannot be asked: the Secret {secret} with {what} cannot be read now"
            raise VaultProblem(Trouble.BUSY, words) from None
        except StoreRefused:
            words = f"cannot be asked: the Secret {secret} with {what} is missing, or not ours to read"
            raise VaultProblem(Trouble.WRONG, words) from None
        if found is None:
            words = f"cannot be asked: the Secret {secret} has no key {key} with {what}"
            raise VaultProblem(Trouble.WRONG, words)
        return found

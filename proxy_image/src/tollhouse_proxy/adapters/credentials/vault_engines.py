"""Vault's secrets engines: how each is asked for one credential. Synchronous, for a thread of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from tollhouse_core.api.credentials import VaultCredentials, VaultDatabase, VaultKubernetes, VaultKv, VaultSsh
from tollhouse_core.clock import Clock
from tollhouse_core.secret import Secret
from tollhouse_proxy.adapters.credentials.ssh_certificates import SshKey
from tollhouse_proxy.adapters.credentials.vault_api import VaultApi
from tollhouse_proxy.adapters.credentials.vault_terms import Trouble, VaultProblem
from tollhouse_proxy.ports.credentials import BearerToken, Credential


@dataclass(frozen=True, slots=True)
class Lent:
    """A credential, and what is to be known of its lease if it has one: for how many seconds it is good
    from now (0: without end), and whether Vault can lengthen it."""

    credential: Credential
    seconds: float = 0.0
    renewable: bool = True


class Engine(Protocol):
    """One secrets engine and what to ask of it."""

    def lend(self, api: VaultApi, token: Secret) -> Lent:
        """A credential for one session. Raises VaultProblem."""
        ...


def engine_of(vault: VaultCredentials, clock: Clock) -> Engine:
    """The engine that `vault` names."""
    if vault.database is not None:
        return DatabaseEngine(vault.database)
    if vault.kv is not None:
        return KvEngine(vault.kv)
    if vault.ssh is not None:
        return SshEngine(vault.ssh, clock)
    if vault.kubernetes is not None:
        return KubernetesEngine(vault.kubernetes)
    raise ValueError("Vault without a secrets engine: the API types let none through")


class DatabaseEngine:
    """A user for each session under a lease, or the one of a static role."""

    def __init__(self, asked: VaultDatabase) -> None:
        self._asked = asked

    def lend(self, api: VaultApi, token: Secret) -> Lent:
        """See Engine."""
        if self._asked.static_role is not None:
            user = api.static_user(token, self._asked.mount, self._asked.static_role)
            return Lent(Credential(user.username, user.password))
        assert self._asked.role is not None  # the API types let nothing else through
        grant = api.database_user(token, self._asked.mount, self._asked.role)
        return Lent(Credential(grant.username, grant.password, grant.lease), grant.seconds)


class KvEngine:
    """A user name and password as they are now. Which version the engine has is asked once."""

    def __init__(self, asked: VaultKv) -> None:
        self._asked = asked
        self._engine: int | None = None

    def lend(self, api: VaultApi, token: Secret) -> Lent:
        """See Engine."""
        asked = self._asked
        if self._engine is None:
            self._engine = api.kv_version(token, asked.mount)
        data = api.kv(token, asked.mount, asked.path, self._engine, asked.version)
        username, password = data.get(asked.username_key), data.get(asked.password_key)
        if username is None or password is None:
            key = asked.username_key if username is None else asked.password_key
            raise VaultProblem(
                Trouble.WRONG, f"holds the secret {asked.path} without a text in its key {key}"
            )
        return Lent(Credential(username.reveal(), password))


class SshEngine:
    """A key pair made here for each session, with Vault's certificate for its public half. The private half
    never leaves this process, and nothing is there to be given back: a certificate ends by itself."""

    def __init__(self, asked: VaultSsh, clock: Clock) -> None:
        self._asked = asked
        self._clock = clock

    def lend(self, api: VaultApi, token: Secret) -> Lent:
        """See Engine."""
        asked, key = self._asked, SshKey()
        request = {"public_key": key.public, "cert_type": "user", "valid_principals": asked.username}
        if asked.ttl is not None:
            # Whole seconds, upwards: to Vault, 0 is the role's own.
            request["ttl"] = f"{math.ceil(asked.ttl.seconds)}s"
        line = api.signed(token, asked.mount, asked.role, request)
        identity, ends = key.certified(line, asked.username, self._clock.now())
        return Lent(Credential(asked.username, identity, expires_at=ends))


class KubernetesEngine:
    """A ServiceAccount's token under a lease."""

    def __init__(self, asked: VaultKubernetes) -> None:
        self._asked = asked

    def lend(self, api: VaultApi, token: Secret) -> Lent:
        """See Engine."""
        grant = api.account(token, self._asked.mount, self._asked.role, self._asked.namespace)
        name = f"system:serviceaccount:{grant.namespace}:{grant.name}"
        credential = Credential(name, BearerToken(grant.token), grant.lease)
        return Lent(credential, grant.seconds, grant.renewable)

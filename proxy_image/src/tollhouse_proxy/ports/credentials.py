"""How the proxy comes by the backend's credential."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tollhouse_core.secret import Secret


def approval_source(name: str) -> str:
    """How the source of one of the Connection's `approvalCredentials` is called among those of its roles. No
    client can ask for a role of such a name: a startup packet has no place for it."""
    return f"\0{name}"


class CredentialUnavailable(Exception):
    """No credential can be had now. `str()` is safe for the client and says why."""


@dataclass(frozen=True, slots=True)
class SshIdentity:
    """A private key (PEM, as OpenSSH writes it) and the certificate for it (one line of OpenSSH's)."""

    private_key: Secret
    certificate: Secret


@dataclass(frozen=True, slots=True)
class BearerToken:
    """What is sent as `Authorization: Bearer`."""

    token: Secret


Proof = Secret | SshIdentity | BearerToken
"""What shows that one is who one says: a password, unless it says otherwise."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What one backend session logs in with. `lease` is the source's own name for it, "" if
    there is nothing to give back; `expires_at` is when the source ends it unless renewed."""

    username: str
    proof: Proof
    lease: str = ""
    expires_at: datetime | None = None

    @property
    def password(self) -> Secret:
        """The proof, for a protocol that logs in with passwords. Raises CredentialUnavailable for another
        kind: nothing may take it for an empty password."""
        if isinstance(self.proof, Secret):
            return self.proof
        kind = "an SSH certificate" if isinstance(self.proof, SshIdentity) else "a bearer token"
        raise CredentialUnavailable(
            f"backend credential unavailable: its source gives {kind}, not a password"
        )

    @property
    def ssh_identity(self) -> SshIdentity:
        """The proof, for a protocol that logs in with a key. Raises CredentialUnavailable for others."""
        if isinstance(self.proof, SshIdentity):
            return self.proof
        raise CredentialUnavailable("backend credential unavailable: its source gives no SSH certificate")

    @property
    def bearer(self) -> Secret:
        """The proof, for a protocol that sends tokens. Raises CredentialUnavailable for others."""
        if isinstance(self.proof, BearerToken):
            return self.proof.token
        raise CredentialUnavailable("backend credential unavailable: its source gives no bearer token")


class CredentialSource(Protocol):
    """One of Vault's engines (database, key/value, ssh, kubernetes), or a Kubernetes Secret."""

    async def acquire(self) -> Credential:
        """A credential for one new backend session. Raises CredentialUnavailable."""
        ...

    async def renew(self, credential: Credential) -> Credential:
        """Lengthens a lease; returns the credential with its new end."""
        ...

    async def release(self, credential: Credential) -> None:
        """Gives it back (a lease is revoked). Retries by itself; never raises."""
        ...

    async def close(self) -> None:
        """Waits (bounded) for releases under way."""
        ...

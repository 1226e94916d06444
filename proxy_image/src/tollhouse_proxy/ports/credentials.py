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
class Credential:
    """What one backend session logs in with. `lease` is the source's own name for it, "" if
    there is nothing to give back; `expires_at` is when the source ends it unless renewed."""

    username: str
    password: Secret
    lease: str = ""
    expires_at: datetime | None = None


class CredentialSource(Protocol):
    """Vault's database engine, a KV secret, a Kubernetes Secret."""

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

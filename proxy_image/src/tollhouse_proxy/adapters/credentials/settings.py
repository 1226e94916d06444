"""How the proxy deals with where credentials come from. Seconds throughout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tollhouse_proxy.adapters.credentials.accessors import AccessorBook

POD_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


@dataclass(frozen=True, slots=True)
class CredentialSettings:
    """`request` bounds one call to Vault (but not the making of a user), `acquire` the whole of
    getting a credential with its retries: a client waits for it. `release` is how long a lease is
    tried to be ended before it is left to its TTL; `close` how long a stopping proxy waits for that.
    `concurrency` is how many calls run at once for new sessions, and as many again for renewing
    and ending. `book` keeps the accessors of our tokens for whoever comes after a crash (None: nobody does);
    how often it is looked at for what others left is `sweep_seconds`.
    """

    request_seconds: float = 5.0
    acquire_seconds: float = 15.0
    release_seconds: float = 300.0
    close_seconds: float = 10.0
    first_retry_seconds: float = 0.1
    longest_retry_seconds: float = 5.0
    concurrency: int = 8
    book: AccessorBook | None = None
    sweep_seconds: float = 30.0
    pod_token_file: Path = POD_TOKEN

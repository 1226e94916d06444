"""What Vault grants and how it fails, in our words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tollhouse_core.secret import Secret


class Trouble(StrEnum):
    """What went wrong, as far as it decides what to do next."""

    BUSY = "busy"  # unreachable, slow, sealed, failing: worth trying again
    DENIED = "denied"  # the token is not (or no longer) good for this
    WRONG = "wrong"  # no such role, path, lease: trying again will not help
    GONE = "gone"  # what was to be ended has ended


class VaultProblem(Exception):
    """`str()` completes "Vault ..." and is safe for the client."""

    def __init__(self, trouble: Trouble, words: str) -> None:
        super().__init__(words)
        self.trouble = trouble


@dataclass(frozen=True, slots=True)
class TokenGrant:
    """A token and for how long it is good from now; 0 seconds means: without end. `accessor` names it."""

    token: Secret
    seconds: float
    renewable: bool
    accessor: str = ""


@dataclass(frozen=True, slots=True)
class LeaseGrant:
    """A user that the database engine made, and for how long it is good from now."""

    username: str
    password: Secret
    lease: str
    seconds: float


@dataclass(frozen=True, slots=True)
class AccountGrant:
    """A ServiceAccount's token from the Kubernetes engine, for how long it is good from now, and whether its
    lease can be lengthened."""

    namespace: str
    name: str
    token: Secret
    lease: str
    seconds: float
    renewable: bool


@dataclass(frozen=True, slots=True)
class StaticGrant:
    """A user that somebody else made, with the password Vault has given it last."""

    username: str
    password: Secret

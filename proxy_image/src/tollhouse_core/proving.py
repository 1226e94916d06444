"""How an identity is proved, and how a proof fails."""

from __future__ import annotations

from typing import Protocol

from tollhouse_core.identity import Identity
from tollhouse_core.secret import Secret


class NotProven(Exception):
    """The token proves nothing here. `str()` is safe for the client: no part of the token."""


class ProofUnavailable(NotProven):
    """The issuer's keys cannot be had now. Safe for the client; worth trying again."""


class IdentityProver(Protocol):
    """Turns a token into an Identity by the providers the bundle in force names."""

    async def prove(self, token: Secret) -> Identity:
        """Raises NotProven. Never raises anything else for any token."""
        ...

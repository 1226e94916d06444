"""A prover that trusts one issuer and goes by a set clock: what tests of tokens stand on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kit.clock import SetClock
from kit.issuer import Issuer
from kit.tokens import SigningKey
from kit.trusting import Trust, provider, trust
from tollhouse_core.identity import Identity
from tollhouse_core.secret import Secret
from tollhouse_identity.key_cache import KeySettings
from tollhouse_identity.prover import ProverSettings, TokenProver

QUICK = KeySettings(timeout_seconds=2.0)


@dataclass
class Gate:
    """A prover with one trusted issuer; `bundle` may be replaced."""

    issuer: Issuer
    clock: SetClock
    bundle: Trust | None
    prover: TokenProver = field(init=False)
    settings: ProverSettings = field(default_factory=lambda: ProverSettings(keys=QUICK))

    def __post_init__(self) -> None:
        self.prover = TokenProver(lambda: self.bundle, self.clock, self.settings)

    def trust_oidc(self, **oidc: Any) -> None:
        """Replace the bundle by one that trusts the issuer on these terms."""
        self.bundle = trust(provider("corp", oidc={"issuer": self.issuer.url, **oidc}))

    def claims(self, **changes: Any) -> dict[str, object]:
        """Claims of a token that is good for an hour; a change to None takes one away."""
        now = int(self.clock.now().timestamp())
        whole: dict[str, object] = {
            "iss": self.issuer.url,
            "sub": "planner",
            "aud": "tollhouse",
            "iat": now,
            "nbf": now,
            "exp": now + 3600,
            "groups": ["support-agents"],
        }
        whole |= changes
        return {name: value for name, value in whole.items() if value is not None}

    def token(self, key: SigningKey | None = None, header: Any = None, **changes: Any) -> str:
        """Signed by the issuer's first key."""
        return (key or self.issuer.keys[0]).sign(self.claims(**changes), header)

    async def prove(self, token: str | None = None, **changes: Any) -> Identity:
        """Proves `token`, or an honest one with these claims changed."""
        return await self.prover.prove(Secret(self.token(**changes) if token is None else token))

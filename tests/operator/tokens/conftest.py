"""The endpoint's trade without its HTTP side: two issuers, one of people and one of agents."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from kit.clock import SetClock
from kit.gate import QUICK
from kit.issuer import Issuer, issuing
from kit.trusting import Trust, connection, provider
from tollhouse_core.identity import Identity
from tollhouse_core.secret import Secret
from tollhouse_core.token_issuer import TokenIssuer
from tollhouse_identity.prover import ProverSettings, TokenProver
from tollhouse_operator.tokens.exchange import ACCESS_TOKEN, GRANT, Terms, grant_for
from tollhouse_operator.tokens.keyring import Keyring, kept_up
from tollhouse_operator.tokens.minting import Minted, mint
from tollhouse_operator.tokens.proofs import trust_in

ISSUER = "https://tokens.tollhouse.example"
EXCHANGE = {"subjects": ["corp"], "actors": ["agents"]}


@dataclass
class Market:
    """Trades tokens, and shows what it gets to a proxy."""

    people: Issuer
    agents: Issuer
    clock: SetClock
    exchange: dict[str, Any] = field(default_factory=lambda: dict(EXCHANGE))
    terms: Terms = field(default_factory=lambda: Terms(("tollhouse",), 900.0))
    provers: list[TokenProver] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.keyring = Keyring(kept_up((), self.now))

    @property
    def now(self) -> float:
        return self.clock.now().timestamp()

    @property
    def tokens(self) -> TokenIssuer:
        return TokenIssuer(ISSUER, self.keyring.published)

    def providers(self) -> list[Any]:
        claims = {"user": "sub", "groups": "groups"}
        return [
            provider("corp", oidc={"issuer": self.people.url, "claims": claims}),
            provider("agents", oidc={"issuer": self.agents.url, "claims": claims}),
            provider("exchange", tollhouse=self.exchange),
        ]

    def token(self, issuer: Issuer, name: str, **changes: Any) -> str:
        now = int(self.now)
        claims = {
            "iss": issuer.url,
            "sub": name,
            "aud": "tollhouse",
            "iat": now - 60,
            "exp": now + 3600,
            "jti": f"jti-{name}",
            **changes,
        }
        return issuer.keys[0].sign({claim: value for claim, value in claims.items() if value is not None})

    def ann(self, **changes: Any) -> str:
        return self.token(self.people, "ann", **{"groups": ["managers"], "tenant": 7, **changes})

    def bot(self, **changes: Any) -> str:
        return self.token(self.agents, "bot", **{"groups": ["bots"], **changes})

    def prover(self, trust: Any) -> TokenProver:
        made = TokenProver(lambda: trust, self.clock, ProverSettings(keys=QUICK))
        self.provers.append(made)
        return made

    async def trade(self, subject: str, actor: str | None = None, **form: str) -> Minted:
        whole = {"grant_type": GRANT, "subject_token": subject, "subject_token_type": ACCESS_TOKEN}
        if actor is not None:
            whole |= {"actor_token": actor, "actor_token_type": ACCESS_TOKEN}
        prover = self.prover(trust_in(self.providers(), self.terms.audiences, self.tokens))
        grant = await grant_for({**whole, **form}, prover.prove, self.providers(), self.terms)
        return mint(grant, ISSUER, self.keyring.signing(self.now), self.now)

    async def shown(self, token: Secret, names: Sequence[str] = ("exchange",), **exchange: Any) -> Identity:
        """What a proxy makes of it, whose exchange may say something else than the endpoint's."""
        providers = [one for one in self.providers() if one.name != "exchange"] + [
            provider("exchange", tollhouse={**self.exchange, **exchange})
        ]
        named = [one for one in providers if one.name in names]
        trust = Trust(connection(list(names)), named, self.tokens)
        return await self.prover(trust).prove(token)


@pytest.fixture
async def market() -> AsyncIterator[Market]:
    async with AsyncExitStack() as stack:
        people = await stack.enter_async_context(issuing())
        agents = await stack.enter_async_context(issuing())
        made = Market(people, agents, SetClock())
        yield made
        for prover in made.provers:
            await prover.close()

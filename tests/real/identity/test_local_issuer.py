"""Tokens that `tollhouse token` mints, proved by a proxy of the same folder."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from kit.clock import SetClock
from kit.trusting import provider, trust
from tollhouse_core.api.identity_provider import IdentityProvider
from tollhouse_core.identity import Identity, OnBehalfOf, ServiceAccountName
from tollhouse_identity.prover import ProverSettings, TokenProver
from tollhouse_operator.standalone.issuer import LocalIssuer, Wanted
from tollhouse_proxy.ports.identity import NotProven

HOUR = timedelta(hours=1)


async def minted_and_proved(
    folder: Path, idp: IdentityProvider, wanted: Wanted, wait: float = 0.0
) -> Identity:
    clock = SetClock()
    token = LocalIssuer(folder).mint(idp, wanted, clock.now())
    clock.advance(wait)
    prover = TokenProver(lambda: trust(idp), clock, ProverSettings(local_jwks=folder / "jwks.json"))
    try:
        return await prover.prove(token)
    finally:
        await prover.close()


async def test_a_token_for_a_demanding_provider_passes(tmp_path: Path) -> None:
    idp = provider(
        "corp",
        oidc={
            "issuer": "https://login.corp.example/realms/main",
            "audiences": ["databases"],
            "authorizedParties": ["agents"],
            "types": ["at+jwt"],
            "claims": {"user": "email", "groups": "realm_access.roles", "onBehalfOf": "act.sub"},
            "requiredClaims": {"tenant": "blue"},
            "prefix": "corp:",
        },
    )
    wanted = Wanted(
        ["tollhouse", "databases"],
        HOUR,
        user="ann@corp.example",
        groups=["support"],
        claims={"level": 3},
        on_behalf_of="bob",
    )
    identity = await minted_and_proved(tmp_path, idp, wanted)
    assert identity.name == "corp:ann@corp.example"
    assert identity.groups == ("corp:support",)
    assert identity.on_behalf_of == OnBehalfOf("corp:bob")
    assert identity.claims["level"] == 3


async def test_a_service_account_passes(tmp_path: Path) -> None:
    idp = provider("kubernetes", kubernetes={})
    identity = await minted_and_proved(
        tmp_path, idp, Wanted(["tollhouse"], HOUR, service_account=("agents", "triage"))
    )
    assert identity.service_account == ServiceAccountName("agents", "triage")


async def test_it_ends_when_it_says(tmp_path: Path) -> None:
    idp = provider("corp", oidc={"issuer": "https://login.corp.example"})
    wanted = Wanted(["tollhouse"], timedelta(minutes=5), user="ann")
    assert (await minted_and_proved(tmp_path, idp, wanted, wait=299)).name == "ann"
    with pytest.raises(NotProven, match="has expired"):
        await minted_and_proved(tmp_path, idp, wanted, wait=300)

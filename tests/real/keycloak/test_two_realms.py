"""OIDC as a real Keycloak does it: two realms that know the same name, and everything it issues."""

from __future__ import annotations

import asyncio
import base64
import json
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from kit.keycloak import Keycloak
from kit.tokens import b64
from kit.trusting import Trust, provider, trust
from tollhouse_core.clock import Clock
from tollhouse_core.identity import Identity
from tollhouse_core.proving import NotProven
from tollhouse_core.secret import Secret
from tollhouse_identity.key_cache import KeySettings
from tollhouse_identity.prover import ProverSettings, TokenProver
from tollhouse_proxy.adapters.clock import SystemClock

pytestmark = [pytest.mark.keycloak, pytest.mark.timeout(1800)]
PATIENT = KeySettings(timeout_seconds=15.0, cooldown_seconds=0.2)


class Door:
    """A prover that trusts what it is told to."""

    def __init__(self, bundle: Trust) -> None:
        clock: Clock = SystemClock()
        self.prover = TokenProver(lambda: bundle, clock, ProverSettings(keys=PATIENT))

    async def prove(self, token: str) -> Identity:
        return await self.prover.prove(Secret(token))

    async def refusal(self, token: str) -> str:
        with pytest.raises(NotProven) as found:
            await self.prove(token)
        return str(found.value)


def realm(keycloak: Keycloak, name: str, **terms: Any) -> Any:
    claims = {"user": "preferred_username", "groups": "groups"}
    return provider(name, oidc={"issuer": keycloak.issuer(name), "claims": claims, **terms})


def claiming(token: str, issuer: str) -> str:
    """The token with another `iss`, and the signature it had."""
    head, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return f"{head}.{b64(json.dumps({**claims, 'iss': issuer}).encode())}.{signature}"


@pytest.fixture
async def door(keycloak: Keycloak) -> AsyncIterator[Door]:
    made = Door(trust(realm(keycloak, "corp"), realm(keycloak, "partners")))
    yield made
    await made.prover.close()


async def test_one_name_of_two_realms_is_two_identities(keycloak: Keycloak, door: Door) -> None:
    ours = await door.prove(keycloak.access_token("corp"))
    theirs = await door.prove(keycloak.access_token("partners"))
    assert (ours.name, ours.provider, set(ours.groups)) == ("ann", "corp", {"managers", "support"})
    assert (theirs.name, theirs.provider, theirs.groups) == ("ann", "partners", ("guests",))
    assert ours.token_id
    assert ours.expires_at is not None


async def test_nested_roles_and_a_prefix_are_mapped(keycloak: Keycloak) -> None:
    names = {"user": "email", "groups": "realm_access.roles"}
    door = Door(trust(realm(keycloak, "corp", claims=names, prefix="corp:", authorizedParties=["agents"])))
    identity = await door.prove(keycloak.access_token("corp"))
    assert identity.name == "corp:ann@corp.example"
    assert "corp:refunder" in identity.groups
    people = keycloak.access_token("corp", client="people")
    assert "azp" in await door.refusal(people)
    await door.prover.close()


async def test_tokens_for_another_service_are_not_for_us(keycloak: Keycloak, door: Door) -> None:
    assert "(aud)" in await door.refusal(keycloak.access_token("corp", client="elsewhere"))


async def test_only_access_tokens_are_access_tokens(keycloak: Keycloak, door: Door) -> None:
    issued = keycloak.tokens("corp")
    assert await door.prove(issued["access_token"])
    assert await door.refusal(issued["id_token"])
    assert await door.refusal(issued["refresh_token"])


async def test_a_realm_that_is_not_named_proves_nobody(keycloak: Keycloak) -> None:
    door = Door(trust(realm(keycloak, "corp")))
    assert "not trusted" in await door.refusal(keycloak.access_token("partners"))
    await door.prover.close()


async def test_a_token_that_claims_the_other_realm_is_refused(keycloak: Keycloak, door: Door) -> None:
    forged = claiming(keycloak.access_token("partners"), keycloak.issuer("corp"))
    assert "key that its issuer does not publish" in await door.refusal(forged)


async def test_keys_rotate_under_load_and_nobody_is_turned_away(keycloak: Keycloak, door: Door) -> None:
    before = keycloak.access_token("corp")
    await door.prove(before)
    await asyncio.to_thread(keycloak.rotate_keys, "corp")
    after = await asyncio.gather(*(asyncio.to_thread(keycloak.access_token, "corp") for _ in range(4)))
    heads = {token.split(".")[0] for token in (before, *after)}
    assert len(heads) == 2
    found = await asyncio.gather(*(door.prove(token) for token in (before, *after) for _ in range(20)))
    assert {identity.name for identity in found} == {"ann"}


async def test_a_key_that_two_realms_share_proves_nobody_of_the_other(keycloak: Keycloak, door: Door) -> None:
    form = serialization.PrivateFormat.PKCS8
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
    for name in ("corp", "partners"):
        await asyncio.to_thread(keycloak.add_key, name, pem)
    corp, partners = keycloak.access_token("corp"), keycloak.access_token("partners")
    heads = [json.loads(base64.urlsafe_b64decode(one.split(".")[0] + "==")) for one in (corp, partners)]
    assert heads[0]["kid"] == heads[1]["kid"]
    assert (await door.prove(corp)).provider == "corp"
    assert (await door.prove(partners)).provider == "partners"
    assert "signature" in await door.refusal(claiming(partners, keycloak.issuer("corp")))


async def test_an_issuer_that_hangs_costs_those_it_knows_nothing_and_others_are_told(
    keycloak: Keycloak, door: Door
) -> None:
    corp, partners = keycloak.access_token("corp"), keycloak.access_token("partners")
    await door.prove(corp)
    keycloak.server.signal(signal.SIGSTOP)
    try:
        assert (await door.prove(corp)).name == "ann"
        assert "cannot be had now" in await door.refusal(partners)
    finally:
        keycloak.server.signal(signal.SIGCONT)

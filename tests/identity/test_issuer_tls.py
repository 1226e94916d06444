"""Issuers over HTTPS, vouched for by authorities of one's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kit.clock import SetClock
from kit.gate import Gate
from kit.issuer import issuing
from kit.pki import Authority
from kit.secret_store import MemorySecrets
from tollhouse_identity.prover import TokenProver
from tollhouse_proxy.ports.identity import ProofUnavailable


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


@pytest.fixture
def secrets(authority: Authority, tmp_path: Path) -> MemorySecrets:
    stranger = Authority(tmp_path / "stranger", "stranger")
    return MemorySecrets(
        {
            "corp-ca": {
                "ca.crt": authority.certificate.read_text(),
                "stranger": stranger.certificate.read_text(),
                "broken": "no PEM",
            }
        }
    )


@pytest.fixture
async def gate(authority: Authority, secrets: MemorySecrets) -> AsyncIterator[Gate]:
    async with issuing(tls=authority.server("issuer")) as issuer:
        made = Gate(issuer, SetClock(), None)
        made.prover = TokenProver(lambda: made.bundle, made.clock, made.settings, secrets)
        yield made
        await made.prover.close()


async def test_an_issuer_is_trusted_by_the_authorities_its_provider_names(gate: Gate) -> None:
    gate.trust_oidc(caRef={"secret": "corp-ca"})
    assert (await gate.prove()).name == "planner"


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({}, "certificate that is not trusted"),
        ({"caRef": {"secret": "corp-ca", "key": "stranger"}}, "certificate that is not trusted"),
        ({"caRef": {"secret": "corp-ca", "key": "broken"}}, "not PEM"),
        ({"caRef": {"secret": "corp-ca", "key": "other"}}, "does not hold"),
        ({"caRef": {"secret": "elsewhere"}}, "cannot be read"),
    ],
    ids=str,
)
async def test_any_other_authority_is_not_enough(terms: dict[str, Any], words: str, gate: Gate) -> None:
    gate.trust_oidc(**terms)
    with pytest.raises(ProofUnavailable, match=words):
        await gate.prove()
    assert gate.issuer.asked == 0


async def test_a_certificate_of_another_name_is_refused(authority: Authority, secrets: MemorySecrets) -> None:
    pair = authority.server("elsewhere", names=("elsewhere.example",), addresses=("192.0.2.1",))
    async with issuing(tls=pair) as issuer:
        gate = Gate(issuer, SetClock(), None)
        gate.prover = TokenProver(lambda: gate.bundle, gate.clock, gate.settings, secrets)
        gate.trust_oidc(caRef={"secret": "corp-ca"})
        with pytest.raises(ProofUnavailable, match="certificate that is not trusted"):
            await gate.prove()
        await gate.prover.close()


async def test_an_edited_ca_bundle_is_used_at_the_next_fetch(gate: Gate, secrets: MemorySecrets) -> None:
    good = secrets.secrets["corp-ca"].pop("ca.crt")
    gate.trust_oidc(caRef={"secret": "corp-ca"})
    with pytest.raises(ProofUnavailable):
        await gate.prove()
    secrets.secrets["corp-ca"]["ca.crt"] = good
    gate.clock.advance(gate.settings.keys.retry_seconds)
    assert (await gate.prove()).name == "planner"


async def test_a_secret_store_that_is_away_is_a_reason_of_its_own(gate: Gate, secrets: MemorySecrets) -> None:
    secrets.away = True
    gate.trust_oidc(caRef={"secret": "corp-ca"})
    with pytest.raises(ProofUnavailable, match="cannot be read"):
        await gate.prove()

"""The local issuer of the folder mode: for its own tokens, for trusted issuers, and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kit.clock import SetClock
from kit.tokens import SigningKey, signing_key
from kit.trusting import Trust, provider, trust
from tollhouse_core.identity import Identity, Proof, ServiceAccountName
from tollhouse_core.secret import Secret
from tollhouse_identity.key_cache import KeySettings
from tollhouse_identity.prover import ProverSettings, TokenProver
from tollhouse_proxy.ports.identity import NotProven, ProofUnavailable

LOCAL = signing_key("ES256", "tollhouse-local-1")
CORP = "https://127.0.0.1:1/corp"
CLUSTER = "https://kubernetes.default.svc"
ACCOUNT: dict[str, Any] = {
    "kubernetes.io": {"namespace": "agents", "serviceaccount": {"name": "triage", "uid": "u"}}
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return publish(tmp_path / "jwks.json", LOCAL)


def publish(file: Path, *keys: SigningKey) -> Path:
    file.write_text(json.dumps({"keys": [key.public() for key in keys]}))
    return file


async def prove(file: Path | None, bundle: Trust, key: SigningKey = LOCAL, **claims: object) -> Identity:
    clock = SetClock()
    settings = ProverSettings(KeySettings(timeout_seconds=1.0), local_jwks=file)
    prover = TokenProver(lambda: bundle, clock, settings)
    now = clock.now().timestamp()
    token = key.sign({"iss": CORP, "sub": "ann", "aud": "tollhouse", "iat": now, "exp": now + 60, **claims})
    try:
        return await prover.prove(Secret(token))
    finally:
        await prover.close()


async def test_it_stands_in_for_a_trusted_issuer(file: Path) -> None:
    identity = await prove(file, trust(provider("corp", oidc={"issuer": CORP, "types": ["at+jwt"]})))
    assert (identity.name, identity.provider, identity.proof) == ("ann", "corp", Proof.OIDC)


async def test_it_stands_in_for_the_clusters_accounts(file: Path) -> None:
    sub = "system:serviceaccount:agents:triage"
    for bundle in (trust(), trust(provider("here", kubernetes={}))):
        identity = await prove(file, bundle, iss=CLUSTER, sub=sub, **ACCOUNT)
        assert identity.service_account == ServiceAccountName("agents", "triage")
        assert identity.name == identity.kubernetes_user == sub
    with pytest.raises(NotProven, match="names no ServiceAccount"):
        await prove(file, trust(), iss=CLUSTER, sub=sub)


async def test_it_cannot_speak_for_an_issuer_that_is_not_trusted(file: Path) -> None:
    with pytest.raises(NotProven, match="not trusted here"):
        await prove(file, trust(provider("corp", oidc={"issuer": "https://corp.example"})))


async def test_in_a_cluster_its_mark_means_nothing() -> None:
    with pytest.raises(ProofUnavailable):
        await prove(None, trust(provider("corp", oidc={"issuer": CORP})))


async def test_another_key_of_its_file_is_no_local_key(file: Path) -> None:
    other = signing_key("ES256", "corp-key")
    publish(file, LOCAL, other)
    with pytest.raises(ProofUnavailable):
        await prove(file, trust(provider("corp", oidc={"issuer": CORP})), other)


async def test_a_forged_local_key_is_refused(file: Path) -> None:
    mallory = SigningKey(signing_key("ES256", "mallory").key, "ES256", LOCAL.kid)
    with pytest.raises(NotProven, match="signature does not hold"):
        await prove(file, trust(provider("corp", oidc={"issuer": CORP})), mallory)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"keys": 1}', None], ids=str)
async def test_a_file_that_is_missing_or_broken_proves_nobody(text: str | None, tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(NotProven, match="does not publish"):
        await prove(file, trust(provider("corp", oidc={"issuer": CORP})))


async def test_a_key_made_anew_is_seen(file: Path) -> None:
    clock = SetClock()
    bundle = trust(provider("corp", oidc={"issuer": CORP}))
    prover = TokenProver(lambda: bundle, clock, ProverSettings(local_jwks=file))
    now = clock.now().timestamp()
    claims = {"iss": CORP, "sub": "ann", "aud": "tollhouse", "exp": now + 60}
    second = signing_key("ES384", "tollhouse-local-2")
    assert (await prover.prove(Secret(LOCAL.sign(claims)))).name == "ann"
    publish(file, second)
    assert (await prover.prove(Secret(second.sign(claims)))).name == "ann"
    with pytest.raises(NotProven):
        await prover.prove(Secret(LOCAL.sign(claims)))
    await prover.close()

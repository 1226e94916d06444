"""What becomes of answers that a real Vault does not give today: leases of Kubernetes that can be lengthened,
certificates for somebody else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from kit.clock import SetClock
from kit.secret_store import MemorySecrets
from tollhouse_core.api.credentials import Credentials
from tollhouse_core.secret import Secret
from tollhouse_proxy.adapters.credentials.factory import source_for
from tollhouse_proxy.adapters.credentials.settings import CredentialSettings
from tollhouse_proxy.adapters.credentials.vault_api import VaultApi
from tollhouse_proxy.adapters.credentials.vault_terms import AccountGrant
from tollhouse_proxy.ports.credentials import CredentialSource, CredentialUnavailable

VAULT = {"address": "http://127.0.0.1:1", "auth": {"tokenRef": {"secret": "vault", "key": "token"}}}
KUBERNETES = {"kubernetes": {"role": "reader", "namespace": "shop"}}
SSH = {"ssh": {"role": "deploy", "username": "deploy"}}


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def asked(request: pytest.FixtureRequest, clock: SetClock) -> AsyncIterator[CredentialSource]:
    credentials = Credentials.model_validate({"vault": {**VAULT, **request.param}})
    secrets = MemorySecrets()
    secrets.secrets["vault"] = {"token": "s.ours"}
    source = source_for(credentials, secrets, CredentialSettings(acquire_seconds=3.0), clock)
    yield source
    await source.close()


@pytest.mark.parametrize("asked", [KUBERNETES], indirect=True)
@pytest.mark.parametrize("renewable", [True, False])
async def test_a_lease_is_lengthened_only_where_vault_says_it_can_be(
    asked: CredentialSource, clock: SetClock, monkeypatch: pytest.MonkeyPatch, renewable: bool
) -> None:
    calls: list[tuple[str, str]] = []

    def account(self: VaultApi, token: Secret, mount: str, role: str, namespace: str) -> AccountGrant:
        calls.append((f"{mount}/{role}", namespace))
        return AccountGrant(namespace, "v-1", Secret("jwt"), "a/lease", 600, renewable)

    def renew(self: VaultApi, token: Secret, lease: str) -> float:
        calls.append(("renew", lease))
        return 900

    def revoke(self: VaultApi, token: Secret, lease: str, *, wait: bool) -> None:
        calls.append(("revoke", lease))

    monkeypatch.setattr(VaultApi, "account", account)
    monkeypatch.setattr(VaultApi, "renew_lease", renew)
    monkeypatch.setattr(VaultApi, "revoke_lease", revoke)
    start = clock.now()
    credential = await asked.acquire()
    assert (credential.username, credential.bearer.reveal()) == ("system:serviceaccount:shop:v-1", "jwt")
    assert credential.expires_at == start + timedelta(seconds=600)
    clock.advance(400)
    renewed = await asked.renew(credential)
    assert renewed.expires_at == start + timedelta(seconds=1300 if renewable else 600)
    await asked.release(renewed)
    renewals = [("renew", "a/lease")] if renewable else []
    assert calls == [("kubernetes/reader", "shop"), *renewals, ("revoke", "a/lease")]


@pytest.mark.parametrize("asked", [SSH], indirect=True)
async def test_an_answer_that_is_no_certificate_for_our_key_is_not_used_and_not_asked_for_again(
    asked: CredentialSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[Mapping[str, Any]] = []

    def signed(self: VaultApi, token: Secret, mount: str, role: str, request: Mapping[str, Any]) -> str:
        requests.append(request)
        return str(request["public_key"])

    monkeypatch.setattr(VaultApi, "signed", signed)
    with pytest.raises(CredentialUnavailable, match="gave an SSH certificate that cannot be read"):
        await asked.acquire()
    (request,) = requests
    assert request["public_key"].startswith("ssh-ed25519 ")
    assert {**request, "public_key": ""} == {
        "public_key": "",
        "cert_type": "user",
        "valid_principals": "deploy",
    }

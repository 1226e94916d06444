"""Credentials from a Secret."""

from __future__ import annotations

import pytest

from kit.secret_store import MemorySecrets
from tollhouse_core.api.credentials import CredentialSecretRef
from tollhouse_proxy.adapters.credentials.kubernetes_secret import SecretSource
from tollhouse_proxy.ports.credentials import CredentialUnavailable


@pytest.fixture
def store() -> MemorySecrets:
    return MemorySecrets({"orders-db": {"username": "app", "password": "hunter2"}})


async def test_each_session_reads_the_secret_anew(store: MemorySecrets) -> None:
    source = SecretSource(CredentialSecretRef(name="orders-db"), store)
    first = await source.acquire()
    store.secrets["orders-db"]["password"] = "rotated"
    second = await source.acquire()
    assert (first.username, first.password.reveal()) == ("app", "hunter2")
    assert second.password.reveal() == "rotated"
    assert first.lease == ""
    assert await source.renew(first) == first
    await source.release(first)
    await source.close()


async def test_keys_may_have_other_names(store: MemorySecrets) -> None:
    store.secrets["orders-db"] = {"u": "app", "p": "x"}
    source = SecretSource(CredentialSecretRef(name="orders-db", username_key="u", password_key="p"), store)
    assert (await source.acquire()).username == "app"


async def test_what_is_missing_is_named_and_nothing_else(store: MemorySecrets) -> None:
    source = SecretSource(CredentialSecretRef(name="orders-db"), store)
    store.away = True
    with pytest.raises(CredentialUnavailable, match="cannot be read now"):
        await source.acquire()
    store.away = False
    del store.secrets["orders-db"]["password"]
    with pytest.raises(CredentialUnavailable, match="has no key password") as failure:
        await source.acquire()
    assert "app" not in str(failure.value)
    del store.secrets["orders-db"]
    with pytest.raises(CredentialUnavailable, match="is missing"):
        await source.acquire()

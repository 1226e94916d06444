"""OpenBao on disk, killed, sealed and started again while proxies hold its users."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import asyncpg
import pytest

from kit import wait
from kit.durable_bao import DurableBao, durable_bao
from kit.postgres import Postgres
from kit.secret_store import MemorySecrets
from tollhouse_proxy.adapters.credentials.settings import CredentialSettings
from tollhouse_proxy.ports.credentials import Credential, CredentialSource, CredentialUnavailable

pytestmark = [pytest.mark.openbao, pytest.mark.postgres]
MakeSource = Callable[..., CredentialSource]


@pytest.fixture(scope="module")
def durable() -> Iterator[DurableBao]:
    with durable_bao() as made:
        yield made


async def works(postgres: Postgres, database: str, credential: Credential) -> bool:
    try:
        session: Any = await asyncpg.connect(
            host=postgres.host,
            port=postgres.port,
            database=database,
            user=credential.username,
            password=credential.password.reveal(),
        )
    except asyncpg.InvalidPasswordError:
        return False
    await session.close()
    return True


async def test_a_killed_vault_comes_back_and_everything_that_was_owed_is_given_back(
    durable: DurableBao, postgres: Postgres, database: str, make_source: MakeSource, secrets: MemorySecrets
) -> None:
    mount, _ = durable.bao.database_role(postgres, database)
    secrets.secrets["vault"] = {"token": durable.bao.root_token}
    source = make_source(
        CredentialSettings(request_seconds=1.0, acquire_seconds=60.0, longest_retry_seconds=0.3),
        address=durable.address,
        auth={"tokenRef": {"secret": "vault", "key": "token"}},
        database={"mount": mount, "role": "kit"},
    )
    held, ended = await source.acquire(), await source.acquire()
    durable.kill()
    # Sessions that hold a user do not notice.
    assert await works(postgres, database, held)
    # One that ends now, and one that begins now, wait for Vault.
    await source.release(ended)
    beginning = asyncio.create_task(source.acquire())
    durable.start()
    assert not beginning.done()
    durable.unseal()
    fresh = await beginning
    assert await works(postgres, database, fresh)

    async def only_the_living() -> bool:
        return set(durable.bao.leases(mount)) == {held.lease, fresh.lease}

    await wait.until_async(only_the_living)
    assert not await works(postgres, database, ended)
    assert (await source.renew(held)).expires_at


async def test_a_sealed_vault_is_named_and_used_again_once_it_is_open(
    durable: DurableBao, postgres: Postgres, database: str, make_source: MakeSource, secrets: MemorySecrets
) -> None:
    mount, _ = durable.bao.database_role(postgres, database)
    secrets.secrets["vault"] = {"token": durable.bao.root_token}
    source = make_source(
        CredentialSettings(request_seconds=1.0, acquire_seconds=1.0),
        address=durable.address,
        auth={"tokenRef": {"secret": "vault", "key": "token"}},
        database={"mount": mount, "role": "kit"},
    )
    durable.bao.seal()
    with pytest.raises(CredentialUnavailable, match="Vault is sealed"):
        await source.acquire()
    durable.unseal()
    assert await works(postgres, database, await source.acquire())

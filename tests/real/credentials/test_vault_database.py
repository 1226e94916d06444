"""The database engine of a real OpenBao, making users of a real PostgreSQL."""

from __future__ import annotations

import asyncio
import gc
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from kit import openbao as openbao_part
from kit import wait
from kit.openbao import OpenBao
from kit.postgres import Postgres
from kit.secret_store import MemorySecrets
from tollhouse_proxy.adapters.credentials.settings import CredentialSettings
from tollhouse_proxy.ports.credentials import Credential, CredentialSource, CredentialUnavailable

pytestmark = [pytest.mark.openbao, pytest.mark.postgres]
MakeSource = Callable[..., CredentialSource]
POLICY = """
path "{mount}/creds/kit" {{ capabilities = ["read"] }}
path "sys/leases/revoke" {{ capabilities = ["update"] }}
"""


async def log_in(postgres: Postgres, database: str, credential: Credential) -> str:
    session: Any = await asyncpg.connect(
        host=postgres.host,
        port=postgres.port,
        database=database,
        user=credential.username,
        password=credential.password.reveal(),
    )
    try:
        name: str = await session.fetchval("SELECT current_user")
        return name
    finally:
        await session.close()


@pytest.fixture
def mount(openbao: OpenBao, postgres: Postgres, database: str) -> str:
    return openbao.database_role(postgres, database)[0]


@pytest.fixture
def source(openbao: OpenBao, mount: str, make_source: MakeSource, secrets: MemorySecrets) -> CredentialSource:
    secrets.secrets["vault"] = {"token": openbao.token(POLICY.format(mount=mount))}
    return make_source(
        address=openbao.address,
        auth={"tokenRef": {"secret": "vault", "key": "token"}},
        database={"mount": mount, "role": "kit"},
    )


async def test_each_session_gets_a_user_of_its_own_that_can_log_in(
    source: CredentialSource, postgres: Postgres, database: str, openbao: OpenBao, mount: str
) -> None:
    one, two = await asyncio.gather(source.acquire(), source.acquire())
    assert one.username != two.username
    assert await log_in(postgres, database, one) == one.username
    assert one.expires_at is not None
    assert 3500 < (one.expires_at - datetime.now(UTC)).total_seconds() <= 3600
    assert set(openbao.leases(mount)) == {one.lease, two.lease}


async def test_a_user_given_back_can_no_longer_log_in(
    source: CredentialSource, postgres: Postgres, database: str, openbao: OpenBao, mount: str
) -> None:
    kept, given_back = await source.acquire(), await source.acquire()
    await source.release(given_back)
    with pytest.raises(asyncpg.InvalidPasswordError):
        await log_in(postgres, database, given_back)
    assert await log_in(postgres, database, kept) == kept.username
    assert openbao.leases(mount) == [kept.lease]


async def test_a_renewed_lease_ends_later(
    make_source: MakeSource, openbao: OpenBao, postgres: Postgres, database: str, secrets: MemorySecrets
) -> None:
    mount, _ = openbao.database_role(postgres, database, default_ttl="30s")
    secrets.secrets["vault"] = {"token": openbao.root_token}
    source = make_source(
        address=openbao.address,
        auth={"tokenRef": {"secret": "vault", "key": "token"}},
        database={"mount": mount, "role": "kit"},
    )
    first = await source.acquire()
    renewed = await source.renew(first)
    assert renewed.lease == first.lease
    assert renewed.expires_at is not None
    assert first.expires_at is not None
    assert renewed.expires_at > first.expires_at


async def test_a_session_that_stops_waiting_leaves_no_user_behind(
    source: CredentialSource, openbao: OpenBao, mount: str
) -> None:
    waiting = [asyncio.create_task(source.acquire()) for _ in range(8)]
    await wait.until_async(lambda: _true_soon(openbao.leases(mount)), within=5)
    for task in waiting:
        task.cancel()
    got = [
        one for one in await asyncio.gather(*waiting, return_exceptions=True) if isinstance(one, Credential)
    ]
    for credential in got:
        await source.release(credential)
    await wait.until_async(lambda: _true_soon(not openbao.leases(mount)), within=10, what="no lease is left")


async def _true_soon(found: object) -> bool:
    return bool(found)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"database": {"mount": "nowhere", "role": "kit"}}, "permission denied"),
        ({"database": {"role": "other"}}, "permission denied"),
        ({"address": "http://127.0.0.1:1"}, "cannot be reached"),
        ({"namespace": "nowhere"}, ""),
    ],
    ids=str,
)
async def test_what_is_wrong_is_said_in_words(
    change: dict[str, Any],
    words: str,
    openbao: OpenBao,
    mount: str,
    make_source: MakeSource,
    secrets: MemorySecrets,
) -> None:
    token = openbao.token(POLICY.format(mount=mount))
    secrets.secrets["vault"] = {"token": token}
    vault: dict[str, Any] = {
        "address": openbao.address,
        "auth": {"tokenRef": {"secret": "vault", "key": "token"}},
        "database": {"mount": mount, "role": "kit"},
        **change,
    }
    source = make_source(CredentialSettings(acquire_seconds=1.0), **vault)
    with pytest.raises(CredentialUnavailable) as failure:
        await source.acquire()
    assert str(failure.value).startswith("backend credential unavailable: Vault ")
    assert words in str(failure.value)
    assert_tells_nothing(failure.value, token)


async def test_a_wrong_token_is_refused_and_an_edited_secret_is_used(
    source: CredentialSource, secrets: MemorySecrets
) -> None:
    good = secrets.secrets["vault"]["token"]
    secrets.secrets["vault"]["token"] = "s.wrong-token"
    with pytest.raises(CredentialUnavailable, match="permission denied") as failure:
        await source.acquire()
    assert_tells_nothing(failure.value, "s.wrong-token")
    secrets.secrets["vault"]["token"] = good
    assert (await source.acquire()).username


async def test_a_missing_secret_is_named(source: CredentialSource, secrets: MemorySecrets) -> None:
    del secrets.secrets["vault"]
    with pytest.raises(CredentialUnavailable, match="Secret vault"):
        await source.acquire()


async def test_a_database_that_is_away_is_a_reason_without_its_address(
    make_source: MakeSource, openbao: OpenBao, postgres: Postgres, database: str, secrets: MemorySecrets
) -> None:
    mount, _ = openbao.database_role(postgres, database)
    openbao.write(
        f"{mount}/config/kit",
        plugin_name="postgresql-database-plugin",
        allowed_roles="kit",
        connection_url="postgresql://{{username}}:{{password}}@127.0.0.1:1/x?sslmode=disable",
        username="postgres",
        password="very-secret-word",
        verify_connection=False,
    )
    secrets.secrets["vault"] = {"token": openbao.root_token}
    source = make_source(
        CredentialSettings(acquire_seconds=1.0),
        address=openbao.address,
        auth={"tokenRef": {"secret": "vault", "key": "token"}},
        database={"mount": mount, "role": "kit"},
    )
    with pytest.raises(CredentialUnavailable, match="failed to give a database user") as failure:
        await source.acquire()
    assert_tells_nothing(failure.value, "very-secret-word", "127.0.0.1")


def assert_tells_nothing(error: BaseException, *secrets: str) -> None:
    """No secret in the error, in what it was raised from, or in what it was raised during."""
    seen: BaseException | None = error
    while seen is not None:
        for secret in secrets:
            assert secret not in str(seen) + repr(seen) + repr(vars(seen))
        assert not type(seen).__module__.startswith(("hvac", "requests", "urllib3"))
        seen = seen.__cause__ or seen.__context__
    text = "".join(traceback.format_exception(error))
    assert not any(secret in text for secret in secrets)


async def test_sealed_killed_and_restarted_are_told_apart_and_survived(
    postgres: Postgres, database: str, make_source: MakeSource, secrets: MemorySecrets
) -> None:
    with openbao_part.running() as bao:
        mount, _ = bao.database_role(postgres, database)
        secrets.secrets["vault"] = {"token": bao.root_token}
        source = make_source(
            CredentialSettings(request_seconds=1.0, acquire_seconds=1.0, close_seconds=0.5),
            address=bao.address,
            auth={"tokenRef": {"secret": "vault", "key": "token"}},
            database={"mount": mount, "role": "kit"},
        )
        held = await source.acquire()
        bao.seal()
        with pytest.raises(CredentialUnavailable, match="is sealed"):
            await source.acquire()
        # The session that holds a user goes on; giving it back later must not raise or hang.
        assert await log_in(postgres, database, held) == held.username
        await asyncio.wait_for(source.release(held), 5)
        bao.server.stop()
        with pytest.raises(CredentialUnavailable, match="cannot be reached"):
            await source.acquire()
    gc.collect()

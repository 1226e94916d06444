"""What the backend does not accept is fetched anew, once, before the client hears of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
import pytest

from kit import wait
from kit.openbao import OpenBao
from kit.postgres import Postgres
from kit.secret_store import MemorySecrets
from kit.wire_world import WireWorld, running
from tollhouse_core.api.credentials import Credentials
from tollhouse_core.secret import Secret
from tollhouse_proxy.adapters.clock import SystemClock
from tollhouse_proxy.adapters.credentials.factory import source_for
from tollhouse_proxy.adapters.credentials.settings import CredentialSettings
from tollhouse_proxy.ports.credentials import Credential, CredentialSource, SshIdentity
from tollhouse_proxy.runtime.warm import WarmSettings

pytestmark = [pytest.mark.openbao, pytest.mark.postgres]
Spoil = Callable[[Credential], None]


@dataclass
class Spoiled:
    """A real source; `spoil` is done to the first `times` credentials it gives before they can be used."""

    source: CredentialSource
    spoil: Spoil
    times: int = 1
    given: list[Credential] = field(default_factory=list)

    async def acquire(self) -> Credential:
        credential = await self.source.acquire()
        self.given.append(credential)
        if len(self.given) <= self.times:
            self.spoil(credential)
        return credential

    async def renew(self, credential: Credential) -> Credential:
        return await self.source.renew(credential)

    async def release(self, credential: Credential) -> None:
        await self.source.release(credential)

    async def close(self) -> None:
        await self.source.close()


@dataclass
class Place:
    """A proxy whose credentials are `asked` of a real place; `source` is made when it starts."""

    world: WireWorld
    made: list[Spoiled]

    @property
    def source(self) -> Spoiled:
        return self.made[0]


@contextmanager
def proxy(
    postgres: Postgres,
    database: str,
    asked: dict[str, object],
    secrets: MemorySecrets,
    spoil: Spoil,
    times: int = 1,
    warm: int = 0,
) -> Iterator[Place]:
    made: list[Spoiled] = []

    def source() -> CredentialSource:
        credentials = Credentials.model_validate(asked)
        real = source_for(credentials, secrets, CredentialSettings(), SystemClock())
        made.append(Spoiled(real, spoil, times))
        return made[0]

    world = WireWorld(postgres, database, source=source, warm=WarmSettings(sessions=warm))
    with running(world):
        yield Place(world, made)


def vault(openbao: OpenBao, secrets: MemorySecrets, **engine: object) -> dict[str, object]:
    secrets.secrets["vault"] = {"token": openbao.root_token}
    token = {"tokenRef": {"secret": "vault", "key": "token"}}
    return {"vault": {"address": openbao.address, "auth": token, **engine}}


def who(world: WireWorld) -> str:
    with psycopg.connect(world.dsn(), autocommit=True) as client:
        row = client.execute("SELECT current_user").fetchone()
    assert row is not None
    return str(row[0])


def test_a_static_password_that_was_rotated_in_between_is_read_again(
    openbao: OpenBao, postgres: Postgres, database: str, secrets: MemorySecrets
) -> None:
    user, _ = postgres.create_role(f"static_{database}", password="before")
    mount, role = openbao.static_role(postgres, database, user)
    asked = vault(openbao, secrets, database={"mount": mount, "staticRole": role})
    with proxy(postgres, database, asked, secrets, lambda _: openbao.rotate(mount, role)) as place:
        assert who(place.world) == user
        one, two = place.source.given
        assert one.password.reveal() != two.password.reveal()
        assert place.world.gate.sessions[0].refused_credentials == [("28P01", False)]
        assert who(place.world) == user
        assert len(place.source.given) == 3
        assert place.world.gate.sessions[1].refused_credentials == []


def test_a_user_that_is_gone_is_replaced_by_another_and_its_lease_given_back(
    openbao: OpenBao, postgres: Postgres, database: str, secrets: MemorySecrets
) -> None:
    mount, _ = openbao.database_role(postgres, database)
    asked = vault(openbao, secrets, database={"mount": mount, "role": "kit"})

    def spoil(credential: Credential) -> None:
        postgres.psql(f'DROP ROLE "{credential.username}"')

    with proxy(postgres, database, asked, secrets, spoil) as place:
        with psycopg.connect(place.world.dsn(), autocommit=True):
            one, two = place.source.given
            wait.until(lambda: openbao.leases(mount) == [two.lease], what="the first lease is given back")
            assert one.lease != two.lease
        wait.until(lambda: not openbao.leases(mount), what="the second lease is given back")


def test_a_secret_that_was_edited_in_between_is_read_again(
    openbao: OpenBao, postgres: Postgres, database: str, secrets: MemorySecrets
) -> None:
    user, _ = postgres.create_role(f"kept_{database}", password="before")
    secrets.secrets["orders"] = {"username": user, "password": "before"}

    def spoil(_: Credential) -> None:
        postgres.psql(f"ALTER ROLE {user} PASSWORD 'after'")
        secrets.secrets["orders"]["password"] = "after"

    asked: dict[str, object] = {"secretRef": {"name": "orders"}}
    with proxy(postgres, database, asked, secrets, spoil) as place:
        assert who(place.world) == user
        assert [one.password.reveal() for one in place.source.given] == ["before", "after"]


def test_refused_twice_it_is_told_in_words_without_a_secret_and_nothing_is_kept(
    openbao: OpenBao, postgres: Postgres, database: str, secrets: MemorySecrets
) -> None:
    mount, _ = openbao.database_role(postgres, database)
    asked = vault(openbao, secrets, database={"mount": mount, "role": "kit"})

    def spoil(credential: Credential) -> None:
        postgres.psql(f'ALTER ROLE "{credential.username}" NOLOGIN')

    with proxy(postgres, database, asked, secrets, spoil, times=9) as place:
        with pytest.raises(psycopg.OperationalError) as found:
            who(place.world)
        words = str(found.value)
        assert "the backend did not accept the credential (28000), nor one that was fetched anew" in words
        assert len(place.source.given) == 2
        for credential in place.source.given:
            assert credential.username not in words
            assert credential.password.reveal() not in words
        [session] = place.world.gate.sessions
        assert session.refused_credentials == [("28000", False), ("28000", True)]
        wait.until(lambda: not openbao.leases(mount), what="both leases are given back")


def test_a_session_made_ahead_gets_another_credential_too(
    openbao: OpenBao, postgres: Postgres, database: str, secrets: MemorySecrets
) -> None:
    mount, _ = openbao.database_role(postgres, database)
    asked = vault(openbao, secrets, database={"mount": mount, "role": "kit"})
    due: list[None] = []
    spoilt: list[str] = []

    def spoil(credential: Credential) -> None:
        if due:
            due.pop()
            spoilt.append(credential.lease)
            postgres.psql(f'DROP ROLE "{credential.username}"')

    with proxy(postgres, database, asked, secrets, spoil, times=9, warm=1) as place:
        who(place.world)
        assert place.world.pool is not None
        pool = place.world.pool
        wait.until(lambda: pool.waiting == 1, what="a session waits")
        due.append(None)
        who(place.world)  # takes it, so that the next one is made for nobody yet
        wait.until(lambda: bool(spoilt) and pool.waiting == 1, what="another session waits")
        assert (pool.taken, place.world.rejected) == (1, 1)
        who(place.world)
        assert pool.taken == 2
        wait.until(lambda: spoilt[0] not in openbao.leases(mount), what="the refused lease is given back")


@dataclass
class CertificateLender:
    """Lends what no client of PostgreSQL can log in with."""

    given_back: int = 0

    async def acquire(self) -> Credential:
        return Credential("deploy", SshIdentity(Secret("a-key"), Secret("a-certificate")), "a/lease")

    async def renew(self, credential: Credential) -> Credential:
        return credential

    async def release(self, credential: Credential) -> None:
        self.given_back += 1

    async def close(self) -> None:
        return None


def test_a_credential_without_a_password_is_never_taken_for_an_empty_one(
    postgres: Postgres, database: str
) -> None:
    lender = CertificateLender()
    with running(WireWorld(postgres, database, source=lambda: lender)) as world:
        with pytest.raises(
            psycopg.OperationalError, match="gives an SSH certificate, not a password"
        ) as refused:
            psycopg.connect(world.dsn())
        assert "a-key" not in str(refused.value)
        wait.until(lambda: lender.given_back == 1, what="the credential is given back")

"""The sources of a Connection and of its roles, as the Connection is edited."""

from __future__ import annotations

import pytest

from tollhouse_core.api.credentials import Credentials
from tollhouse_core.secret import Secret
from tollhouse_proxy.adapters.credentials.roles import OWN, RoleSources
from tollhouse_proxy.ports.credentials import Credential, CredentialUnavailable


class Source:
    """Lends under the name of the Secret it was made of."""

    def __init__(self, credentials: Credentials) -> None:
        assert credentials.secret_ref is not None
        self.name = credentials.secret_ref.name

    async def acquire(self) -> Credential:
        return Credential(self.name, Secret("x"), f"lease-{self.name}")

    async def renew(self, credential: Credential) -> Credential:
        return credential

    async def release(self, credential: Credential) -> None: ...

    async def close(self) -> None: ...


def secret(name: str) -> Credentials:
    return Credentials.model_validate({"secretRef": {"name": name}})


async def test_each_role_borrows_from_its_own_source() -> None:
    sources = RoleSources(Source)
    await sources.use(secret("own"), {"reporting": secret("reports")})
    assert (await sources.of(OWN).acquire()).username == "own"
    assert (await sources.of("reporting").acquire()).username == "reports"
    await sources.close()


async def test_a_role_that_is_not_there_never_gets_another_ones() -> None:
    sources = RoleSources(Source)
    with pytest.raises(CredentialUnavailable):
        sources.of(OWN)
    await sources.use(secret("own"), {})
    with pytest.raises(CredentialUnavailable, match='role "reporting"'):
        sources.of("reporting")


async def test_a_role_taken_away_lends_no_more_and_takes_back_what_it_lent() -> None:
    sources = RoleSources(Source)
    await sources.use(secret("own"), {"reporting": secret("reports")})
    held = sources.of("reporting")
    lent = await held.acquire()
    await sources.use(secret("own"), {})
    with pytest.raises(CredentialUnavailable):
        sources.of("reporting")
    with pytest.raises(CredentialUnavailable):
        await held.acquire()
    await held.release(lent)
    await sources.use(secret("own"), {"reporting": secret("others")})
    assert (await held.acquire()).username == "others"
    await sources.close()


async def test_only_what_changed_is_opened_anew() -> None:
    made: list[str] = []

    def make(credentials: Credentials) -> Source:
        source = Source(credentials)
        made.append(source.name)
        return source

    sources = RoleSources(make)
    await sources.use(secret("own"), {"reporting": secret("reports")})
    await sources.use(secret("own"), {"reporting": secret("others")})
    assert made == ["own", "reports", "others"]
    await sources.close()

"""OpenBao on disk, killed, sealed and started again while proxies hold its users."""

from __future__ import annotations

import asyncio
import json
import signal
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from kit import process, wait
from kit.openbao import BaoError, OpenBao, program
from kit.ports import LOOPBACK, free_ports
from kit.postgres import Postgres
from kit.secret_store import MemorySecrets
from tollhouse_proxy.adapters.credentials.settings import CredentialSettings
from tollhouse_proxy.ports.credentials import Credential, CredentialSource, CredentialUnavailable

pytestmark = [pytest.mark.openbao, pytest.mark.postgres]
MakeSource = Callable[..., CredentialSource]


class DurableBao:
    """A server that keeps its data on disk: it may die and come back, sealed until it is unsealed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        port, cluster = free_ports(2)
        self.address = f"http://{LOOPBACK}:{port}"
        (folder / "data").mkdir()
        (folder / "config.hcl").write_text(
            f'storage "raft" {{ path = "{folder}/data" node_id = "kit" }}\n'
            f'listener "tcp" {{ address = "{LOOPBACK}:{port}" tls_disable = true }}\n'
            f'api_addr = "{self.address}"\ncluster_addr = "http://{LOOPBACK}:{cluster}"\n'
        )
        self.start()
        try:
            made = self._call("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
            self._unseal_key = made["keys"][0]
            self.bao = OpenBao(self.address, made["root_token"], self.server)
            self.unseal()
        except BaseException:
            self.server.stop()
            raise

    def start(self) -> None:
        command: list[str | Path] = [
            program(),
            "server",
            f"-config={self._folder}/config.hcl",
            "-log-level=warn",
        ]
        self.server = process.start("OpenBao", command, log=self._folder / "bao.log")
        try:
            wait.until(self._answers, within=60, what="OpenBao answers")
        except BaseException:
            self.server.stop()
            raise

    def unseal(self) -> None:
        self._call("PUT", "sys/unseal", {"key": self._unseal_key})
        wait.until(lambda: not self._call("GET", "sys/seal-status")["sealed"], within=60)
        wait.until(self._active, within=60, what="OpenBao is active")

    def kill(self) -> None:
        self.server.signal(signal.SIGKILL)
        self.server.wait()
        self.server.stop()  # closes the keeper's pipes

    def _answers(self) -> bool:
        self.server.check()
        return "sealed" in self._call("GET", "sys/seal-status")

    def _active(self) -> bool:
        try:
            self.bao.read("sys/mounts")
        except BaoError:
            return False
        return True

    def _call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}/v1/{path}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return dict(json.loads(answer.read()))


@pytest.fixture(scope="module")
def durable() -> Iterator[DurableBao]:
    with process.workshop("openbao-durable") as folder:
        made = DurableBao(folder)
        try:
            yield made
        finally:
            made.server.stop()


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

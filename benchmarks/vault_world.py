"""A proxy that gets its credentials from a real OpenBao, for what happens when that is in trouble."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks import peers
from benchmarks.peers import Peer, proxy

from kit.durable_bao import DurableBao, durable_bao
from kit.openbao import OpenBao
from kit.postgres import Postgres

TABLE = """
CREATE TABLE accounts (id int PRIMARY KEY, total int NOT NULL);
INSERT INTO accounts SELECT n, 0 FROM generate_series(1, 1000) AS n;
"""
GRANTS = 'GRANT SELECT, UPDATE ON accounts TO "{{name}}"'
MOUNT, AUTH = "bench-db", "bench-approle"
LEASE_SECONDS, TOKEN_SECONDS = 60, 60
"""Longer than an outage (open sessions go on until their lease's end), short enough that renewals, new tokens
and ends happen within a run."""

_VAULT_POLICY = f"""
path "{MOUNT}/creds/kit" {{ capabilities = ["read"] }}
path "static-bench/static-creds/kit" {{ capabilities = ["read"] }}
path "kv-bench/data/backend" {{ capabilities = ["read"] }}
path "sys/leases/renew" {{ capabilities = ["update"] }}
path "sys/leases/revoke" {{ capabilities = ["update"] }}
path "auth/token/revoke-accessor" {{ capabilities = ["update"] }}
"""
POLICY = peers.POLICY.replace("{username: USER, password: PASSWORD}", "{id: SECRETID}").replace(
    "credentials: {secretRef: {name: bench}}", "credentials: CREDENTIALS"
)


@dataclass(frozen=True, slots=True)
class VaultWorld:
    """`role_id` and `secret_id` are what proxies log in to OpenBao with."""

    server: Postgres
    database: str
    durable: DurableBao
    role_id: str
    secret_id: str

    @property
    def bao(self) -> OpenBao:
        return self.durable.bao

    def leases(self) -> int:
        return len(self.bao.leases(MOUNT))

    def vault(self, **engine: Any) -> dict[str, Any]:
        """`credentials` of a Connection."""
        secret = {"secret": "bench", "key": "id"}
        auth = {"appRole": {"mount": AUTH, "roleId": self.role_id, "secretIdRef": secret}}
        return {"vault": {"address": self.durable.address, "auth": auth, **engine}}

    @contextmanager
    def proxy(self, credentials: dict[str, Any], login: str = "") -> Iterator[Peer]:
        """`login`: a Secret of that name, in a file of its own beside the rest."""
        policy = POLICY.replace("SECRETID", self.secret_id).replace("CREDENTIALS", str(credentials))
        others = {"login.yaml": login} if login else {}
        with proxy(self.server, self.database, policy, others) as peer:
            yield peer


@contextmanager
def vault_world(server: Postgres) -> Iterator[VaultWorld]:
    """With a database engine whose users live LEASE_SECONDS unless renewed, and tokens TOKEN_SECONDS."""
    database = server.create_database(sql=TABLE)
    with durable_bao() as durable:
        bao = durable.bao
        ttl = f"{LEASE_SECONDS}s"
        bao.database_role(server, database, grants=GRANTS, default_ttl=ttl, max_ttl="1h", mount=MOUNT)
        bao.request("PUT", "sys/policies/acl/bench", {"policy": _VAULT_POLICY})
        bao.write(f"sys/auth/{AUTH}", type="approle")
        bao.write(f"auth/{AUTH}/role/bench", token_policies=["bench"], token_ttl=f"{TOKEN_SECONDS}s")
        role_id = bao.read(f"auth/{AUTH}/role/bench/role-id")["data"]["role_id"]
        secret_id = bao.write(f"auth/{AUTH}/role/bench/secret-id")["data"]["secret_id"]
        yield VaultWorld(server, database, durable, role_id, secret_id)

"""Other ways to log in to a real OpenBao, and a user whose password it rotates."""

from __future__ import annotations

import secrets as randomness
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kit.openbao import OpenBao
from kit.postgres import Postgres
from kit.secret_store import MemorySecrets
from tollhouse_core.api.credentials import pod_token_file
from tollhouse_proxy.adapters.credentials.settings import CredentialSettings
from tollhouse_proxy.ports.credentials import Credential, CredentialSource, CredentialUnavailable

pytestmark = [pytest.mark.openbao, pytest.mark.postgres]
MakeSource = Callable[..., CredentialSource]
POLICY = """
path "{mount}/creds/kit" {{ capabilities = ["read"] }}
path "{mount}/static-creds/kit" {{ capabilities = ["read"] }}
path "sys/leases/revoke" {{ capabilities = ["update"] }}
"""


def policy(openbao: OpenBao, mount: str) -> str:
    name = f"kit-{randomness.token_hex(6)}"
    openbao.request("PUT", f"sys/policies/acl/{name}", {"policy": POLICY.format(mount=mount)})
    return name


async def login(postgres: Postgres, database: str, credential: Credential) -> Any:
    return await asyncpg.connect(
        host=postgres.host,
        port=postgres.port,
        database=database,
        user=credential.username,
        password=credential.password.reveal(),
    )


async def test_an_approle_logs_in_and_a_rotated_secret_id_is_read_again(
    openbao: OpenBao, postgres: Postgres, database: str, secrets: MemorySecrets, make_source: MakeSource
) -> None:
    mount, _ = openbao.database_role(postgres, database)
    auth = f"approle-{randomness.token_hex(4)}"
    openbao.write(f"sys/auth/{auth}", type="approle")
    openbao.write(f"auth/{auth}/role/orders", token_policies=[policy(openbao, mount)], token_ttl="10m")
    role_id = openbao.read(f"auth/{auth}/role/orders/role-id")["data"]["role_id"]
    one = openbao.write(f"auth/{auth}/role/orders/secret-id")["data"]["secret_id"]
    secrets.secrets["vault"] = {"id": one}
    source = make_source(
        address=openbao.address,
        auth={"appRole": {"mount": auth, "roleId": role_id, "secretIdRef": {"secret": "vault", "key": "id"}}},
        database={"mount": mount, "role": "kit"},
    )
    credential = await source.acquire()
    await (await login(postgres, database, credential)).close()
    await source.release(credential)

    openbao.write(f"auth/{auth}/role/orders/secret-id/destroy", secret_id=one)
    openbao.write("sys/leases/revoke-prefix/auth/" + auth)
    with pytest.raises(CredentialUnavailable, match="refused the login"):
        await source.acquire()
    two = openbao.write(f"auth/{auth}/role/orders/secret-id")["data"]["secret_id"]
    secrets.secrets["vault"] = {"id": two}
    await source.release(await source.acquire())
    assert two not in repr(source.__dict__)


async def test_the_pods_token_for_an_audience_logs_in_by_its_signature(
    openbao: OpenBao, postgres: Postgres, database: str, tmp_path: Path, make_source: MakeSource
) -> None:
    mount, _ = openbao.database_role(postgres, database)
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    auth = f"jwt-{randomness.token_hex(4)}"
    openbao.write(f"sys/auth/{auth}", type="jwt")
    openbao.write(f"auth/{auth}/config", jwt_validation_pubkeys=[public.decode()])
    openbao.write(
        f"auth/{auth}/role/orders",
        role_type="jwt",
        user_claim="sub",
        bound_audiences=["vault.example"],
        bound_subject="system:serviceaccount:shop:orders-db-proxy",
        token_policies=[policy(openbao, mount)],
    )
    claims = {"sub": "system:serviceaccount:shop:orders-db-proxy", "iat": 1, "exp": 4_000_000_000}
    (tmp_path / "token").write_text(jwt.encode({**claims, "aud": "api"}, key, "ES256"))
    meant = tmp_path / pod_token_file("vault.example")
    meant.write_text(jwt.encode({**claims, "aud": "vault.example"}, key, "ES256"))

    def source(**method: str) -> CredentialSource:
        return make_source(
            CredentialSettings(request_seconds=2.0, acquire_seconds=2.0, pod_token_file=tmp_path / "token"),
            address=openbao.address,
            auth={"jwt": {"mount": auth, "role": "orders", **method}},
            database={"mount": mount, "role": "kit"},
        )

    credential = await source(audience="vault.example").acquire()
    await (await login(postgres, database, credential)).close()
    with pytest.raises(CredentialUnavailable, match="refused the login"):
        await source().acquire()


async def test_a_static_role_is_read_anew_for_each_session_and_open_sessions_survive_its_rotation(
    openbao: OpenBao, postgres: Postgres, database: str, secrets: MemorySecrets, make_source: MakeSource
) -> None:
    name, _ = postgres.create_role()
    mount, role = openbao.static_role(postgres, database, name)
    secrets.secrets["vault"] = {"token": openbao.token(POLICY.format(mount=mount))}
    source = make_source(
        address=openbao.address,
        auth={"tokenRef": {"secret": "vault", "key": "token"}},
        database={"mount": mount, "staticRole": role},
    )
    before = await source.acquire()
    assert (before.username, before.lease, before.expires_at) == (name, "", None)
    session = await login(postgres, database, before)
    openbao.rotate(mount)
    with pytest.raises(asyncpg.InvalidPasswordError):
        await login(postgres, database, before)
    after = await source.acquire()
    await (await login(postgres, database, after)).close()
    assert await session.fetchval("SELECT current_user") == name
    await session.close()

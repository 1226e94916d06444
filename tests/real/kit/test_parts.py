"""The real parts of the kit answer as what they are."""

from __future__ import annotations

import json

import asyncpg
import pytest

from kit.control_plane import ControlPlane
from kit.openbao import BaoError, OpenBao
from kit.postgres import Postgres


@pytest.mark.postgres
async def test_every_release_lets_scram_passwords_in_over_tcp(any_postgres: Postgres) -> None:
    database = any_postgres.create_database(sql="CREATE TABLE t (a int); INSERT INTO t VALUES (7)")
    user, password = any_postgres.create_role()
    any_postgres.psql(f'GRANT SELECT ON t TO "{user}"', database=database)
    connection = await asyncpg.connect(any_postgres.dsn(database, user=user, password=password))
    try:
        assert await connection.fetchval("SELECT a FROM t") == 7
        assert connection.get_server_version().major == any_postgres.version
    finally:
        await connection.close()


@pytest.mark.postgres
@pytest.mark.parametrize("name", ["kit_md5", "kit_cleartext", "kit_trust"])
def test_other_methods_of_proof_are_there_for_named_users(postgres: Postgres, name: str) -> None:
    user, password = postgres.create_role(name)
    asked = postgres.psql("SELECT current_user", user=user, password=password)
    assert asked.stdout.strip() == name
    wrong = postgres.psql("SELECT 1", user=user, password="wrong", check=False)
    assert (wrong.returncode == 0) is (name == "kit_trust")


@pytest.mark.postgres
async def test_tls_is_verified_against_the_kits_authority(tls_postgres: Postgres) -> None:
    assert tls_postgres.ca_file is not None
    dsn = tls_postgres.dsn(sslmode="verify-full", sslrootcert=str(tls_postgres.ca_file))
    connection = await asyncpg.connect(dsn)
    try:
        assert await connection.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") is True
    finally:
        await connection.close()


@pytest.mark.postgres
@pytest.mark.openbao
def test_openbao_makes_logins_that_end_with_their_lease(openbao: OpenBao, postgres: Postgres) -> None:
    mount, role = openbao.database_role(postgres, "postgres")
    made = openbao.read(f"{mount}/creds/{role}")
    user, password = made["data"]["username"], made["data"]["password"]
    assert postgres.psql("SELECT 1", user=user, password=password).stdout.strip() == "1"
    assert openbao.leases(mount) == [made["lease_id"]]
    openbao.write("sys/leases/revoke", lease_id=made["lease_id"], sync=True)
    assert postgres.psql("SELECT 1", user=user, password=password, check=False).returncode != 0
    assert openbao.leases(mount) == []


@pytest.mark.openbao
def test_openbao_tokens_obey_their_policy(openbao: OpenBao) -> None:
    mount, path = openbao.key_value({"username": "u", "password": "p"})
    token = openbao.token(f'path "{mount}/data/{path}" {{ capabilities = ["read"] }}')
    assert openbao.request("GET", f"{mount}/data/{path}", token=token)["data"]["data"]["username"] == "u"
    with pytest.raises(BaoError) as refused:
        openbao.request("POST", f"{mount}/data/{path}", {"data": {}}, token=token)
    assert refused.value.status == 403


@pytest.mark.apiserver
def test_the_control_plane_knows_its_people(control_plane: ControlPlane, namespace: str) -> None:
    groups = control_plane.kubectl(
        "auth", "whoami", "-o", "jsonpath={.status.userInfo}", user="alice", check=True
    )
    assert '"username":"alice"' in groups.stdout
    assert '"managers"' in groups.stdout
    refused = control_plane.kubectl("get", "secrets", "-n", namespace, user="mallory")
    assert refused.returncode != 0
    assert "forbidden" in refused.stderr.lower()


@pytest.mark.apiserver
def test_accounts_get_tokens_for_an_audience(control_plane: ControlPlane, namespace: str) -> None:
    user = control_plane.service_account(namespace, "triage")
    token = control_plane.token(namespace, "triage", audience="tollhouse")
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview"}
    review_spec = {"token": token, "audiences": ["tollhouse"]}
    asked = control_plane.kubectl(
        "create", "-f", "-", "-o", "json", input=json.dumps({**review, "spec": review_spec}), check=True
    )
    assert json.loads(asked.stdout)["status"]["user"]["username"] == user

"""Vault's Kubernetes auth: OpenBao asks a real API server who the proxy is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kit import wait
from kit.control_plane import ControlPlane
from kit.openbao import OpenBao
from kit.postgres import Postgres
from tollhouse_proxy.adapters.credentials.settings import CredentialSettings
from tollhouse_proxy.ports.credentials import CredentialSource, CredentialUnavailable

pytestmark = [pytest.mark.openbao, pytest.mark.apiserver, pytest.mark.postgres]
MakeSource = Callable[..., CredentialSource]

POLICY = """
path "{mount}/creds/kit" {{ capabilities = ["read"] }}
path "sys/leases/revoke" {{ capabilities = ["update"] }}
"""


@pytest.fixture
def auth(control_plane: ControlPlane, openbao: OpenBao, namespace: str) -> str:
    """The mount of an auth method that trusts the control plane; role `orders-db` is for `proxy`."""
    control_plane.service_account(namespace, "proxy")
    control_plane.service_account(namespace, "reviewer")
    subject = {"kind": "ServiceAccount", "name": "reviewer", "namespace": namespace}
    control_plane.apply(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": f"reviewer-{namespace}"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "system:auth-delegator",
            },
            "subjects": [subject],
        }
    )
    mount = f"kubernetes-{namespace}"
    openbao.write(f"sys/auth/{mount}", type="kubernetes")
    openbao.write(
        f"auth/{mount}/config",
        kubernetes_host=control_plane.server,
        kubernetes_ca_cert=control_plane.ca_file.read_text(),
        token_reviewer_jwt=control_plane.token(namespace, "reviewer"),
        disable_local_ca_jwt=True,
    )
    return mount


def allow(openbao: OpenBao, auth: str, namespace: str, database_mount: str, **role: object) -> None:
    openbao.request("PUT", f"sys/policies/acl/{auth}", {"policy": POLICY.format(mount=database_mount)})
    openbao.write(
        f"auth/{auth}/role/orders-db",
        bound_service_account_names=["proxy"],
        bound_service_account_namespaces=[namespace],
        token_policies=[auth],
        audience="vault",
        **{"token_ttl": "10m", **role},
    )


def pod_token(plane: ControlPlane, namespace: str, account: str, folder: Path) -> CredentialSettings:
    file = folder / "token"
    file.write_text(plane.token(namespace, account, audience="vault"))
    return CredentialSettings(request_seconds=3.0, acquire_seconds=5.0, pod_token_file=file)


async def gone(openbao: OpenBao, mount: str) -> None:
    """OpenBao ends a token's leases behind the answer."""

    async def none_left() -> bool:
        return not openbao.leases(mount)

    await wait.until_async(none_left, what="no lease is left")


async def test_the_pods_own_token_opens_vault_and_the_end_leaves_nothing(
    control_plane: ControlPlane,
    openbao: OpenBao,
    postgres: Postgres,
    database: str,
    namespace: str,
    auth: str,
    tmp_path: Path,
    make_source: MakeSource,
) -> None:
    mount, _ = openbao.database_role(postgres, database)
    allow(openbao, auth, namespace, mount)
    source = make_source(
        pod_token(control_plane, namespace, "proxy", tmp_path),
        address=openbao.address,
        auth={"kubernetes": {"mount": auth, "role": "orders-db"}},
        database={"mount": mount, "role": "kit"},
    )
    first, second = await source.acquire(), await source.acquire()
    assert len(openbao.leases(mount)) == 2
    renewed = await source.renew(first)
    assert renewed.expires_at is not None
    await source.release(first)
    assert openbao.leases(mount) == [second.lease]
    # What was not given back goes with the proxy's own token.
    await source.close()
    await gone(openbao, mount)


async def test_another_account_is_refused(
    control_plane: ControlPlane,
    openbao: OpenBao,
    namespace: str,
    auth: str,
    tmp_path: Path,
    make_source: MakeSource,
) -> None:
    allow(openbao, auth, namespace, "nowhere")
    control_plane.service_account(namespace, "mallory")
    source = make_source(
        pod_token(control_plane, namespace, "mallory", tmp_path),
        address=openbao.address,
        auth={"kubernetes": {"mount": auth, "role": "orders-db"}},
        database={"mount": "nowhere", "role": "kit"},
    )
    with pytest.raises(CredentialUnavailable, match="refused the login"):
        await source.acquire()


async def test_a_token_that_ended_is_replaced_by_logging_in_again(
    control_plane: ControlPlane,
    openbao: OpenBao,
    postgres: Postgres,
    database: str,
    namespace: str,
    auth: str,
    tmp_path: Path,
    make_source: MakeSource,
) -> None:
    mount, _ = openbao.database_role(postgres, database)
    allow(openbao, auth, namespace, mount)
    source = make_source(
        pod_token(control_plane, namespace, "proxy", tmp_path),
        address=openbao.address,
        auth={"kubernetes": {"mount": auth, "role": "orders-db"}},
        database={"mount": mount, "role": "kit"},
    )
    await source.acquire()
    for accessor in openbao.request("LIST", "auth/token/accessors")["data"]["keys"]:
        found = openbao.write("auth/token/lookup-accessor", accessor=accessor)["data"]
        if found["path"] == f"auth/{auth}/login":
            openbao.write("auth/token/revoke-accessor", accessor=accessor)
    await gone(openbao, mount)
    fresh = await source.acquire()
    assert openbao.leases(mount) == [fresh.lease]


async def test_a_lease_outlives_the_token_in_use_only_as_long_as_its_own_token_does(
    control_plane: ControlPlane,
    openbao: OpenBao,
    postgres: Postgres,
    database: str,
    namespace: str,
    auth: str,
    tmp_path: Path,
    make_source: MakeSource,
) -> None:
    mount, _ = openbao.database_role(postgres, database)
    allow(openbao, auth, namespace, mount, token_ttl="60s")
    source = make_source(
        pod_token(control_plane, namespace, "proxy", tmp_path),
        address=openbao.address,
        auth={"kubernetes": {"mount": auth, "role": "orders-db"}},
        database={"mount": mount, "role": "kit"},
    )
    credential = await source.acquire()
    renewed = await source.renew(credential)
    for one in (credential, renewed):
        assert one.expires_at is not None
        assert (one.expires_at - datetime.now(UTC)).total_seconds() <= 60

"""The Kubernetes engine: OpenBao makes ServiceAccounts and their tokens at a real API server."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from kit import wait
from kit.control_plane import ControlPlane
from kit.openbao import OpenBao
from kit.secret_store import MemorySecrets
from tollhouse_proxy.adapters.credentials.settings import CredentialSettings
from tollhouse_proxy.ports.credentials import Credential, CredentialSource, CredentialUnavailable

pytestmark = [pytest.mark.openbao, pytest.mark.apiserver]
MakeSource = Callable[..., CredentialSource]
POLICY = """
path "{mount}/creds/kit" {{ capabilities = ["update"] }}
path "sys/leases/revoke" {{ capabilities = ["update"] }}
"""
LISTS_CONFIG_MAPS = '{"rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}]}'
MADE = {"token_default_ttl": "10m", "generated_role_rules": LISTS_CONFIG_MAPS}


@dataclass
class Place:
    """A Kubernetes engine at `mount` whose role `kit` is for `namespace`."""

    plane: ControlPlane
    bao: OpenBao
    namespace: str
    mount: str
    make: MakeSource
    secrets: MemorySecrets

    def source(self, namespace: str | None = None, **role: object) -> CredentialSource:
        fields = {"allowed_kubernetes_namespaces": [self.namespace], **(role or MADE)}
        self.bao.write(f"{self.mount}/roles/kit", **fields)
        self.secrets.secrets["vault"] = {"token": self.bao.token(POLICY.format(mount=self.mount))}
        return self.make(
            CredentialSettings(request_seconds=5.0, acquire_seconds=10.0),
            address=self.bao.address,
            auth={"tokenRef": {"secret": "vault", "key": "token"}},
            kubernetes={"mount": self.mount, "role": "kit", "namespace": namespace or self.namespace},
        )

    def lists_config_maps(self, credential: Credential) -> bool:
        """Whether the API server lets the token do what its role may."""
        name = f"token-{self.namespace}"
        file = self.plane.write_kubeconfig(name, {"token": credential.bearer.reveal()})
        try:
            return not self.plane.kubectl("get", "configmaps", "-n", self.namespace, user=name).returncode
        finally:
            file.unlink()

    def made_for(self, credential: Credential) -> list[str]:
        """What there is in the cluster under the name of the credential's account."""
        kinds = "serviceaccounts,roles,rolebindings"
        found = self.plane.kubectl("get", kinds, "-n", self.namespace, "-o", "name", check=True)
        account = credential.username.rpartition(":")[2]
        return [line for line in found.stdout.split() if line.endswith(f"/{account}")]


@pytest.fixture
def place(
    control_plane: ControlPlane,
    openbao: OpenBao,
    namespace: str,
    make_source: MakeSource,
    secrets: MemorySecrets,
) -> Place:
    control_plane.service_account(namespace, "vault")
    control_plane.apply(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "vault", "namespace": namespace},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "cluster-admin",
            },
            "subjects": [{"kind": "ServiceAccount", "name": "vault", "namespace": namespace}],
        }
    )
    mount = f"cluster-{namespace}"
    openbao.write(f"sys/mounts/{mount}", type="kubernetes")
    openbao.write(
        f"{mount}/config",
        kubernetes_host=control_plane.server,
        kubernetes_ca_cert=control_plane.ca_file.read_text(),
        service_account_jwt=control_plane.token(namespace, "vault"),
        disable_local_ca_jwt=True,
    )
    return Place(control_plane, openbao, namespace, mount, make_source, secrets)


async def test_a_session_has_an_account_of_its_own_that_is_gone_once_given_back(place: Place) -> None:
    source = place.source()
    first, second = await source.acquire(), await source.acquire()
    assert first.username.startswith(f"system:serviceaccount:{place.namespace}:")
    assert first.username != second.username
    assert place.lists_config_maps(first)
    assert len(place.made_for(first)) == 3
    await source.release(first)
    assert place.made_for(first) == []
    assert place.bao.leases(place.mount) == [second.lease]

    async def is_refused() -> bool:
        return not place.lists_config_maps(first)

    # The API server remembers for some seconds what it may do.
    await wait.until_async(is_refused, within=60, what="the token is refused")
    assert place.lists_config_maps(second)
    await source.release(second)
    assert place.bao.leases(place.mount) == []


async def test_a_lease_that_vault_does_not_lengthen_ends_when_its_token_does(place: Place) -> None:
    source = place.source()
    credential = await source.acquire()
    assert credential.expires_at is not None
    assert 0 < (credential.expires_at - datetime.now(UTC)).total_seconds() <= 600
    renewed = await source.renew(credential)
    assert renewed.expires_at is not None
    assert abs((renewed.expires_at - credential.expires_at).total_seconds()) < 1
    assert place.lists_config_maps(renewed)
    await source.release(renewed)
    assert place.bao.leases(place.mount) == []


async def test_an_account_that_was_there_before_stays_and_only_the_lease_ends(place: Place) -> None:
    place.plane.service_account(place.namespace, "kept")
    source = place.source(service_account_name="kept", token_default_ttl="10m")
    credential = await source.acquire()
    assert credential.username == f"system:serviceaccount:{place.namespace}:kept"
    await source.release(credential)
    assert place.bao.leases(place.mount) == []
    assert place.made_for(credential) == ["serviceaccount/kept"]


async def test_what_the_engine_does_not_give_is_said_and_no_token_is_seen(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(CredentialUnavailable, match="a Kubernetes token"):
        await place.source(namespace="elsewhere").acquire()
    source = place.source()
    credential = await source.acquire()
    shown = f"{credential!r} {credential} {caplog.text}"
    assert credential.bearer.reveal() not in shown
    with pytest.raises(CredentialUnavailable, match="gives a bearer token, not a password"):
        _ = credential.password
    with pytest.raises(CredentialUnavailable, match="gives no SSH certificate"):
        _ = credential.ssh_identity
    await source.release(credential)

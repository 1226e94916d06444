"""What a Connection becomes: manifests by themselves, without a cluster."""

from __future__ import annotations

from typing import Any

import pytest

from tollhouse_core.api import parse_object
from tollhouse_core.api.audit_sink import AuditSinkSpec
from tollhouse_core.api.connection import Connection
from tollhouse_core.api.identity_provider import IdentityProvider
from tollhouse_core.secret import Secret
from tollhouse_operator.manifests.all import manifests_of
from tollhouse_operator.manifests.config_maps import bundle_config_map
from tollhouse_operator.manifests.naming import Manifest
from tollhouse_operator.manifests.network_policy import Destination, network_policy
from tollhouse_operator.manifests.references import destinations, secret_names
from tollhouse_operator.manifests.secrets import serving_certificate_secret
from tollhouse_operator.proxy_settings import ProxySettings

SETTINGS = ProxySettings(image="tollhouse/proxy:1", drain_seconds=20)
VAULT = {
    "vault": {
        "address": "https://vault.vault.svc:8200",
        "auth": {"kubernetes": {"role": "orders"}},
        "database": {"role": "orders-rw"},
    }
}


def connection(**spec: Any) -> Connection:
    parsed = parse_object(
        {
            "apiVersion": "tollhouse.dev/v1alpha1",
            "kind": "Connection",
            "metadata": {"name": "orders-db", "namespace": "shop", "uid": "0000-1111"},
            "spec": {
                "postgres": {"host": "orders.example.test", "database": "orders"},
                "credentials": {"secretRef": {"name": "login"}},
                **spec,
            },
        }
    )
    assert isinstance(parsed, Connection)
    return parsed


def of_kind(kind: str, **spec: Any) -> Manifest:
    return next(one for one in manifests_of(connection(**spec), [], SETTINGS) if one["kind"] == kind)


def container(**spec: Any) -> dict[str, Any]:
    return dict(of_kind("Deployment", **spec)["spec"]["template"]["spec"]["containers"][0])


def test_everything_is_owned_named_and_labelled() -> None:
    for manifest in manifests_of(connection(), [], SETTINGS):
        metadata = manifest["metadata"]
        assert metadata["namespace"] == "shop"
        assert metadata["name"] in {"orders-db", "orders-db-proxy", "orders-db-proxies"}
        assert metadata["labels"]["app.kubernetes.io/managed-by"] == "tollhouse-operator"
        assert metadata["labels"]["tollhouse.dev/connection"] == "orders-db"
        (owner,) = metadata["ownerReferences"]
        assert owner["uid"] == "0000-1111"
        assert owner["controller"] is True


def test_the_same_connection_gives_the_same_manifests() -> None:
    assert manifests_of(connection(), [], SETTINGS) == manifests_of(connection(), [], SETTINGS)


def test_rights_and_guards_come_before_pods() -> None:
    kinds = [manifest["kind"] for manifest in manifests_of(connection(), [], SETTINGS)]
    assert kinds[-1] == "Deployment"
    assert kinds.index("Role") < kinds.index("RoleBinding") < kinds.index("Deployment")
    assert kinds.index("NetworkPolicy") < kinds.index("Deployment")


class TestDeployment:
    def test_pods_hold_to_the_restricted_standard(self) -> None:
        pod = of_kind("Deployment")["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for forbidden in ("hostNetwork", "hostPID", "hostIPC"):
            assert forbidden not in pod
        security = container()["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["readOnlyRootFilesystem"] is True
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert all(set(volume) - {"name"} <= {"secret", "emptyDir", "projected"} for volume in pod["volumes"])

    def test_only_the_audit_state_and_tmp_can_be_written(self) -> None:
        writable = [mount["mountPath"] for mount in container()["volumeMounts"] if not mount.get("readOnly")]
        assert writable == ["/var/lib/tollhouse/audit", "/var/lib/tollhouse/state", "/tmp"]

    def test_no_secret_is_in_the_environment(self) -> None:
        for entry in container()["env"]:
            assert "secretKeyRef" not in entry.get("valueFrom", {})

    def test_probes_ask_the_health_port(self) -> None:
        made = container()
        ports = {port["name"]: port["containerPort"] for port in made["ports"]}
        assert ports == {"proxy": 5432, "health": 9090}
        for probe, path in (
            ("startupProbe", "/healthz"),
            ("livenessProbe", "/healthz"),
            ("readinessProbe", "/readyz"),
        ):
            assert made[probe]["httpGet"]["port"] == "health"
            assert made[probe]["httpGet"]["path"] == path

    def test_a_pod_has_time_to_become_unready_and_to_drain(self) -> None:
        pod = of_kind("Deployment")["spec"]["template"]["spec"]
        waits = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert pod["terminationGracePeriodSeconds"] > waits + SETTINGS.drain_seconds

    def test_the_token_for_vault_is_projected_and_short_lived(self) -> None:
        pod = of_kind("Deployment", credentials=VAULT)["spec"]["template"]["spec"]
        (volume,) = [one for one in pod["volumes"] if one["name"] == "token"]
        (source,) = volume["projected"]["sources"]
        assert source["serviceAccountToken"]["expirationSeconds"] <= 3600

    def test_each_audience_that_a_vault_role_demands_has_a_token_of_its_own(self) -> None:
        def vault(**method: Any) -> dict[str, Any]:
            return {"vault": {**VAULT["vault"], "auth": method}}

        own = vault(kubernetes={"role": "orders-db", "audience": "vault"})
        roles = {"reporting": {"credentials": vault(jwt={"role": "reporting", "audience": "other"})}}
        target = {"host": "db", "port": 5432, "database": "orders", "roles": roles}
        pod = of_kind("Deployment", credentials=own, postgres=target)["spec"]["template"]["spec"]
        (volume,) = [one for one in pod["volumes"] if one["name"] == "token"]
        tokens = [source["serviceAccountToken"] for source in volume["projected"]["sources"]]
        assert [token.get("audience") for token in tokens] == [None, "other", "vault"]
        assert len({token["path"] for token in tokens}) == 3
        assert tokens[0]["path"] == "token"

    def test_a_privileged_port_is_served_from_an_unprivileged_one(self) -> None:
        made = container(proxy={"port": 443})
        assert made["ports"][0]["containerPort"] == 10443
        assert {"name": "TOLLHOUSE_LISTEN", "value": "0.0.0.0:10443"} in made["env"]
        service = of_kind("Service", proxy={"port": 443})
        assert service["spec"]["ports"][0]["port"] == 443
        assert service["spec"]["ports"][0]["targetPort"] == "proxy"

    def test_a_change_of_the_pod_shows_in_the_hash_and_a_change_of_replicas_does_not(self) -> None:
        def digest(**spec: Any) -> str:
            return str(
                of_kind("Deployment", **spec)["metadata"]["annotations"]["tollhouse.dev/template-hash"]
            )

        assert digest() == digest(proxy={"replicas": 5})
        assert digest() != digest(proxy={"port": 6432})

    def test_other_audit_sinks_need_other_pods(self) -> None:
        def digest(*others: Any) -> str:
            made = manifests_of(connection(), others, SETTINGS)[-1]
            assert made["kind"] == "Deployment"
            return str(made["metadata"]["annotations"]["tollhouse.dev/template-hash"])

        first = AuditSinkSpec.model_validate({"file": {"path": "/var/lib/tollhouse/audit/a.jsonl"}})
        second = AuditSinkSpec.model_validate({"file": {"path": "/var/lib/tollhouse/audit/b.jsonl"}})
        assert len({digest(), digest(first), digest(second), digest(first, second)}) == 4
        assert digest(first, second) == digest(second, first)

    def test_resources_and_replicas_are_as_the_connection_says(self) -> None:
        asked = {"replicas": 3, "resources": {"requests": {"cpu": "2"}, "limits": {"memory": "1Gi"}}}
        assert of_kind("Deployment", proxy=asked)["spec"]["replicas"] == 3
        assert container(proxy=asked)["resources"] == {"requests": {"cpu": "2"}, "limits": {"memory": "1Gi"}}
        assert container()["resources"]["limits"]["memory"] == "512Mi"

    def test_a_certificate_of_ones_own_is_mounted_in_place_of_ours(self) -> None:
        pod = of_kind("Deployment", proxy={"tls": {"secretRef": {"name": "mine"}}})["spec"]["template"][
            "spec"
        ]
        assert {"name": "tls", "secret": {"secretName": "mine", "defaultMode": 0o440}} in pod["volumes"]


class TestRole:
    def test_every_right_on_config_maps_and_secrets_is_by_name(self) -> None:
        role = of_kind("Role")
        for rule in role["rules"]:
            if rule["apiGroups"] == [""]:
                assert rule["resourceNames"]
            assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]

    def test_only_the_secrets_that_are_named_are_readable(self) -> None:
        made = connection(
            postgres={
                "host": "db",
                "database": "d",
                "tls": {"mode": "VerifyFull", "caRef": {"secret": "backend-ca"}},
            },
            proxy={"tls": {"secretRef": {"name": "serving"}}},
        )
        provider = parse_object(
            {
                "apiVersion": "tollhouse.dev/v1alpha1",
                "kind": "IdentityProvider",
                "metadata": {"name": "corp"},
                "spec": {"oidc": {"issuer": "https://idp.example.test/r", "caRef": {"secret": "idp-ca"}}},
            }
        )
        assert isinstance(provider, IdentityProvider)
        assert secret_names(made, [provider.spec]) == ("backend-ca", "idp-ca", "login")

    def test_the_metadata_of_a_saml_provider_is_for_the_token_endpoint_alone(self) -> None:
        provider = parse_object(
            {
                "apiVersion": "tollhouse.dev/v1alpha1",
                "kind": "IdentityProvider",
                "metadata": {"name": "people"},
                "spec": {"saml": {"metadataRef": {"secret": "idp-metadata", "key": "metadata.xml"}}},
            }
        )
        assert isinstance(provider, IdentityProvider)
        assert secret_names(connection(), [provider.spec]) == ("login",)

    def test_without_a_secret_to_read_there_is_no_right_to_read_any(self) -> None:
        role = of_kind("Role", credentials=VAULT)
        assert not [rule for rule in role["rules"] if "secrets" in rule["resources"]]

    def test_the_vault_token_in_a_secret_is_readable(self) -> None:
        vault = {**VAULT["vault"], "auth": {"tokenRef": {"secret": "vault-token", "key": "token"}}}
        assert secret_names(connection(credentials={"vault": vault}), []) == ("vault-token",)

    def test_requests_can_be_made_and_seen_but_not_voted_on(self) -> None:
        verbs = {
            rule["resources"][0]: rule["verbs"]
            for rule in of_kind("Role")["rules"]
            if rule["apiGroups"] != [""]
        }
        assert verbs == {
            "approvalrequests": ["create", "get", "list", "watch"],
            "approvalrequests/status": ["patch"],
        }


class TestNetworkPolicy:
    def egress(self, *destinations: Destination) -> list[dict[str, Any]]:
        policy = network_policy(connection(), destinations, (6443,))
        assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
        return list(policy["spec"]["egress"][2:])

    def test_dns_and_the_api_server_are_reachable(self) -> None:
        dns, api, *rest = network_policy(connection(), (), (443, 6443))["spec"]["egress"]
        assert [port["port"] for port in dns["ports"]] == [53, 53]
        assert [port["port"] for port in api["ports"]] == [443, 6443]
        assert rest == []

    def test_a_host_outside_is_opened_by_its_port(self) -> None:
        (rule,) = self.egress(Destination("db.corp.example.test", 5433))
        assert rule["ports"] == [{"protocol": "TCP", "port": 5433}]

    def test_an_address_is_opened_alone(self) -> None:
        (rule,) = self.egress(Destination("192.0.2.7", 5432))
        assert rule["to"] == [{"ipBlock": {"cidr": "192.0.2.7/32"}}]
        (six,) = self.egress(Destination("2001:db8::7", 5432))
        assert six["to"] == [{"ipBlock": {"cidr": "2001:db8::7/128"}}]

    @pytest.mark.parametrize("host", ["db.data.svc", "db.data.svc.cluster.local", "DB.Data.svc."])
    def test_a_service_is_opened_by_its_namespace_whatever_port_its_pods_listen_on(self, host: str) -> None:
        (rule,) = self.egress(Destination(host, 5432))
        assert rule == {
            "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "data"}}}]
        }

    def test_a_bare_name_is_in_the_connections_own_namespace(self) -> None:
        (rule,) = self.egress(Destination("db", 5432))
        assert rule["to"][0]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "shop"}

    def test_a_name_of_two_words_may_be_either(self) -> None:
        assert len(self.egress(Destination("db.internal", 5432))) == 2

    def test_two_backends_behind_one_port_make_one_rule(self) -> None:
        rules = self.egress(Destination("a.b.example.test", 443), Destination("c.d.example.test", 443))
        assert len(rules) == 1

    def test_all_that_the_connection_names_is_reachable(self) -> None:
        assert set(destinations(connection(credentials=VAULT), [])) == {
            Destination("orders.example.test", 5432),
            Destination("vault.vault.svc", 8200),
        }

    def test_clients_come_from_pods_to_the_port_of_the_container(self) -> None:
        first, second = network_policy(connection(proxy={"port": 443}), (), (443,))["spec"]["ingress"]
        assert first["ports"] == [{"protocol": "TCP", "port": 10443}]
        assert second["ports"] == [{"protocol": "TCP", "port": 9090}]
        assert first["from"] == second["from"] == [{"namespaceSelector": {}}]


def test_one_pod_at_a_time_may_be_evicted_even_if_it_is_the_only_one() -> None:
    assert of_kind("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def test_the_bundle_says_its_revision() -> None:
    made = bundle_config_map(connection(), "sha256:12", "{}")
    assert made["metadata"]["name"] == "orders-db-bundle"
    assert made["metadata"]["annotations"] == {"tollhouse.dev/revision": "sha256:12"}
    assert made["data"] == {"bundle.json": "{}"}


def test_the_serving_certificate_is_a_tls_secret() -> None:
    made = serving_certificate_secret(connection(), "chain", Secret("key"), "authority")
    assert made["type"] == "kubernetes.io/tls"
    assert set(made["data"]) == {"tls.crt", "tls.key", "ca.crt"}

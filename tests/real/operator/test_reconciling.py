"""A Connection's objects on a real API server: made, kept as they should be, and told about."""

from __future__ import annotations

import base64
import json
import time
from functools import partial
from typing import Any

import pytest
from cryptography import x509

from real.operator.installed import NAMESPACE, Installed, access_policy, connection

pytestmark = [pytest.mark.apiserver, pytest.mark.timeout(180)]

OWNED = (
    ("serviceaccount", "orders-db-proxy"),
    ("role", "orders-db-proxy"),
    ("rolebinding", "orders-db-proxy"),
    ("deployment", "orders-db-proxy"),
    ("networkpolicy", "orders-db-proxy"),
    ("poddisruptionbudget", "orders-db-proxy"),
    ("service", "orders-db"),
    ("configmap", "orders-db-bundle"),
    ("configmap", "orders-db-proxies"),
    ("configmap", "orders-db-ca"),
    ("secret", "orders-db-tls"),
    ("secret", "orders-db-audit-key"),
    ("secret", "orders-db-mask-key"),
)


def test_a_connection_owns_all_it_needs(tollhouse: Installed, shop: str) -> None:
    uid = (tollhouse.get("connection", "orders-db", shop) or {})["metadata"]["uid"]
    for kind, name in OWNED:
        found = tollhouse.until(partial(tollhouse.get, kind, name, shop), f"{kind} {name}")
        owner = found["metadata"]["ownerReferences"][0]
        assert (owner["kind"], owner["uid"], owner["controller"]) == ("Connection", uid, True)


def test_the_status_says_where_to_connect_and_what_is_in_force(tollhouse: Installed, shop: str) -> None:
    def complete() -> dict[str, Any] | None:
        status = (tollhouse.get("connection", "orders-db", shop) or {}).get("status") or {}
        return status if status.get("revision") and status.get("policies") == 1 else None

    status = tollhouse.until(complete, "the status is complete")
    assert status["endpoint"] == f"orders-db.{shop}.svc:5432"
    assert status["revision"] == tollhouse.revision(shop)
    assert status["proxies"] == {"ready": 0, "current": 0}
    by_type = {condition["type"]: condition for condition in status["conditions"]}
    assert (by_type["Ready"]["status"], by_type["Ready"]["reason"]) == ("False", "ProxiesNotReady")
    assert by_type["Reconciling"]["status"] == "True"
    assert by_type["Stalled"]["status"] == "False"
    assert all(condition["observedGeneration"] == 1 for condition in status["conditions"])


def test_proxies_are_counted_by_what_they_report(tollhouse: Installed, shop: str) -> None:
    revision = tollhouse.revision(shop)
    report = {"instance": "one", "revision": revision, "ready": True, "sessions": 0, "at": now()}
    report["matched"] = {"support-agents/read": {"enforced": 3}}
    as_proxy(tollhouse, shop, {"one": json.dumps(report), "two": json.dumps({**report, "revision": "old"})})
    tollhouse.until(
        lambda: (
            (tollhouse.get("connection", "orders-db", shop) or {})["status"]["proxies"]
            == {"ready": 2, "current": 1}
        ),
        "two ready, one current",
    )
    assert tollhouse.condition("connection", "orders-db", shop, "Ready")["status"] == "True"
    tollhouse.until(
        lambda: (
            (tollhouse.get("accesspolicy", "support-agents", shop) or {})["status"].get("matched")
            == {"read": {"enforced": 6}}
        ),
        "matches are summed up",
    )


def test_the_report_of_a_pod_that_is_gone_is_pruned(tollhouse: Installed, shop: str) -> None:
    report = {"instance": "x", "revision": "", "ready": True, "sessions": 0, "at": now()}
    as_proxy(
        tollhouse, shop, {"orders-db-proxy-abc-def": json.dumps(report), "own-process": json.dumps(report)}
    )
    tollhouse.until(
        lambda: (
            list((tollhouse.get("configmap", "orders-db-proxies", shop) or {}).get("data") or {})
            == ["own-process"]
        ),
        "only the process without a pod is left",
    )


@pytest.mark.parametrize(
    ("kind", "name", "change"),
    [
        ("deployment", "orders-db-proxy", {"spec": {"template": {"spec": {"hostNetwork": True}}}}),
        ("deployment", "orders-db-proxy", {"spec": {"replicas": 0}}),
        ("networkpolicy", "orders-db-proxy", {"spec": {"egress": [{}]}}),
        (
            "role",
            "orders-db-proxy",
            {"rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["*"]}]},
        ),
        ("service", "orders-db", {"spec": {"selector": {"app": "mine"}}}),
        ("serviceaccount", "orders-db-proxy", {"automountServiceAccountToken": True}),
        ("poddisruptionbudget", "orders-db-proxy", {"spec": {"maxUnavailable": "100%"}}),
        ("deployment", "orders-db-proxy", {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}}),
    ],
)
def test_what_somebody_changes_by_hand_is_put_right(
    tollhouse: Installed, shop: str, kind: str, name: str, change: dict[str, Any]
) -> None:
    before = content(tollhouse, kind, name, shop)
    tollhouse.plane.kubectl(
        "-n", shop, "patch", kind, name, "--type=merge", "-p", json.dumps(change), check=True
    )
    tollhouse.until(lambda: content(tollhouse, kind, name, shop) == before, "it is as it was")


def test_a_container_that_somebody_adds_is_taken_out(tollhouse: Installed, shop: str) -> None:
    change = [
        {"op": "add", "path": "/spec/template/spec/containers/-", "value": {"name": "spy", "image": "spy"}},
        {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "other"},
    ]
    tollhouse.plane.kubectl(
        "-n",
        shop,
        "patch",
        "deployment",
        "orders-db-proxy",
        "--type=json",
        "-p",
        json.dumps(change),
        check=True,
    )
    tollhouse.until(lambda: images(tollhouse, shop) == ["tollhouse/proxy:test"], "one container, ours")


def test_a_rollout_that_somebody_asks_for_goes_on(tollhouse: Installed, shop: str) -> None:
    tollhouse.plane.kubectl("-n", shop, "rollout", "restart", "deployment/orders-db-proxy", check=True)
    # The next change makes the operator look again; it must not undo the restart.
    tollhouse.plane.kubectl("-n", shop, "scale", "deployment/orders-db-proxy", "--replicas=7", check=True)
    tollhouse.until(
        lambda: (tollhouse.get("deployment", "orders-db-proxy", shop) or {})["spec"]["replicas"] == 2,
        "2 again",
    )
    found = tollhouse.get("deployment", "orders-db-proxy", shop) or {}
    assert "kubectl.kubernetes.io/restartedAt" in found["spec"]["template"]["metadata"]["annotations"]


@pytest.mark.parametrize(("kind", "name"), [one for one in OWNED if one[0] not in {"secret", "configmap"}])
def test_what_somebody_deletes_comes_back(tollhouse: Installed, shop: str, kind: str, name: str) -> None:
    tollhouse.plane.kubectl("-n", shop, "delete", kind, name, "--wait=false", check=True)
    tollhouse.until(lambda: tollhouse.get(kind, name, shop), "it is back")


def test_nothing_is_written_when_nothing_changed(tollhouse: Installed, shop: str) -> None:
    tollhouse.until(partial(settled, tollhouse, shop), "all that the operator has to say is written")
    before = versions(tollhouse, shop)
    tollhouse.stop()
    tollhouse.start()
    # A second Connection comes to be after the operator has looked at the first one again.
    tollhouse.plane.apply(connection(shop, "second"))
    tollhouse.until(
        lambda: tollhouse.condition("connection", "second", shop, "Stalled"), "the second has a status"
    )
    assert versions(tollhouse, shop) == before


def test_somebody_elses_service_is_left_alone(tollhouse: Installed) -> None:
    namespace = tollhouse.plane.namespace("taken")
    tollhouse.plane.kubectl(
        "-n", namespace, "create", "service", "clusterip", "orders-db", "--tcp=80", check=True
    )
    tollhouse.plane.apply(connection(namespace))
    stalled = tollhouse.until(
        lambda: held(tollhouse.condition("connection", "orders-db", namespace, "Stalled")), "it is stalled"
    )
    assert stalled["reason"] == "NameTaken"
    assert "Service orders-db is there already" in stalled["message"]
    ports = (tollhouse.get("service", "orders-db", namespace) or {})["spec"]["ports"]
    assert [port["port"] for port in ports] == [80]


def test_a_bundle_is_not_for_others_to_write(tollhouse: Installed, shop: str) -> None:
    change = json.dumps({"data": {"bundle.json": "{}"}})
    for user in ("admin", "alice"):
        done = tollhouse.plane.kubectl(
            "-n", shop, "patch", "configmap", "orders-db-bundle", "--type=merge", "-p", change, "--as", user,
            "--as-group", "system:masters",
        )  # fmt: skip
        assert done.returncode != 0
        assert "ConfigMap orders-db-bundle is written by Tollhouse alone" in done.stderr


def test_the_serving_certificate_is_for_the_service_and_from_the_published_authority(
    tollhouse: Installed, shop: str
) -> None:
    secret = tollhouse.until(lambda: tollhouse.get("secret", "orders-db-tls", shop), "the Secret is there")
    authority = tollhouse.until(lambda: tollhouse.get("configmap", "orders-db-ca", shop), "the authority")
    certificate = x509.load_pem_x509_certificate(base64.b64decode(secret["data"]["tls.crt"]))
    certificate.verify_directly_issued_by(
        x509.load_pem_x509_certificate(authority["data"]["ca.crt"].encode())
    )
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert f"orders-db.{shop}.svc" in names.get_values_for_type(x509.DNSName)
    assert "PUBLIC KEY" in authority["data"]["audit.pub"]


def test_all_connections_have_one_authority(tollhouse: Installed, shop: str) -> None:
    other = tollhouse.shop()
    found = [
        tollhouse.until(partial(tollhouse.get, "configmap", "orders-db-ca", ns), "ca") for ns in (shop, other)
    ]
    assert found[0]["data"]["ca.crt"] == found[1]["data"]["ca.crt"]
    assert tollhouse.get("secret", "tollhouse-authority", NAMESPACE) is not None


def test_no_key_is_ever_logged(tollhouse: Installed, shop: str) -> None:
    for name in ("orders-db-tls", "orders-db-audit-key", "orders-db-mask-key"):
        secret = tollhouse.until(partial(tollhouse.get, "secret", name, shop), name)
        for key, value in secret["data"].items():
            if key in {"ca.crt", "tls.crt", "public.pem"}:
                continue
            for line in base64.b64decode(value).decode().splitlines():
                assert "PRIVATE" in line or line not in tollhouse.log


def test_every_policy_edit_reaches_the_bundle(tollhouse: Installed, shop: str) -> None:
    for number in range(20):
        body = json.dumps({"spec": {"rules": access_policy(shop, tables=(f"t{number}",))["spec"]["rules"]}})
        tollhouse.plane.kubectl(
            "-n", shop, "patch", "accesspolicy", "support-agents", "--type=merge", "-p", body, check=True
        )
        tollhouse.until(lambda name=f"t{number}": name in bundle_text(tollhouse, shop), "the edit is there")


def test_deleting_a_policy_takes_it_out_of_the_bundle(tollhouse: Installed, shop: str) -> None:
    assert "support-agents" in bundle_text(tollhouse, shop)
    tollhouse.plane.kubectl("-n", shop, "delete", "accesspolicy", "support-agents", check=True)
    tollhouse.until(lambda: "support-agents" not in bundle_text(tollhouse, shop), "it is out")
    tollhouse.until(
        lambda: (
            "every operation is refused"
            in tollhouse.condition("connection", "orders-db", shop, "PoliciesCompiled")["message"]
        ),
        "the status says that nothing is allowed",
    )


def test_labels_of_a_connection_decide_what_selects_it(tollhouse: Installed, shop: str) -> None:
    selection = {"selector": {"matchLabels": {"tier": "gold"}}}
    tollhouse.plane.apply(access_policy(shop, "gold", tables=("ingots",), connections=selection))
    tollhouse.until(
        lambda: tollhouse.condition("accesspolicy", "gold", shop, "Ready").get("reason") == "SelectsNothing",
        "it selects nothing",
    )
    assert "ingots" not in bundle_text(tollhouse, shop)
    tollhouse.plane.kubectl(
        "-n", shop, "label", "connection", "orders-db", "tier=gold", "--overwrite", check=True
    )
    tollhouse.until(lambda: "ingots" in bundle_text(tollhouse, shop), "it is in the bundle")
    tollhouse.plane.kubectl("-n", shop, "label", "connection", "orders-db", "tier-", check=True)
    tollhouse.until(lambda: "ingots" not in bundle_text(tollhouse, shop), "it is out again")


def test_a_bad_policy_holds_back_its_own_connection_only(tollhouse: Installed, shop: str) -> None:
    tollhouse.plane.apply(connection(shop, "other-db"))
    tollhouse.until(lambda: tollhouse.revision(shop, "other-db"), "the other bundle is there")
    before = tollhouse.revision(shop)
    with unguarded(tollhouse):
        tollhouse.plane.apply(access_policy(shop, "bad", when="operation.nonsense > 1"))
    stalled = tollhouse.until(
        lambda: held(tollhouse.condition("accesspolicy", "bad", shop, "Stalled")), "the policy is stalled"
    )
    assert stalled["reason"] == "PoliciesNotCompiled"
    assert "spec.rules[0].when" in stalled["message"]
    told = tollhouse.until(
        lambda: held(tollhouse.condition("connection", "orders-db", shop, "Stalled")), "its Connection too"
    )
    assert f"AccessPolicy {shop}/bad: spec.rules[0].when" in told["message"]
    tollhouse.until(lambda: "PoliciesNotCompiled" in events(tollhouse, shop, "bad"), "an Event tells of it")
    assert tollhouse.revision(shop) == before
    assert not held(tollhouse.condition("accesspolicy", "support-agents", shop, "Stalled"))

    only_other = access_policy(shop, "fine", tables=("coins",), connections={"names": ["other-db"]})
    tollhouse.plane.apply(only_other)
    tollhouse.until(lambda: "coins" in bundle_text(tollhouse, shop, "other-db"), "the other one goes on")

    tollhouse.plane.kubectl("-n", shop, "delete", "accesspolicy", "bad", check=True)
    tollhouse.plane.apply(access_policy(shop, tables=("crowns",)))
    tollhouse.until(lambda: "crowns" in bundle_text(tollhouse, shop), "all is well again")
    tollhouse.until(
        lambda: not held(tollhouse.condition("connection", "orders-db", shop, "Stalled")), "stalled no more"
    )


def revocation(namespace: str | None, entry: dict[str, Any], name: str = "out") -> dict[str, Any]:
    where = {"namespace": namespace} if namespace else {}
    return {
        "apiVersion": "tollhouse.dev/v1alpha1",
        "kind": "Revocation" if namespace else "ClusterRevocation",
        "metadata": {"name": name, **where},
        "spec": {"reason": "laptop stolen", "revoke": [entry]},
    }


def revoked(tollhouse: Installed, shop: str) -> list[str]:
    found = json.loads(bundle_text(tollhouse, shop)).get("revocations", [])
    return [str(one["metadata"]["name"]) for one in found]


def _accepted(tollhouse: Installed, kind: str, name: str, shop: str) -> bool:
    return held(tollhouse.condition(kind, name, shop, "Ready"))


def test_a_revocation_is_in_the_bundle_while_it_is_there_and_goes_with_its_object(
    tollhouse: Installed, shop: str
) -> None:
    for namespace, kind in ((shop, "revocation"), (None, "clusterrevocation")):
        name = f"out-{shop}"
        tollhouse.plane.apply(revocation(namespace, {"user": "ann"}, name=name))
        try:
            tollhouse.until(lambda: revoked(tollhouse, shop), "it is in the bundle")
            tollhouse.until(partial(_accepted, tollhouse, kind, name, shop), "it is accepted")
        finally:
            # A ClusterRevocation that stays would be in every other test's bundles.
            tollhouse.plane.kubectl("-n", shop, "delete", kind, name, check=True)
        tollhouse.until(lambda: not revoked(tollhouse, shop), "it is out of the bundle")


def test_a_policy_that_does_not_compile_keeps_nobody_in_who_is_revoked(
    tollhouse: Installed, shop: str
) -> None:
    with unguarded(tollhouse):
        tollhouse.plane.apply(access_policy(shop, "bad", when="operation.nonsense > 1"))
    tollhouse.until(
        lambda: held(tollhouse.condition("connection", "orders-db", shop, "Stalled")), "it is stalled"
    )
    before = tollhouse.revision(shop)
    tollhouse.plane.apply(revocation(shop, {"user": "ann"}))
    tollhouse.until(lambda: revoked(tollhouse, shop) == ["out"], "it is in the bundle")
    assert "support-agents" in bundle_text(tollhouse, shop)
    assert tollhouse.revision(shop) != before
    tollhouse.plane.kubectl("-n", shop, "delete", "revocation", "out", check=True)
    tollhouse.until(lambda: tollhouse.revision(shop) == before, "it is as it was")


def test_a_revocation_that_says_nothing_is_not_stored(tollhouse: Installed, shop: str) -> None:
    for entry in ({}, {"user": "a", "group": "b"}, {"tokenId": "t", "issuedBefore": "2030-01-01T00:00:00Z"}):
        with pytest.raises(AssertionError, match=r"Invalid value|denied the request"):
            tollhouse.plane.apply(revocation(shop, entry))


def test_a_connection_that_names_a_missing_provider_says_so_and_recovers(tollhouse: Installed) -> None:
    namespace = tollhouse.plane.namespace("later")
    provider = f"idp-{namespace}"
    tollhouse.plane.apply(connection(namespace, identity={"providers": [provider]}))
    stalled = tollhouse.until(
        lambda: held(tollhouse.condition("connection", "orders-db", namespace, "Stalled")), "it is stalled"
    )
    assert f"there is no IdentityProvider {provider}" in stalled["message"]
    tollhouse.plane.apply(
        {
            "apiVersion": "tollhouse.dev/v1alpha1",
            "kind": "IdentityProvider",
            "metadata": {"name": provider},
            "spec": {"oidc": {"issuer": "https://issuer.example.test:8443/realm"}},
        }
    )
    tollhouse.until(lambda: tollhouse.bundle(namespace), "the bundle is there")
    tollhouse.until(
        lambda: 8443 in egress_ports(tollhouse, namespace), "the network policy lets proxies reach the issuer"
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"when": "operation.nonsense > 1"}, "spec.rules[0].when"),
        ({"when": "1 +"}, "spec.rules[0].when"),
        (
            {"allow": {"sql": {"access": ["Select"], "tables": ["a.b.c.d"]}}},
            "spec.rules[0].allow.sql.tables[0]",
        ),
        (
            {"allow": None, "filter": {"tables": ["orders"], "where": "tenant = = 1"}},
            "spec.rules[0].filter.where",
        ),
    ],
)
def test_a_policy_that_does_not_compile_is_not_stored(
    tollhouse: Installed, shop: str, change: dict[str, Any], says: str
) -> None:
    for connections in ({"names": ["orders-db"]}, {"names": ["not-there-yet"]}):
        document = access_policy(shop, "refused", connections=connections)
        rule = document["spec"]["rules"][0]
        document["spec"]["rules"][0] = {k: v for k, v in {**rule, **change}.items() if v is not None}
        done = tollhouse.plane.kubectl("apply", "-f", "-", input=json.dumps(document))
        assert done.returncode != 0
        assert says in done.stderr
    assert tollhouse.get("accesspolicy", "refused", shop) is None


class unguarded:
    """Policies are stored unchecked for a while, as if they were older than the webhook."""

    def __init__(self, tollhouse: Installed) -> None:
        self._tollhouse = tollhouse

    def __enter__(self) -> None:
        self._rules([])

    def __exit__(self, *_: object) -> None:
        self._rules(["connections", "accesspolicies", "auditsinks", "identityproviders"])

    def _rules(self, kinds: list[str]) -> None:
        rule = {
            "apiGroups": ["tollhouse.dev"],
            "apiVersions": ["v1alpha1"],
            "operations": ["CREATE", "UPDATE"],
        }
        rules = [{**rule, "resources": kinds}] if kinds else []
        change = [{"op": "replace", "path": "/webhooks/0/rules", "value": rules}]
        plane = self._tollhouse.plane
        plane.kubectl(
            "patch",
            "validatingwebhookconfiguration",
            "tollhouse",
            "--type=json",
            "-p",
            json.dumps(change),
            check=True,
        )
        self._tollhouse.until(lambda: self._asked() == bool(kinds), "the API server has noticed")

    def _asked(self) -> bool:
        document = access_policy("default", "probe", when="nonsense")
        done = self._tollhouse.plane.kubectl(
            "apply", "--dry-run=server", "-f", "-", input=json.dumps(document)
        )
        return done.returncode != 0


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())


def as_proxy(tollhouse: Installed, namespace: str, data: dict[str, str]) -> None:
    tollhouse.plane.kubectl(
        "-n", namespace, "patch", "configmap", "orders-db-proxies", "--type=merge",
        "-p", json.dumps({"data": data}),
        "--as", f"system:serviceaccount:{namespace}:orders-db-proxy", check=True,
    )  # fmt: skip


def content(tollhouse: Installed, kind: str, name: str, namespace: str) -> dict[str, Any]:
    """What the operator decides about an object."""
    found = tollhouse.get(kind, name, namespace) or {}
    kept = {key: found.get(key) for key in ("spec", "rules", "subjects", "automountServiceAccountToken")}
    return {**kept, "labels": (found.get("metadata") or {}).get("labels")}


def settled(tollhouse: Installed, namespace: str) -> bool:
    """Whether the statuses tell of the bundle that is there, and that its objects are made."""
    status = (tollhouse.get("connection", "orders-db", namespace) or {}).get("status") or {}
    ready = tollhouse.condition("connection", "orders-db", namespace, "Ready")
    return (
        status.get("revision") == tollhouse.revision(namespace)
        and status.get("policies") == 1
        and ready.get("reason") == "ProxiesNotReady"
        and bool(tollhouse.condition("accesspolicy", "support-agents", namespace, "Ready"))
        and all(tollhouse.get(kind, name, namespace) for kind, name in OWNED)
    )


def versions(tollhouse: Installed, namespace: str) -> dict[str, str]:
    return {
        f"{kind} {name}": (tollhouse.get(kind, name, namespace) or {})["metadata"]["resourceVersion"]
        for kind, name in (*OWNED, ("connection", "orders-db"), ("accesspolicy", "support-agents"))
    }


def images(tollhouse: Installed, namespace: str) -> list[str]:
    found = tollhouse.get("deployment", "orders-db-proxy", namespace) or {}
    return [container["image"] for container in found["spec"]["template"]["spec"]["containers"]]


def bundle_text(tollhouse: Installed, namespace: str, name: str = "orders-db") -> str:
    return str((tollhouse.bundle(namespace, name) or {})["data"]["bundle.json"])


def egress_ports(tollhouse: Installed, namespace: str) -> list[int]:
    found = tollhouse.get("networkpolicy", "orders-db-proxy", namespace) or {}
    return [port["port"] for rule in found["spec"]["egress"] for port in rule.get("ports") or []]


def events(tollhouse: Installed, namespace: str, about: str) -> str:
    done = tollhouse.plane.kubectl(
        "-n", namespace, "get", "events", "--field-selector", f"involvedObject.name={about}", check=True
    )
    return done.stdout


def held(condition: dict[str, Any]) -> dict[str, Any]:
    return condition if condition.get("status") == "True" else {}

"""The chart: what it renders, and that its CRDs are the generated ones."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from kit.kube_programs import helm_program

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "tollhouse"


def template(*settings: str, api: str = "") -> list[dict[str, Any]]:
    words = [word for setting in settings for word in ("--set-json", setting)]
    if api:
        words += ["--api-versions", api]
    done = run("template", "tollhouse", str(CHART), "--namespace", "system", *words)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(helm_program()), *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def of_kind(documents: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [document for document in documents if document["kind"] == kind]


def test_its_crds_are_the_generated_ones() -> None:
    generated = {path.name: path.read_bytes() for path in (ROOT / "crds").glob("*.yaml")}
    copied = {path.name: path.read_bytes() for path in (CHART / "files" / "crds").glob("*.yaml")}
    assert generated == copied, "run: cp crds/*.yaml charts/tollhouse/files/crds/"


def test_crds_are_rendered_as_they_are_and_stay_when_the_chart_goes() -> None:
    rendered = {crd["metadata"]["name"]: crd for crd in of_kind(template(), "CustomResourceDefinition")}
    for path in (ROOT / "crds").glob("*.yaml"):
        generated = yaml.safe_load(path.read_text())
        made = rendered[generated["metadata"]["name"]]
        assert made["spec"] == generated["spec"]
        assert made["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert not of_kind(template("crds.install=false"), "CustomResourceDefinition")


V1 = "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy"


@pytest.mark.parametrize(
    ("votes", "api", "policies"),
    [("auto", "", False), ("auto", V1, True), ("policies", "", True), ("webhook", V1, False)],
)
def test_votes_are_fenced_where_the_api_server_can_or_by_the_webhook(
    votes: str, api: str, policies: bool
) -> None:
    documents = template(f'admission.votes="{votes}"', api=api)
    assert bool(of_kind(documents, "MutatingAdmissionPolicy")) is policies
    assert bool(of_kind(documents, "MutatingWebhookConfiguration")) is not policies
    (operator,) = of_kind(documents, "Deployment")
    environment = operator["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "TOLLHOUSE_VOTES", "value": "policies" if policies else "webhook"} in environment


def test_every_policy_is_bound_and_fails_closed() -> None:
    documents = template('admission.votes="policies"')
    for kind in ("MutatingAdmissionPolicy", "ValidatingAdmissionPolicy"):
        policies = of_kind(documents, kind)
        bound = {binding["spec"]["policyName"] for binding in of_kind(documents, f"{kind}Binding")}
        assert {policy["metadata"]["name"] for policy in policies} == bound
        assert all(policy["spec"]["failurePolicy"] == "Fail" for policy in policies)
    for binding in of_kind(documents, "ValidatingAdmissionPolicyBinding"):
        assert binding["spec"]["validationActions"] == ["Deny"]


def test_the_operators_pod_holds_to_the_restricted_standard() -> None:
    (operator,) = of_kind(template(), "Deployment")
    pod = operator["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_no_role_has_a_wildcard_and_none_lists_secrets() -> None:
    documents = template()
    for role in [*of_kind(documents, "ClusterRole"), *of_kind(documents, "Role")]:
        for rule in role["rules"]:
            assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
            if "secrets" in rule["resources"]:
                assert not {"list", "watch", "delete"} & set(rule["verbs"])


def test_one_namespace_needs_no_rights_on_the_others() -> None:
    documents = template('watchNamespaces=["shop"]')
    bound = {binding["roleRef"]["name"] for binding in of_kind(documents, "ClusterRoleBinding")}
    assert bound == {"tollhouse-operator-cluster"}
    assert [binding["metadata"]["namespace"] for binding in of_kind(documents, "RoleBinding")] == [
        "shop",
        "system",
    ]


@pytest.mark.parametrize(
    "setting",
    [
        'admission.votes="both"',
        "proxy.drainSeconds=-1",
        'nonsense="x"',
        'admission.url="http://plain.example.test"',
        "operator.userId=0",
    ],
)
def test_a_value_that_makes_no_sense_is_refused(setting: str) -> None:
    done = run("template", "tollhouse", str(CHART), "--set-json", setting)
    assert done.returncode != 0
    assert "values don't meet the specifications of the schema" in done.stderr


def test_the_schema_knows_every_value() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for name, value in values.items():
        assert name in schema["properties"]
        if isinstance(value, dict):
            assert set(value) <= set(schema["properties"][name]["properties"])


def test_only_a_chart_that_is_told_so_lets_proxies_review_tokens() -> None:
    def named(documents: list[dict[str, Any]]) -> list[str]:
        return [one["metadata"]["name"] for one in documents if "token-review" in one["metadata"]["name"]]

    assert not named(template())
    assert not any("tokenreviews" in json.dumps(one) for one in of_kind(template(), "ClusterRole"))
    documents = template("tokenReview.enabled=true")
    assert len(named(documents)) == 4
    bindings = {one["metadata"]["name"]: one for one in of_kind(documents, "ClusterRoleBinding")}
    assert "subjects" not in bindings["tollhouse-operator-token-reviewers"]


def test_the_token_endpoint_is_there_only_where_it_is_wanted() -> None:
    assert "tollhouse-tokens" not in json.dumps(template())
    documents = template("tokens.enabled=true", 'tokens.secrets=["corp-ca"]', 'watchNamespaces=["shop"]')
    service = next(
        one for one in of_kind(documents, "Service") if one["metadata"]["name"] == "tollhouse-tokens"
    )
    assert service["spec"]["ports"][0]["targetPort"] == "tokens"
    container = of_kind(documents, "Deployment")[0]["spec"]["template"]["spec"]["containers"][0]
    environment = {one["name"]: one.get("value") for one in container["env"]}
    assert environment["TOLLHOUSE_TOKENS_ISSUER"] == "https://tollhouse-tokens.system.svc"
    assert {"name": "tokens", "containerPort": 8443} in container["ports"]
    roles = {one["metadata"]["name"]: one for one in of_kind(documents, "Role")}
    (leases,) = roles["tollhouse-operator-used-assertions"]["rules"]
    assert (leases["resources"], leases["verbs"]) == (["leases"], ["create", "list", "delete"])
    role = roles["tollhouse-operator-authority"]
    named = {name for rule in role["rules"] for name in rule.get("resourceNames", ())}
    assert named == {"tollhouse-authority", "tollhouse-token-keys", "corp-ca"}

"""What a stolen token of Tollhouse's own ServiceAccounts is tried with, and the words of each refusal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from real.operator.installed import NAMESPACE

RBAC = "/apis/rbac.authorization.k8s.io/v1"
OURS = "/apis/tollhouse.dev/v1alpha1"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
EVERYTHING = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
VERBS = {"GET": "get", "POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}


@dataclass(frozen=True, slots=True)
class Try:
    """A call. `on` is the resource in RBAC's words, `verb` RBAC's where the method does not say it.

    In paths {here} is the Connection's namespace, {there} another one, {request} and {foreign} are requests
    of the own Connection and of billing-db beside it. says: other words than RBAC's.
    """

    method: str
    path: str
    on: str
    body: Any = None
    verb: str = ""
    says: str = ""

    @property
    def name(self) -> str:
        """For the test's report."""
        return f"{self.verb or VERBS[self.method]} {self.path}"

    @property
    def words(self) -> str:
        """What the refusal says."""
        return self.says or f'cannot {self.verb or VERBS[self.method]} resource "{self.on}"'


def _role(name: str, rules: Any = None) -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": name},
        "rules": rules,
    }


def _binding(kind: str, role: str) -> dict[str, Any]:
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": kind,
        "metadata": {"name": "mine"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "User", "apiGroup": group, "name": "{me}"}],
    }


_POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "spy"},
    "spec": {"serviceAccountName": "billing-db-proxy", "containers": [{"name": "spy", "image": "spy"}]},
}
_CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine"}}
_AUTHENTICATION = "authentication.k8s.io/v1"
_TOKEN = {"apiVersion": _AUTHENTICATION, "kind": "TokenRequest", "spec": {"audiences": ["tollhouse"]}}
_REVIEW = {"apiVersion": _AUTHENTICATION, "kind": "TokenReview", "spec": {"token": "x"}}
_VOTE = {"spec": {"decision": "Approved"}}
_FENCE = ADMISSION + "/validatingadmissionpolicies/tollhouse-votes-fence"
CORE_HERE, CORE_THERE = "/api/v1/namespaces/{here}", "/api/v1/namespaces/{there}"
HERE, THERE = OURS + "/namespaces/{here}", OURS + "/namespaces/{there}"
_BUNDLE = {"data": {"bundle.json": "{}"}}

BY_PROXY = (
    Try("GET", CORE_THERE + "/secrets/orders-db-login", "secrets"),
    Try("GET", CORE_HERE + "/secrets", "secrets", verb="list"),
    Try("GET", CORE_HERE + "/secrets/billing-login", "secrets"),
    Try("GET", CORE_HERE + "/secrets/orders-db-audit-key", "secrets"),
    Try("GET", CORE_HERE + "/secrets/orders-db-mask-key", "secrets"),
    Try("GET", f"/api/v1/namespaces/{NAMESPACE}/secrets/tollhouse-authority", "secrets"),
    Try("PATCH", CORE_HERE + "/secrets/orders-db-login", "secrets", {"data": {}}),
    Try("GET", CORE_HERE + "/configmaps", "configmaps", verb="list"),
    Try("GET", CORE_HERE + "/configmaps/billing-db-bundle", "configmaps"),
    Try("GET", CORE_THERE + "/configmaps/orders-db-bundle", "configmaps"),
    Try("PATCH", CORE_HERE + "/configmaps/orders-db-bundle", "configmaps", _BUNDLE),
    Try("PATCH", CORE_HERE + "/configmaps/billing-db-proxies", "configmaps", {"data": {"x": "{}"}}),
    Try("PUT", CORE_HERE + "/configmaps/orders-db-proxies", "configmaps", _CONFIG_MAP),
    Try("DELETE", CORE_HERE + "/configmaps/orders-db-bundle", "configmaps"),
    Try("POST", CORE_HERE + "/configmaps", "configmaps", _CONFIG_MAP),
    Try("GET", THERE + "/approvalrequests", "approvalrequests", verb="list"),
    Try("POST", THERE + "/approvalrequests", "approvalrequests", {"REQUEST": "orders-db"}),
    Try("POST", HERE + "/approvalrequests", "", {"REQUEST": "billing-db"},
        says="{me} is not the proxy of Connection billing-db"),
    Try("PATCH", HERE + "/approvalrequests/{request}", "approvalrequests", _VOTE),
    Try("PATCH", HERE + "/approvalrequests/{foreign}", "approvalrequests", _VOTE),
    Try("DELETE", HERE + "/approvalrequests/{foreign}", "approvalrequests"),
    Try("DELETE", HERE + "/approvalrequests", "approvalrequests", verb="deletecollection"),
    Try("PUT", HERE + "/approvalrequests/{foreign}/status", "approvalrequests/status",
        {"REQUEST": "billing-db"}),
    Try("PATCH", HERE + "/approvalrequests/{foreign}/status", "", {"status": {"phase": "Approved"}},
        says="the status of a request is written by its proxy and the operator, not by {me}"),
    Try("GET", HERE + "/connections/orders-db", "connections"),
    Try("PATCH", HERE + "/connections/orders-db", "connections", {"spec": {"session": {}}}),
    Try("PATCH", HERE + "/connections/orders-db/status", "connections/status", {"status": {}}),
    Try("PATCH", HERE + "/accesspolicies/support-agents", "accesspolicies", {"spec": {"rules": []}}),
    Try("POST", HERE + "/accesspolicies", "accesspolicies", {}),
    Try("GET", HERE + "/revocations", "revocations", verb="list"),
    Try("DELETE", HERE + "/revocations/any", "revocations"),
    Try("GET", OURS + "/identityproviders", "identityproviders", verb="list"),
    Try("GET", CORE_HERE + "/pods", "pods", verb="list"),
    Try("POST", CORE_HERE + "/pods", "pods", _POD),
    Try("POST", CORE_HERE + "/pods/any/exec?command=id", "pods/exec"),
    Try("GET", CORE_HERE + "/pods/any/log", "pods/log"),
    Try("PATCH", "/apis/apps/v1/namespaces/{here}/deployments/orders-db-proxy", "deployments", {"spec": {}}),
    Try("POST", CORE_HERE + "/serviceaccounts/orders-db-proxy/token", "serviceaccounts/token", _TOKEN),
    Try("POST", CORE_HERE + "/serviceaccounts/billing-db-proxy/token", "serviceaccounts/token", _TOKEN),
    Try("PATCH", RBAC + "/namespaces/{here}/roles/orders-db-proxy", "roles", {"rules": EVERYTHING}),
    Try("POST", RBAC + "/namespaces/{here}/roles", "roles", _role("mine", EVERYTHING)),
    Try("POST", RBAC + "/namespaces/{here}/rolebindings", "rolebindings",
        _binding("RoleBinding", "tollhouse-approver")),
    Try("POST", RBAC + "/clusterrolebindings", "clusterrolebindings",
        _binding("ClusterRoleBinding", "cluster-admin")),
    Try("POST", "/apis/authentication.k8s.io/v1/tokenreviews", "tokenreviews", _REVIEW),
    Try("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", "subjectaccessreviews",
        {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {"user": "x"}}),
    Try("DELETE", _FENCE, "validatingadmissionpolicies"),
    Try("GET", "/api/v1/namespaces", "namespaces", verb="list"),
    Try("GET", "/api/v1/nodes", "nodes", verb="list"),
)  # fmt: skip

BY_OPERATOR = (
    Try("GET", CORE_HERE + "/secrets", "secrets", verb="list"),
    Try("GET", "/api/v1/secrets?watch=true", "secrets", verb="watch"),
    Try("DELETE", CORE_HERE + "/secrets/orders-db-login", "secrets"),
    Try("POST", CORE_HERE + "/pods", "pods", _POD),
    Try("POST", CORE_HERE + "/pods/any/exec?command=id", "pods/exec"),
    Try("DELETE", "/apis/apps/v1/namespaces/{here}/deployments/orders-db-proxy", "deployments"),
    Try("POST", RBAC + "/clusterroles", "clusterroles", {**_role("mine", EVERYTHING), "kind": "ClusterRole"}),
    Try("POST", RBAC + "/clusterrolebindings", "clusterrolebindings",
        _binding("ClusterRoleBinding", "cluster-admin")),
    Try("POST", RBAC + "/namespaces/{here}/roles", "", _role("mine", EVERYTHING),
        says="is attempting to grant RBAC permissions not currently held"),
    Try("POST", RBAC + "/namespaces/{here}/rolebindings", "", _binding("RoleBinding", "cluster-admin"),
        says="is attempting to grant RBAC permissions not currently held"),
    Try("POST", RBAC + "/namespaces/{here}/rolebindings", "", _binding("RoleBinding", "tollhouse-approver"),
        says="is attempting to grant RBAC permissions not currently held"),
    Try("POST", CORE_HERE + "/serviceaccounts/orders-db-proxy/token", "serviceaccounts/token", _TOKEN),
    Try("PATCH", HERE + "/accesspolicies/support-agents", "accesspolicies", {"spec": {"rules": []}}),
    Try("PATCH", HERE + "/connections/orders-db", "connections", {"spec": {"session": {}}}),
    Try("PATCH", HERE + "/approvalrequests/{request}", "approvalrequests", _VOTE),
    Try("POST", HERE + "/approvalrequests", "", {"REQUEST": "orders-db"},
        says="{me} is not the proxy of Connection orders-db"),
    Try("PATCH", ADMISSION + "/validatingwebhookconfigurations/other", "validatingwebhookconfigurations", {}),
    Try("DELETE", _FENCE, "validatingadmissionpolicies"),
)  # fmt: skip

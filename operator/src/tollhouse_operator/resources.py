"""The kinds of objects the operator deals with."""

from __future__ import annotations

from tollhouse_operator.cluster import Resource

GROUP = "tollhouse.dev"
VERSION = "v1alpha1"
_OURS = f"{GROUP}/{VERSION}"

CONNECTIONS = Resource(_OURS, "connections")
ACCESS_POLICIES = Resource(_OURS, "accesspolicies")
APPROVAL_REQUESTS = Resource(_OURS, "approvalrequests")
IDENTITY_PROVIDERS = Resource(_OURS, "identityproviders", namespaced=False)
AUDIT_SINKS = Resource(_OURS, "auditsinks")
REVOCATIONS = Resource(_OURS, "revocations")
CLUSTER_REVOCATIONS = Resource(_OURS, "clusterrevocations", namespaced=False)

CONFIG_MAPS = Resource("v1", "configmaps")
SECRETS = Resource("v1", "secrets")
SERVICES = Resource("v1", "services")
LEASES = Resource("coordination.k8s.io/v1", "leases")
SERVICE_ACCOUNTS = Resource("v1", "serviceaccounts")
PODS = Resource("v1", "pods")
EVENTS = Resource("events.k8s.io/v1", "events")
DEPLOYMENTS = Resource("apps/v1", "deployments")
ROLES = Resource("rbac.authorization.k8s.io/v1", "roles")
ROLE_BINDINGS = Resource("rbac.authorization.k8s.io/v1", "rolebindings")
CLUSTER_ROLE_BINDINGS = Resource("rbac.authorization.k8s.io/v1", "clusterrolebindings", namespaced=False)
NETWORK_POLICIES = Resource("networking.k8s.io/v1", "networkpolicies")
DISRUPTION_BUDGETS = Resource("policy/v1", "poddisruptionbudgets")
VALIDATING_WEBHOOKS = Resource(
    "admissionregistration.k8s.io/v1", "validatingwebhookconfigurations", namespaced=False
)
MUTATING_WEBHOOKS = Resource(
    "admissionregistration.k8s.io/v1", "mutatingwebhookconfigurations", namespaced=False
)

BY_KIND = {
    "ConfigMap": CONFIG_MAPS,
    "Secret": SECRETS,
    "Service": SERVICES,
    "ServiceAccount": SERVICE_ACCOUNTS,
    "Deployment": DEPLOYMENTS,
    "Role": ROLES,
    "RoleBinding": ROLE_BINDINGS,
    "NetworkPolicy": NETWORK_POLICIES,
    "PodDisruptionBudget": DISRUPTION_BUDGETS,
}
"""The kinds a Connection may own."""

"""Connections, policies, identities and operations for tests, in as few words as possible."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import yaml

from tollhouse_core.api import parse_object
from tollhouse_core.api.access_policy import AccessPolicy
from tollhouse_core.api.connection import Connection
from tollhouse_core.api.problems import Problem
from tollhouse_core.identity import Identity, OnBehalfOf, Proof, ServiceAccountName, Session
from tollhouse_core.operation import Access, AccessKind, Operation, Path, Resource, Verb
from tollhouse_core.policy.bundle import PolicyBundle, build_bundle
from tollhouse_dialects import LANGUAGES

NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)

_VERBS = {
    "Select": Verb.READ,
    "Insert": Verb.WRITE,
    "Update": Verb.WRITE,
    "Delete": Verb.DELETE,
    "Truncate": Verb.DELETE,
}


def connection_of(
    spec: str = "", *, name: str = "orders-db", labels: dict[str, str] | None = None
) -> Connection:
    """A PostgreSQL Connection in namespace shop; `spec` is further YAML of its spec."""
    document = {
        "apiVersion": "tollhouse.dev/v1alpha1",
        "kind": "Connection",
        "metadata": {"name": name, "namespace": "shop", "labels": labels or {}},
        "spec": {
            "postgres": {"host": "orders.internal", "database": "orders"},
            "credentials": {"secretRef": {"name": name}},
            **(yaml.safe_load(spec) or {}),
        },
    }
    parsed = parse_object(document)
    assert isinstance(parsed, Connection)
    return parsed


def policy_of(
    rules: str | list[dict[str, Any]],
    *,
    name: str = "agents",
    exempt: list[dict[str, Any]] | None = None,
    **spec: Any,
) -> AccessPolicy:
    """A policy for everybody on orders-db, from YAML rules; rules without a name get one. `exempt`
    is the policy's `except`."""
    listed = yaml.safe_load(rules) if isinstance(rules, str) else rules
    document = {
        "apiVersion": "tollhouse.dev/v1alpha1",
        "kind": "AccessPolicy",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "connections": {"names": ["orders-db"]},
            "subjects": [{"authenticated": {}}],
            **({"except": exempt} if exempt else {}),
            **spec,
            "rules": [{"name": f"rule-{index}", **rule} for index, rule in enumerate(listed)],
        },
    }
    parsed = parse_object(document)
    assert isinstance(parsed, AccessPolicy)
    return parsed


def bundle_of(*rules: str | AccessPolicy, connection: Connection | None = None) -> PolicyBundle:
    """A bundle of policies, or of YAML rules (one policy each)."""
    policies = [
        each
        if isinstance(each, AccessPolicy)
        else policy_of(each, name=f"agents-{index}" if index else "agents")
        for index, each in enumerate(rules)
    ]
    result = build_bundle(connection or connection_of(), policies, [], [], LANGUAGES)
    assert result.bundle is not None, result.problems
    return result.bundle


def problems_of(rules: str | AccessPolicy, connection: Connection | None = None) -> list[Problem]:
    """What is wrong with a policy."""
    policy = rules if isinstance(rules, AccessPolicy) else policy_of(rules)
    return list(build_bundle(connection or connection_of(), [policy], [], [], LANGUAGES).problems)


def identity_of(name: str = "triage", *groups: str, provider: str = "corp", **claims: object) -> Identity:
    """An identity proved by OIDC."""
    return Identity(name, provider, Proof.OIDC, groups, claims)


def agent_of(account: str = "agents/triage", human: str | None = None) -> Identity:
    """A ServiceAccount's identity, perhaps on behalf of somebody."""
    namespace, _, name = account.partition("/")
    service_account = ServiceAccountName(namespace, name)
    return Identity(
        service_account.kubernetes_user,
        "kubernetes",
        Proof.SERVICE_ACCOUNT,
        on_behalf_of=OnBehalfOf(human) if human else None,
        kubernetes_user=service_account.kubernetes_user,
        service_account=service_account,
    )


def session_of(identity: Identity | None = None, **fields: Any) -> Session:
    """A session on orders-db that began at NOON."""
    values: dict[str, Any] = {
        "id": "s-1",
        "connection": "orders-db",
        "namespace": "shop",
        "protocol": "postgres",
        "identity": identity or identity_of(),
        "database": "orders",
        "user": "agent",
        "application_name": "psql",
        "address": "10.0.0.7:40000",
        "started_at": NOON,
    }
    return Session(**{**values, **fields})


def path_of(name: str) -> Path:
    """`orders` is public.orders."""
    parts = tuple(name.split("."))
    return parts if len(parts) > 1 else ("public", *parts)


def table(action: str, name: str, *, also: tuple[str, ...] = (), needs_rule: bool = True) -> Access:
    """An access to a table."""
    parents = tuple(path_of(parent) for parent in also)
    return Access(_VERBS[action], AccessKind.TABLE, action, path_of(name), parents, needs_rule)


def command(action: str, *path: str, needs_rule: bool = True) -> Access:
    """A command."""
    return Access(Verb.ADMIN, AccessKind.COMMAND, action, path, needs_rule=needs_rule)


def function(name: str, *, needs_rule: bool = True) -> Access:
    """A call of a function."""
    return Access(Verb.EXECUTE, AccessKind.FUNCTION, "Execute", path_of(name), needs_rule=needs_rule)


def role(name: str) -> Access:
    """A log-in with a role of the Connection."""
    return Access(Verb.CONNECT, AccessKind.ROLE, "Connect", (name,))


def opaque() -> Access:
    """What was not understood."""
    return Access(Verb.UNKNOWN, AccessKind.OPAQUE, "unknown statement")


def resource(name: str, *members: str, also: tuple[str, ...] = ()) -> Resource:
    """A table with these columns."""
    return Resource(path_of(name), members, tuple(path_of(parent) for parent in also))


def operation_of(*accesses: Access, resources: tuple[Resource, ...] = (), **fields: Any) -> Operation:
    """An operation of these accesses; without resources its tables have one column, id."""
    tables = tuple(resource(a.object, "id") for a in accesses if a.kind is AccessKind.TABLE)
    values: dict[str, Any] = {
        "action": accesses[0].action.upper() if accesses else "SELECT",
        "text": "statement",
        "canonical": "statement",
        "facts": {"hasWhere": True, "inTransaction": False},
    }
    return Operation(accesses=accesses, resources=resources or tables, **{**values, **fields})

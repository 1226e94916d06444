"""After everything else: the real secret values are in none of the places where people and programs look."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SYSTEM = "tollhouse-system"
NAMESPACES = (SYSTEM, "shop", "vault")
READABLE = (
    "pods,deployments,replicasets,services,configmaps,serviceaccounts,events,endpointslices,jobs,networkpolicies,"
    "connections.tollhouse.dev,accesspolicies.tollhouse.dev,approvalrequests.tollhouse.dev,auditsinks.tollhouse.dev"
)


@pytest.fixture(scope="module")
def secret_values(world) -> set[str]:
    """The database's password, every lease's, every Vault token, the tokens of agents and proxies."""
    found = {world.superuser_password, world.root_token, *world.found_secrets}
    for line in world.run_in_pod(
        "deployment/openbao", "cat /tmp/raw-audit.json", namespace="vault"
    ).splitlines():
        found |= set(values(json.loads(line), {"password", "client_token", "jwt"}))
    for agent in ("triage", "reporter"):
        found.add(world.run_in_pod(agent, "cat /var/run/secrets/tollhouse/token").strip())
    for proxy in world.proxies():
        paths = "/var/run/secrets/tollhouse/token/token /var/run/secrets/kubernetes.io/serviceaccount/token"
        found |= set(world.run_in_pod(proxy, f"for f in {paths}; do cat $f; echo; done").split())
    return {value for value in found if len(value) > 8}


def values(document: object, keys: set[str]) -> Iterator[str]:
    """Every text under one of `keys`, at any depth."""
    match document:
        case dict():
            for key, value in document.items():
                if key in keys and isinstance(value, str):
                    yield value
                else:
                    yield from values(value, keys)
        case list():
            for value in document:
                yield from values(value, keys)


def leaks(text: str, secret_values: set[str]) -> list[str]:
    """What was found, as it may be printed: how it begins, and what stands before it."""
    found = []
    for secret in secret_values:
        for match in re.finditer(re.escape(secret), text):
            found += [f"{text[max(0, match.start() - 60) : match.start()]}[{secret[:4]}...]"]
    return found


def test_there_are_secrets_to_look_for(secret_values: set[str]) -> None:
    assert len(secret_values) > 6


def test_no_log_holds_a_secret(world, secret_values: set[str]) -> None:
    for namespace in NAMESPACES:
        for pod in world.objects("pods", namespace):
            name = pod["metadata"]["name"]
            for again in ([], ["--previous"]):
                said = world.cluster.kubectl("logs", "-n", namespace, name, "--all-containers", *again).stdout
                # OpenBao's dev server greets with its own root token and key; that is its habit, not ours.
                said = re.sub(r"^(Root Token|Unseal Key): .*$", "", said, flags=re.MULTILINE)
                assert not leaks(said, secret_values), f"the log of {namespace}/{name}"


def test_no_object_holds_a_secret_but_secrets(world, secret_values: set[str]) -> None:
    for namespace in NAMESPACES:
        shown = world.cluster.kubectl(
            "get", READABLE, "-n", namespace, "-o", "json", "--show-managed-fields", check=True, within=120
        )
        assert not leaks(shown.stdout, secret_values), f"an object of {namespace}"
    for kind in (
        "identityproviders.tollhouse.dev",
        "mutatingwebhookconfigurations",
        "validatingwebhookconfigurations",
    ):
        shown = world.cluster.kubectl("get", kind, "-o", "json", check=True)
        assert not leaks(shown.stdout, secret_values), kind


def test_no_audit_line_holds_a_secret_or_a_masked_value(world, secret_values: set[str]) -> None:
    masked = {"ada@example.com", "123-45-6789", "4111 1111 1111 1111"}
    lines = 0
    for proxy in world.proxies():
        audit = world.run_in_pod(proxy, "cat /var/lib/tollhouse/audit/*")
        lines += len(audit.splitlines())
        assert not leaks(audit, secret_values)
        # An agent may name a value in its own statement; what the database answered is not there.
        told = [line for line in audit.splitlines() if "WHERE email" not in line]
        assert not leaks("\n".join(told), masked)
    assert lines > 0


def test_no_process_argument_holds_a_secret(world, secret_values: set[str]) -> None:
    if world.node is None:
        pytest.skip("the processes of a given cluster cannot be seen")
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        assert not leaks(arguments, secret_values), f"the arguments of process {process.name}"


def test_no_environment_of_proxy_or_operator_holds_a_secret(world, secret_values: set[str]) -> None:
    operator = world.run_in_pod("deployment/tollhouse-operator", "cat /proc/1/environ", namespace=SYSTEM)
    assert not leaks(operator, secret_values), "the environment of the operator"
    for name in world.proxies():
        # Nobody in the pod can look into the process (see undumped), so what it has is read from beside it.
        assert "Permission denied" in world.run_in_pod(name, "cat /proc/1/environ 2>&1 || true")
    if world.node is None:
        return
    seen = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if b"tollhouse_proxy" not in (process / "cmdline").read_bytes():
                continue
            environment = (process / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        seen += 1
        assert not leaks(environment, secret_values), f"the environment of process {process.name}"
    assert seen >= len(world.proxies())


def test_no_log_of_the_api_server_holds_a_secret(world, secret_values: set[str]) -> None:
    if world.node is None:
        pytest.skip("the API server's log of a given cluster cannot be read")
    for log in world.node.logs():
        assert not leaks(log.read_text(errors="replace"), secret_values), log.name

"""Votes on a real API server, by admission policies and by the webhook: one table for both."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from real.operator.installed import Installed
from real.operator.vote_table import CASES, TRIAGE, Case

pytestmark = [pytest.mark.apiserver, pytest.mark.timeout(180)]


@pytest.fixture(scope="session", params=["policies", "webhook"])
def admitting(request: pytest.FixtureRequest) -> Installed:
    """Tollhouse in both ways."""
    name = "tollhouse" if request.param == "policies" else "webhook_tollhouse"
    found = request.getfixturevalue(name)
    assert isinstance(found, Installed)
    return found


@pytest.fixture(scope="session")
def voting(admitting: Installed) -> tuple[Installed, str]:
    """A namespace to ask in; ServiceAccounts and people who may patch there."""
    namespace = admitting.shop()
    subjects = ["--user=carol", "--user=ann", "--user=BOB", f"--user={TRIAGE}"]
    subjects += [f"--user={proxy(namespace)}", "--user=system:serviceaccount:ops:robot"]
    admitting.plane.kubectl(
        "-n", namespace, "create", "rolebinding", "voters", "--clusterrole=tollhouse-approver", *subjects,
        check=True,
    )  # fmt: skip
    return admitting, namespace


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_a_person_may_write(voting: tuple[Installed, str], case: Case) -> None:
    tollhouse, namespace = voting
    name = ask(tollhouse, namespace, **case.request)
    for user, groups, spec in case.after:
        done = patch(tollhouse, namespace, name, user, groups, spec)
        assert done.returncode == 0, done.stderr
    if "too late" in case.says:
        tollhouse.until(lambda: phase(tollhouse, namespace, name) != "Pending", "the request is decided")
    user = proxy(namespace) if case.user == "PROXY" else case.user
    before = votes(tollhouse, namespace, name)

    done = patch(tollhouse, namespace, name, user, case.groups, case.spec)

    after = votes(tollhouse, namespace, name)
    if case.says:
        assert done.returncode != 0, done.stdout
        assert case.says in done.stderr
        assert after == before
    else:
        assert done.returncode == 0, done.stderr
        assert after[:-1] == before
        assert after[-1]["by"] == user
        assert after[-1]["decision"] == case.spec["decision"]
        assert after[-1].get("reason") == case.spec.get("reason")
        assert set(case.groups) <= set(after[-1]["groups"])


def test_a_decision_is_never_left_unstamped(voting: tuple[Installed, str]) -> None:
    tollhouse, namespace = voting
    name = ask(tollhouse, namespace)
    patch(tollhouse, namespace, name, "alice", ("managers",), {"decision": "Approved", "reason": "yes"})
    spec = (tollhouse.get("approvalrequest", name, namespace) or {})["spec"]
    assert "decision" not in spec
    assert "reason" not in spec


def test_the_operator_shows_the_tally(voting: tuple[Installed, str]) -> None:
    tollhouse, namespace = voting
    name = ask(tollhouse, namespace, approvers=[{"group": "managers", "count": 2}])
    tollhouse.until(lambda: status(tollhouse, namespace, name).get("votes") == "0/2", "0 of 2")
    patch(tollhouse, namespace, name, "alice", ("managers",), {"decision": "Approved"})
    tollhouse.until(lambda: status(tollhouse, namespace, name).get("votes") == "1/2", "1 of 2")
    patch(tollhouse, namespace, name, "bob", ("managers",), {"decision": "Approved"})
    tollhouse.until(lambda: phase(tollhouse, namespace, name) == "Approved", "approved")
    assert status(tollhouse, namespace, name)["message"] == "approved by alice and bob"


def test_only_the_connections_own_proxy_asks(voting: tuple[Installed, str]) -> None:
    tollhouse, namespace = voting
    # Somebody may well have the right to create requests; being asked by them means nothing.
    tollhouse.plane.kubectl(
        "create", "clusterrole", f"asker-{namespace}", "--verb=create",
        "--resource=approvalrequests.tollhouse.dev", check=True,
    )  # fmt: skip
    other = f"system:serviceaccount:{namespace}:billing-db-proxy"
    tollhouse.plane.kubectl(
        "-n", namespace, "create", "rolebinding", "askers", f"--clusterrole=asker-{namespace}",
        f"--user={other}", "--user=alice", check=True,
    )  # fmt: skip
    for user in (other, "alice", "admin"):
        as_user = () if user == "admin" else ("--as", user)
        done = create(tollhouse, namespace, request_of(namespace), *as_user)
        assert done.returncode != 0
        assert f"{user} is not the proxy of Connection orders-db" in done.stderr


def test_a_request_is_born_without_votes(voting: tuple[Installed, str]) -> None:
    tollhouse, namespace = voting
    for spec in (
        {"votes": [{"by": "alice", "groups": ["managers"], "decision": "Approved"}]},
        {"decision": "Approved"},
    ):
        done = create(tollhouse, namespace, request_of(namespace, **spec), "--as", proxy(namespace))
        assert done.returncode != 0
        assert "a new request has no decision and no votes" in done.stderr


def test_a_status_is_not_forged(voting: tuple[Installed, str]) -> None:
    tollhouse, namespace = voting
    name = ask(tollhouse, namespace)
    body = json.dumps({"status": {"phase": "Approved"}})
    done = tollhouse.plane.kubectl(
        "-n", namespace, "patch", "approvalrequest", name, "--subresource=status", "--type=merge", "-p", body
    )
    assert done.returncode != 0
    assert "the status of a request is written by its proxy and the operator, not by admin" in done.stderr


def test_without_the_operator_policies_take_votes_and_the_webhook_refuses_them(
    voting: tuple[Installed, str],
) -> None:
    tollhouse, namespace = voting
    name = ask(tollhouse, namespace)
    tollhouse.stop()
    try:
        done = patch(tollhouse, namespace, name, "alice", ("managers",), {"decision": "Approved"})
        refused = patch(tollhouse, namespace, name, "mallory", ("developers",), {"decision": "Approved"})
    finally:
        tollhouse.start()
    assert refused.returncode != 0
    if tollhouse.votes == "policies":
        assert done.returncode == 0, done.stderr
    else:
        assert "failed calling webhook" in done.stderr
        done = patch(tollhouse, namespace, name, "alice", ("managers",), {"decision": "Approved"})
        assert done.returncode == 0, done.stderr
    tollhouse.until(lambda: phase(tollhouse, namespace, name) == "Approved", "the vote is counted")


def test_a_request_ends_by_itself(voting: tuple[Installed, str]) -> None:
    tollhouse, namespace = voting
    soon = datetime.now(UTC) + timedelta(seconds=2)
    name = ask(tollhouse, namespace, expiresAt=soon.isoformat(timespec="seconds").replace("+00:00", "Z"))
    tollhouse.until(lambda: phase(tollhouse, namespace, name) == "Expired", "it has expired")
    assert (
        "nobody decided in time; needed: 1 of group managers" in status(tollhouse, namespace, name)["message"]
    )


def test_a_request_is_withdrawn_when_the_pod_that_held_it_is_gone(voting: tuple[Installed, str]) -> None:
    tollhouse, namespace = voting
    held = ask(tollhouse, namespace, instance="orders-db-proxy-6f5d-x2x")
    other = ask(tollhouse, namespace, instance="somebodys-process")
    tollhouse.until(lambda: phase(tollhouse, namespace, held) == "Withdrawn", "it is withdrawn")
    assert status(tollhouse, namespace, held)["message"] == "the proxy that held the operation is gone"
    tollhouse.until(lambda: status(tollhouse, namespace, other).get("votes"), "the other has a status")
    assert phase(tollhouse, namespace, other) == "Pending"


def test_a_request_that_waits_escalates(voting: tuple[Installed, str]) -> None:
    tollhouse, namespace = voting
    step = {"after": "2s", "approvers": [{"user": "carol"}]}
    name = ask(tollhouse, namespace, escalation=[step])
    told = tollhouse.until(
        lambda: tollhouse.condition("approvalrequest", name, namespace, "Escalated"), "it has escalated"
    )
    assert told["message"] == "may vote as well: user carol"
    done = patch(tollhouse, namespace, name, "carol", (), {"decision": "Approved"})
    assert done.returncode == 0, done.stderr
    tollhouse.until(lambda: phase(tollhouse, namespace, name) == "Approved", "carol's vote counts")


def proxy(namespace: str) -> str:
    return f"system:serviceaccount:{namespace}:orders-db-proxy"


def request_of(namespace: str, **spec: Any) -> dict[str, Any]:
    later = datetime.now(UTC) + timedelta(minutes=15)
    return {
        "apiVersion": "tollhouse.dev/v1alpha1",
        "kind": "ApprovalRequest",
        "metadata": {"generateName": "orders-db-", "namespace": namespace},
        "spec": {
            "connection": "orders-db",
            "requester": {
                "name": TRIAGE,
                "provider": "kubernetes",
                "kubernetesUser": TRIAGE,
                "serviceAccount": {"namespace": "agents", "name": "triage"},
            },
            "operation": {"text": "DELETE FROM public.orders WHERE id = 7", "digest": "sha256:0123"},
            "policy": {"name": "support-agents", "rule": "refunds", "ruleHash": "sha256:4567"},
            "approvers": [{"group": "managers"}],
            "expiresAt": later.isoformat(timespec="seconds").replace("+00:00", "Z"),
            **spec,
        },
    }


def create(tollhouse: Installed, namespace: str, document: dict[str, Any], *arguments: str) -> Any:
    return tollhouse.plane.kubectl(
        "-n", namespace, "create", "-f", "-", "-o", "name", *arguments, input=json.dumps(document)
    )


def ask(tollhouse: Installed, namespace: str, **spec: Any) -> str:
    done = create(tollhouse, namespace, request_of(namespace, **spec), "--as", proxy(namespace))
    assert done.returncode == 0, done.stderr
    return str(done.stdout.strip().rpartition("/")[2])


def patch(
    tollhouse: Installed, namespace: str, name: str, user: str, groups: tuple[str, ...], spec: Any
) -> Any:
    as_groups = [word for group in groups for word in ("--as-group", group)]
    body = json.dumps({"spec": dict(spec)})
    return tollhouse.plane.kubectl(
        "-n",
        namespace,
        "patch",
        "approvalrequest",
        name,
        "--type=merge",
        "-p",
        body,
        "--as",
        user,
        *as_groups,
    )


def status(tollhouse: Installed, namespace: str, name: str) -> dict[str, Any]:
    return (tollhouse.get("approvalrequest", name, namespace) or {}).get("status") or {}


def phase(tollhouse: Installed, namespace: str, name: str) -> str:
    return str(status(tollhouse, namespace, name).get("phase", "Pending"))


def votes(tollhouse: Installed, namespace: str, name: str) -> list[dict[str, Any]]:
    found = tollhouse.get("approvalrequest", name, namespace) or {}
    return list(found["spec"].get("votes") or [])

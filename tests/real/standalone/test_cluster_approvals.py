"""`tollhouse approvals` in a cluster: the same words, through kubectl and the API server's admission."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kit import control_plane as part
from kit.kube_programs import kubectl_program
from kit.plugin import Plugin
from real.operator.asking import votes_are_taken
from real.operator.installed import Installed
from tollhouse_operator.cli import main

pytestmark = [pytest.mark.apiserver, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def tollhouse() -> Iterator[Installed]:
    with part.running() as plane, Installed(plane, votes="policies") as installed:
        votes_are_taken(installed, installed.shop())
        yield installed


@pytest.fixture
def request_name(tollhouse: Installed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[str, str]:
    """A request in a fresh namespace; the command line speaks as admin and finds no folder."""
    namespace = tollhouse.shop()
    later = datetime.now(UTC) + timedelta(minutes=15)
    document = {
        "apiVersion": "tollhouse.dev/v1alpha1",
        "kind": "ApprovalRequest",
        "metadata": {"generateName": "orders-db-", "namespace": namespace},
        "spec": {
            "connection": "orders-db",
            "requester": {"name": "triage", "provider": "corp"},
            "operation": {"text": "DELETE FROM public.orders WHERE id = 7", "digest": "sha256:0123"},
            "policy": {"name": "support-agents", "rule": "refunds", "ruleHash": "sha256:4567"},
            "approvers": [{"group": "managers"}],
            "expiresAt": later.isoformat(timespec="seconds").replace("+00:00", "Z"),
        },
    }
    proxy = f"system:serviceaccount:{namespace}:orders-db-proxy"
    made = tollhouse.plane.kubectl(
        "create", "-f", "-", "-o", "name", "--as", proxy, input=json.dumps(document), check=True
    )
    monkeypatch.delenv("TOLLHOUSE_DIR", raising=False)
    monkeypatch.setenv("KUBECONFIG", str(tollhouse.plane.kubeconfig("admin")))
    monkeypatch.setenv("PATH", str(kubectl_program().parent), prepend=":")
    monkeypatch.chdir(tmp_path)
    return namespace, made.stdout.strip().rpartition("/")[2]


def test_requests_are_listed_shown_and_voted_on(
    request_name: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    namespace, name = request_name
    assert main(["approvals", "list", "-n", namespace]) == 0
    assert name in capsys.readouterr().out
    assert main(["approvals", "show", name, "-n", namespace, "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["spec"]["requester"]["name"] == "triage"

    refused = main(
        ["approvals", "approve", name, "-n", namespace, "--as", "mallory", "--as-group", "managers-not"]
    )
    assert refused == 1
    told = capsys.readouterr().err
    assert "mallory" in told
    assert "Traceback" not in told

    voted = ["approvals", "approve", name, "-n", namespace, "--as", "alice", "--as-group", "managers"]
    assert main([*voted, "--reason", "Ticket 4711", "-o", "json"]) == 0
    (vote,) = json.loads(capsys.readouterr().out)["spec"]["votes"]
    assert (vote["by"], vote["decision"], vote["reason"]) == ("alice", "Approved", "Ticket 4711")


def test_waiting_ends_with_the_decision_or_with_the_time(
    tollhouse: Installed, request_name: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    namespace, name = request_name
    assert main(["approvals", "wait", name, "-n", namespace, "--timeout", "1s"]) == 4
    assert f"{name} is still pending: waits for 1 of group managers" in capsys.readouterr().err
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(main, ["approvals", "wait", name, "-n", namespace])
        body = json.dumps({"spec": {"decision": "Denied", "reason": "not today"}})
        tollhouse.plane.kubectl(
            "-n", namespace, "patch", "approvalrequest", name, "--type=merge", "-p", body,
            "--as", "alice", "--as-group", "managers", check=True,
        )  # fmt: skip
        assert waiting.result(90) == 1
    assert f"{name}: Denied (denied by alice: not today)" in capsys.readouterr().out


def test_an_approver_has_the_whole_of_it_as_a_plugin_of_kubectl(
    tollhouse: Installed, request_name: tuple[str, str], tmp_path: Path
) -> None:
    namespace, name = request_name
    alice = Plugin(tollhouse.plane, tmp_path, "alice")
    where = ("-n", namespace)
    assert name in alice.run("approvals", "list", *where).stdout
    assert "DELETE FROM public.orders WHERE id = 7" in alice.run("approvals", "show", name, *where).stdout
    done = alice.run("approvals", "approve", name, *where, "--reason", "Ticket 4711")
    assert done.returncode == 0, done.stderr
    waited = alice.run("approvals", "wait", name, *where, "--timeout", "60s")
    assert waited.returncode == 0, waited.stderr
    again = alice.run("approvals", "deny", name, *where)
    assert again.returncode == 1
    assert "alice has voted already" in again.stderr or "too late to vote" in again.stderr


def test_a_request_that_is_not_there_is_told(
    request_name: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["approvals", "show", "missing", "-n", request_name[0]]) == 1
    assert "not found" in capsys.readouterr().err

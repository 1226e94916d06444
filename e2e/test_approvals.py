"""A statement that waits for a person, on its own connection, and the people who may let it run or not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit import wait
from kit.plugin import Plugin
from kit.psql_session import PsqlSession

REQUESTER = "system:serviceaccount:shop:triage"


@pytest.fixture
def triage(world) -> Iterator[PsqlSession]:
    with world.agent("triage") as session:
        yield session


def waiting(world, session: PsqlSession, order: int) -> tuple[str, str]:
    """Ask for the deletion of that order; the request's name and the mark of the statement's end."""
    before = [one["metadata"]["name"] for one in world.objects("approvalrequests")]
    mark = session.send(f"DELETE FROM orders WHERE id = {order};")
    name = world.wait_for_request(but=before)
    assert name in session.expect("NOTICE")
    return name, mark


def phase(world, name: str) -> str:
    found = world.cluster.get("approvalrequest", name, "shop")
    return str((found or {}).get("status", {}).get("phase", ""))


def test_a_manager_lets_exactly_one_statement_run_on_the_same_connection(world, triage: PsqlSession) -> None:
    pid = triage.ask("SELECT count(*) FROM orders;")
    name, mark = waiting(world, triage, 2)
    assert world.superuser("SELECT count(*) FROM orders WHERE id = 2") == "1"
    done = world.vote(name, "Approved", user="alice")
    assert done.returncode == 0, done.stderr
    assert "ERROR" not in triage.result(mark)
    assert world.superuser("SELECT count(*) FROM orders WHERE id = 2") == "0"
    assert int(triage.ask("SELECT count(*) FROM orders;")) == int(pid) - 1
    wait.until(lambda: phase(world, name) == "Used", what="the request is used")
    votes = world.cluster.get("approvalrequest", name, "shop")["spec"]["votes"]
    assert [(vote["by"], vote["decision"]) for vote in votes] == [("alice", "Approved")]
    second, mark = waiting(world, triage, 2)
    assert second != name
    assert world.vote(second, "Denied", user="alice").returncode == 0
    assert "42501" in triage.result(mark)


def test_the_plugin_of_kubectl_is_all_an_approver_needs(world, triage: PsqlSession, tmp_path: Path) -> None:
    alice = Plugin(world.cluster, tmp_path, "alice")
    where = ("-n", "shop")
    name, mark = waiting(world, triage, 12)
    assert name in alice.run("approvals", "list", *where).stdout
    shown = alice.run("approvals", "show", name, *where).stdout
    assert "DELETE FROM" in shown
    assert "id = 12" in shown
    assert "# Touches: public.orders" in shown
    done = alice.run("approvals", "approve", name, *where, "--reason", "Ticket 4711")
    assert done.returncode == 0, done.stderr
    assert "ERROR" not in triage.result(mark)
    assert world.superuser("SELECT count(*) FROM orders WHERE id = 12") == "0"
    name, mark = waiting(world, triage, 14)
    assert alice.run("approvals", "deny", name, *where, "--reason", "not today").returncode == 0
    assert alice.run("approvals", "wait", name, *where, "--timeout", "60s").returncode == 1
    assert "not today" in triage.result(mark)
    assert world.superuser("SELECT count(*) FROM orders WHERE id = 14") == "1"


def test_people_who_may_not_decide_are_refused_with_a_sentence(world, triage: PsqlSession) -> None:
    name, mark = waiting(world, triage, 4)
    outsider = world.vote(name, "Approved", user="mallory")
    assert outsider.returncode != 0
    assert "mallory" in outsider.stderr
    assert "approver" in outsider.stderr
    vote = json.dumps({"spec": {"decision": "Approved"}})
    let_in = [
        "create",
        "rolebinding",
        "triage-votes",
        "--clusterrole=tollhouse-approver",
        "--serviceaccount=shop:triage",
    ]
    world.cluster.kubectl(*let_in, "-n", "shop", check=True)
    patch = ["patch", "approvalrequest", name, "-n", "shop", "--type", "merge", "-p"]
    try:
        requester = world.cluster.kubectl(*patch, vote, "--as", REQUESTER)
    finally:
        world.cluster.kubectl("delete", "rolebinding", "triage-votes", "-n", "shop", check=True)
    assert requester.returncode != 0
    assert "requester" in requester.stderr or "own request" in requester.stderr
    forged = json.dumps(
        {"spec": {"votes": [{"by": "alice", "decision": "Approved", "groups": ["managers"]}]}}
    )
    assert world.cluster.kubectl(*patch, forged, user="bob").returncode != 0
    widened = json.dumps({"spec": {"approvers": [{"group": "developers", "count": 1}]}})
    assert world.cluster.kubectl(*patch, widened, user="alice").returncode != 0
    status = json.dumps({"status": {"phase": "Approved"}})
    assert world.cluster.kubectl(*patch, status, "--subresource=status", user="alice").returncode != 0
    assert world.superuser("SELECT count(*) FROM orders WHERE id = 4") == "1"
    assert world.vote(name, "Denied", user="bob", reason="not today").returncode == 0
    refused = triage.result(mark)
    assert "42501" in refused
    assert world.vote(name, "Approved", user="alice").returncode != 0


def test_a_client_that_goes_away_withdraws_its_request(world) -> None:
    with world.agent("triage") as session:
        name, _ = waiting(world, session, 6)
    # kubectl exec leaves a process behind that has lost its pipes: it is the client that must go.
    world.run_in_pod(
        "triage",
        "for p in /proc/[0-9]*; do case $(tr '\\0' ' ' <$p/cmdline) in psql*) kill ${p#/proc/};; esac; done",
    )
    wait.until(lambda: phase(world, name) == "Withdrawn", within=60, what="the request is withdrawn")
    assert world.superuser("SELECT count(*) FROM orders WHERE id = 6") == "1"

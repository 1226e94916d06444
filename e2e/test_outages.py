"""What goes on when a part is away, and what is put right when somebody changed it by hand."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kit import wait
from kit.kube_programs import helm_program

CHART = Path(__file__).resolve().parents[1] / "charts" / "tollhouse"
SYSTEM = "tollhouse-system"
LEASE_SECONDS = 20  # as conftest.py tells OpenBao


@contextmanager
def operator_away(world) -> Iterator[None]:
    """No operator runs meanwhile; at the end it is there again and ready."""
    scale = ["scale", "-n", SYSTEM, "deployment/tollhouse-operator"]
    world.cluster.kubectl(*scale, "--replicas=0", check=True)
    wait.until(lambda: not world.objects("pods", SYSTEM), within=60, what="the operator is gone")
    try:
        yield
    finally:
        world.cluster.kubectl(*scale, "--replicas=1", check=True)
        world.wait_for_operator()


def test_without_the_operator_proxies_mask_and_deny_and_a_vote_lets_a_statement_run(world) -> None:
    with world.agent("triage") as session:
        with operator_away(world):
            assert "ada" not in session.ask("SELECT email FROM customers WHERE id = 1;")
            assert "42501" in session.ask("DROP DATABASE orders;")
            assert "ada" not in world.ask("triage", "SELECT email FROM customers WHERE id = 1;")
            mark = session.send("DELETE FROM orders WHERE id = 8;")
            name = world.wait_for_request()
            done = world.vote(name, "Approved", user="alice")
            assert done.returncode == 0, done.stderr
            assert "ERROR" not in session.result(mark)
            assert world.superuser("SELECT count(*) FROM orders WHERE id = 8") == "0"
        assert session.ask("SELECT count(*) > 0 FROM orders;") == "t"


def test_deleted_proxies_are_replaced_and_leave_no_lease_behind(world) -> None:
    with world.agent("triage") as session:
        assert session.ask("SELECT count(*) > 0 FROM orders;") == "t"
        before = set(world.leases())
        assert before
        old = world.proxies()
        world.cluster.kubectl("delete", "pod", "-n", "shop", "--wait=false", *old, check=True)
        wait.until(lambda: not set(old) & set(world.proxies()), within=60, what="the old proxies are going")
        new = world.wait_for_proxies()
        assert not set(old) & set(new)
        session.send("SELECT 1;")
        session.expect("57P01")
    assert "ada" not in world.ask("triage", "SELECT email FROM customers WHERE id = 1;")
    gone = LEASE_SECONDS + 30
    wait.until(
        lambda: not before & set(world.leases()), within=gone, what="the old leases are gone", every=0.5
    )


def test_a_crashed_proxys_leases_end_with_their_time(world) -> None:
    with world.agent("triage") as session:
        assert session.ask("SELECT count(*) > 0 FROM orders;") == "t"
        before = set(world.leases())
        assert before
        kill = ["delete", "pod", "-n", "shop", "--force", "--grace-period=0", *world.proxies()]
        world.cluster.kubectl(*kill, check=True)
    world.wait_for_proxies()
    gone = LEASE_SECONDS + 30
    wait.until(lambda: not before & set(world.leases()), within=gone, what="the leases have ended", every=0.5)


def test_a_deployment_that_was_edited_by_hand_is_put_right(world) -> None:
    edit = [
        {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "localhost/other:1"},
        {"op": "remove", "path": "/spec/template/spec/containers/0/securityContext"},
        {"op": "replace", "path": "/spec/replicas", "value": 1},
    ]
    name = ("deployment", "orders-db-proxy", "shop")
    good = world.cluster.get(*name)["spec"]
    patch = ["patch", "deployment", "orders-db-proxy", "-n", "shop", "--type", "json", "-p", json.dumps(edit)]
    world.cluster.kubectl(*patch, check=True)

    def put_right() -> bool:
        spec = world.cluster.get(*name)["spec"]
        one, other = (each["template"]["spec"]["containers"][0] for each in (spec, good))
        same = all(one.get(key) == other[key] for key in ("image", "securityContext"))
        return same and spec["replicas"] == good["replicas"]

    wait.until(put_right, within=60, what="the Deployment is as the operator wants it", every=0.2)
    world.wait_for_proxies()


def test_on_older_clusters_votes_wait_for_the_operator_and_say_so(world) -> None:
    helm(world, "webhook")
    try:
        world.wait_for_operator()
        with world.agent("triage") as session:
            mark = session.send("DELETE FROM orders WHERE id = 10;")
            name = world.wait_for_request()
            with operator_away(world):
                refused = world.vote(name, "Approved", user="alice")
                assert refused.returncode != 0
                assert "webhook" in refused.stderr
                assert world.superuser("SELECT count(*) FROM orders WHERE id = 10") == "1"
            outsider = world.vote(name, "Approved", user="mallory")
            assert outsider.returncode != 0
            assert "approver" in outsider.stderr
            passed = wait.until(lambda: voted(world, name), within=60, what="the vote passes", every=0.5)
            assert passed
            assert "ERROR" not in session.result(mark)
    finally:
        helm(world, "auto")
        world.wait_for_operator()


def voted(world, name: str) -> bool:
    return bool(world.vote(name, "Approved", user="alice").returncode == 0)


def helm(world, votes: str) -> None:
    """Install the chart again with votes done that way."""
    command = [
        str(helm_program()),
        "upgrade",
        "tollhouse",
        str(CHART),
        "--namespace",
        SYSTEM,
        "--reuse-values",
    ]
    command += ["--set", f"admission.votes={votes}", "--wait", "--timeout", "3m"]
    environment = {**os.environ, "KUBECONFIG": str(world.cluster.kubeconfig())}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

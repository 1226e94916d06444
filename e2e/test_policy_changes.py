"""How soon a changed policy binds a session that is open, and a new Connection serves."""

from __future__ import annotations

import json
import time

from kit import wait
from kit.psql_session import PsqlSession

CHANGES = 50
QUESTION = "SELECT count(*) FROM customers;"


def allowed(session: PsqlSession) -> bool:
    return "42501" not in session.ask(QUESTION)


def change(world, session: PsqlSession, tables: list[str]) -> tuple[float, float]:
    """Seconds from kubectl's start, and from its return, until the open session obeys the new policy."""
    wanted = "customers" in tables
    assert allowed(session) is not wanted
    patch = json.dumps([{"op": "replace", "path": "/spec/rules/0/allow/sql/tables", "value": tables}])
    start = time.monotonic()
    command = ["patch", "accesspolicy", "support-agents", "-n", "shop", "--type", "json", "-p", patch]
    world.cluster.kubectl(*command, check=True)
    returned = time.monotonic()
    wait.until(lambda: allowed(session) is wanted, within=60, every=0.005, what="the changed decision")
    return time.monotonic() - start, time.monotonic() - returned


def test_a_policy_change_binds_an_open_session_and_how_soon_is_told(world, told) -> None:
    with world.agent("triage") as session:
        found = []
        for _ in range(CHANGES // 2):
            found.append(change(world, session, ["orders"]))
            found.append(change(world, session, ["orders", "customers"]))
    whole, ours = (sorted(column) for column in zip(*found, strict=True))
    half = CHANGES // 2
    for words, times in (("kubectl's start", whole), ("its return", ours)):
        # Of 50 changes the longest is the 99th percentile.
        told(f"policy change to decision from {words}: p50 {times[half]:.3f} s, p99 {times[-1]:.3f} s")


def test_a_new_connection_serves_soon_after_it_was_applied(world, told) -> None:
    connection = world.cluster.get("connection", "orders-db", "shop")
    again = {
        "apiVersion": connection["apiVersion"],
        "kind": "Connection",
        "metadata": {"name": "orders-again", "namespace": "shop"},
        "spec": connection["spec"],
    }
    start = time.monotonic()
    world.cluster.apply(again)
    ready = ["wait", "-n", "shop", "--for=condition=Ready", "connection/orders-again", "--timeout=90s"]
    wait.until(lambda: world.cluster.get("connection", "orders-again", "shop"), what="the Connection")
    world.cluster.kubectl(*ready, check=True, within=100)
    took = time.monotonic() - start
    told(f"Connection applied to Ready: {took:.1f} s")
    world.cluster.kubectl("delete", "connection", "orders-again", "-n", "shop", check=True, within=120)
    owned = ("deployment", "orders-again-proxy", "shop")
    wait.until(lambda: world.cluster.get(*owned) is None, within=60, what="what it owned is gone with it")

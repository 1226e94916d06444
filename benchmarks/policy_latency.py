"""How soon a changed policy binds an open session: real API server, real operator, real proxy process.

The clock starts when `kubectl apply` is started and again when it has returned; it stops at the first
decision that differs, in a session that was open all the while.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from benchmarks.measures import Measure

from kit import control_plane, postgres, wait
from kit.control_plane import ControlPlane
from kit.ports import LOOPBACK
from kit.postgres import Postgres
from real.operator.installed import Installed
from real.operator.proxying import proxying

CHANGES = 50
GOAL_P99_SECONDS = 1.0
NAME = "orders-db"
AGENT = "agent"


@dataclass(frozen=True, slots=True)
class Change:
    """Seconds from the start of `kubectl apply`, and from its return, to the first changed decision."""

    from_start: float
    from_return: float


@contextmanager
def served(
    plane: ControlPlane, server: Postgres, **more: Any
) -> Iterator[tuple[str, str, Callable[[bool], None]]]:
    """A Connection with a running proxy: (namespace, connection string, a way to allow or not). `more` is in
    the Connection's spec."""
    namespace = plane.namespace("bench")
    database = server.create_database(sql="CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
    plane.service_account(namespace, AGENT)
    secret = {"username": server.superuser, "password": server.password}
    plane.apply(
        _object("Secret", "backend", namespace, stringData=secret, api="v1"),
        _object("Connection", NAME, namespace, spec={**_connection(server, database), **more}),
    )

    def allow(allowed: bool) -> None:
        plane.apply(_object("AccessPolicy", "agents", namespace, spec=_policy(namespace, allowed)))

    allow(True)
    wait.until(lambda: plane.get("configmap", f"{NAME}-bundle", namespace), within=30, what="the bundle")
    wait.until(lambda: plane.get("serviceaccount", f"{NAME}-proxy", namespace), within=30, what="the account")
    with proxying(plane, namespace, NAME) as proxy:
        token = plane.token(namespace, AGENT, audience="tollhouse")
        target = f"host={LOOPBACK} port={proxy.port} user={AGENT} password={token} sslmode=disable"
        yield namespace, target, allow


def measure(changes: int = CHANGES) -> list[Measure]:
    """The latencies of `changes` changes, one after the other."""
    with (
        postgres.running(16) as server,
        control_plane.running() as plane,
        Installed(plane, "policies"),
        served(plane, server) as (_, target, allow),
        psycopg.connect(target, autocommit=True) as session,
    ):
        found = [_change(session, allow, number % 2 == 1) for number in range(changes)]
    starts = sorted(one.from_start for one in found)
    returns = sorted(one.from_return for one in found)
    name = f"policy change to first changed decision ({changes} changes)"
    return [
        Measure(f"{name}, from kubectl's start: p50", statistics.median(starts), "s"),
        Measure(f"{name}, from kubectl's start: p99", percentile(starts, 99), "s", GOAL_P99_SECONDS),
        Measure(f"{name}, from kubectl's return: p50", statistics.median(returns), "s"),
        Measure(f"{name}, from kubectl's return: p99", percentile(returns, 99), "s", GOAL_P99_SECONDS),
    ]


def _change(session: psycopg.Connection[Any], allow: Callable[[bool], None], allowed: bool) -> Change:
    assert _may_read(session) is not allowed
    start = time.monotonic()
    allow(allowed)
    returned = time.monotonic()
    wait.until(lambda: _may_read(session) is allowed, within=10, every=0.002, what="the changed decision")
    now = time.monotonic()
    return Change(now - start, max(0.0, now - returned))


def _may_read(session: psycopg.Connection[Any]) -> bool:
    try:
        session.execute("SELECT a FROM t")
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True


def percentile(ordered: list[float], percent: int) -> float:
    """The smallest value that at least `percent` of all do not exceed."""
    return ordered[min(len(ordered) - 1, -(-len(ordered) * percent // 100) - 1)]


def _object(kind: str, name: str, namespace: str, *, api: str = "tollhouse.dev/v1alpha1", **rest: Any) -> str:
    metadata = {"name": name, "namespace": namespace}
    return json.dumps({"apiVersion": api, "kind": kind, "metadata": metadata, **rest})


def _connection(server: Postgres, database: str) -> dict[str, Any]:
    return {
        "postgres": {
            "host": server.host,
            "port": server.port,
            "database": database,
            "tls": {"mode": "Disable"},
        },
        "credentials": {"secretRef": {"name": "backend"}},
        "proxy": {"tls": {"mode": "Disable"}},
    }


def _policy(namespace: str, allowed: bool) -> dict[str, Any]:
    rules: list[dict[str, Any]] = [
        {"name": "read", "allow": {"sql": {"access": ["Select"], "tables": ["t"]}}},
    ]
    if not allowed:
        rules.append({"name": "not-now", "deny": {"sql": {"access": ["Select"], "tables": ["t"]}}})
    account = {"namespace": namespace, "name": AGENT}
    return {"connections": {"names": [NAME]}, "subjects": [{"serviceAccount": account}], "rules": rules}

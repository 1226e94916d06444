"""How soon a session ends: real API server, real operator, real proxy process, the client's own clock.

`ending`: from the moment the API server has taken a Revocation to the last words in an idle client's socket,
one after the other. `five_minutes`: how far from 300 s after they were opened sessions with
`session.maxDuration: 5m` end, idle ones and one that is busy all the while; it takes those five minutes.
"""

from __future__ import annotations

import select
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import psycopg
from benchmarks.measures import Measure
from benchmarks.policy_latency import AGENT, percentile, served

from kit import control_plane, postgres, wait
from real.operator.callers import Caller
from real.operator.installed import Installed

REVOCATIONS = 60
SESSIONS = 10
GOAL_SECONDS = 1.0
FIVE_MINUTES = 300.0


def measure(times: int = REVOCATIONS) -> list[Measure]:
    """Seconds from a Revocation's acceptance to its session's end."""
    with (
        postgres.running(16) as server,
        control_plane.running() as plane,
        Installed(plane, "policies"),
        served(plane, server) as (namespace, target, _),
    ):
        admin = Caller(plane, "admin")
        found = sorted(_revoked(admin, namespace, target, f"out-{number}") for number in range(times))
        admin.close()
    name = f"Revocation accepted to session ended ({times} times)"
    return [
        Measure(f"{name}: p50", statistics.median(found), "s"),
        Measure(f"{name}: p99", percentile(found, 99), "s", GOAL_SECONDS),
        Measure(f"{name}: longest", found[-1], "s", GOAL_SECONDS),
    ]


def measure_five_minutes(sessions: int = SESSIONS) -> list[Measure]:
    """Seconds between the five-minute mark and the end of each session."""
    with (
        postgres.running(16) as server,
        control_plane.running() as plane,
        Installed(plane, "policies"),
        served(plane, server, session={"maxDuration": "5m"}) as (_, target, _),
        ExitStack() as held,
    ):
        opened: list[tuple[float, psycopg.Connection[Any]]] = []
        for _ in range(sessions):
            client = held.enter_context(psycopg.connect(target, autocommit=True))
            opened.append((time.monotonic(), client))
        (began, busy), *idle = opened
        with ThreadPoolExecutor() as pool:
            working = pool.submit(_worked_until, busy)
            found = _ended(idle)
            found.append(working.result() - began - FIVE_MINUTES)
    late = sorted(found)
    name = f"five-minute mark to session ended ({sessions} sessions, one busy)"
    return [
        Measure(f"{name}: earliest", late[0], "s"),
        Measure(f"{name}: latest", late[-1], "s", GOAL_SECONDS),
    ]


def _revoked(admin: Caller, namespace: str, target: str, name: str) -> float:
    """One session, from the Revocation to its end; lifted again afterwards."""
    path = f"/apis/tollhouse.dev/v1alpha1/namespaces/{namespace}/revocations"
    account = {"serviceAccount": {"namespace": namespace, "name": AGENT}}
    document = {
        "apiVersion": "tollhouse.dev/v1alpha1",
        "kind": "Revocation",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"reason": "measuring", "revoke": [account]},
    }
    with wait.until(lambda: _connected(target), within=60, what="a session") as session:
        session.execute("SELECT 1")
        done = admin.call("POST", path, document)
        accepted = time.monotonic()
        assert done.passed, done.message
        ready, _, _ = select.select([session.pgconn.socket], [], [], 60)
        ended = time.monotonic()
        assert ready, "the session goes on"
        _said_why(session, "access was revoked")
    done = admin.call("DELETE", f"{path}/{name}")
    assert done.passed, done.message
    return ended - accepted


def _connected(target: str) -> psycopg.Connection[Any]:
    return psycopg.connect(target, autocommit=True)


def _said_why(session: psycopg.Connection[Any], words: str) -> None:
    try:
        session.execute("SELECT 1")
    except psycopg.OperationalError as error:
        if words not in str(error):
            raise
    else:
        raise AssertionError("the session goes on")


def _worked_until(client: psycopg.Connection[Any]) -> float:
    """When a client that asks some ten times a second is told no more."""
    while True:
        try:
            client.execute("SELECT a FROM t")
            time.sleep(0.1)
        except psycopg.OperationalError as error:
            if "the session has lasted 300 seconds" not in str(error):
                raise
            return time.monotonic()


def _ended(idle: Sequence[tuple[float, psycopg.Connection[Any]]]) -> list[float]:
    """How far from its mark each is told, whenever that is."""
    left = {client.pgconn.socket: began for began, client in idle}
    found = []
    while left:
        ready, _, _ = select.select(list(left), [], [], FIVE_MINUTES + 60)
        now = time.monotonic()
        assert ready, "a session goes on"
        found += [now - left.pop(socket) - FIVE_MINUTES for socket in ready]
    for _, client in idle:
        _said_why(client, "the session has lasted 300 seconds")
    return found

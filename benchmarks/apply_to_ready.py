"""How soon a new Connection is there: everything the operator makes for it, on a real API server.

How long pods take to start depends on the node; the e2e suite measures that on a real one.
"""

from __future__ import annotations

import json
import statistics
import time

from benchmarks.measures import Measure

from kit import control_plane, wait
from kit.control_plane import ControlPlane
from real.operator.installed import Installed

TIMES = 10
GOAL_SECONDS = 3.0
OWNED = (
    "serviceaccount,role,rolebinding,deployment,service,networkpolicy,poddisruptionbudget,configmap,secret"
)
WANTED = {
    "ServiceAccount/{0}-proxy",
    "Role/{0}-proxy",
    "RoleBinding/{0}-proxy",
    "Deployment/{0}-proxy",
    "Service/{0}",
    "NetworkPolicy/{0}-proxy",
    "PodDisruptionBudget/{0}-proxy",
    "ConfigMap/{0}-bundle",
    "Secret/{0}-tls",
}


def measure(times: int = TIMES) -> list[Measure]:
    """Connections one after the other, each in a namespace of its own."""
    with control_plane.running() as plane, Installed(plane, "policies"):
        found = sorted(_one(plane, f"db-{number}") for number in range(times))
    name = f"Connection applied to all its objects made ({times} times)"
    return [
        Measure(f"{name}: p50", statistics.median(found), "s"),
        Measure(f"{name}: longest", found[-1], "s", GOAL_SECONDS),
    ]


def _one(plane: ControlPlane, name: str) -> float:
    namespace = plane.namespace("bench")
    connection = {
        "apiVersion": "tollhouse.dev/v1alpha1",
        "kind": "Connection",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "postgres": {"host": "orders.example", "database": "orders"},
            "credentials": {"secretRef": {"name": "orders"}},
        },
    }
    start = time.monotonic()
    plane.apply(json.dumps(connection))
    wanted = {one.format(name) for one in WANTED}
    wait.until(lambda: wanted <= _there(plane, namespace), within=30, what=f"everything of {name} is made")
    return time.monotonic() - start


def _there(plane: ControlPlane, namespace: str) -> set[str]:
    listed = plane.kubectl("get", OWNED, "-n", namespace, "-o", "json", check=True).stdout
    return {f"{one['kind']}/{one['metadata']['name']}" for one in json.loads(listed)["items"]}

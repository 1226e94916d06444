"""The chart on a control plane, and the operator's process."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kit import process, wait
from kit.control_plane import ControlPlane
from kit.kube_programs import helm_program
from kit.ports import LOOPBACK, free_ports
from real.operator.callers import Caller
from real.operator.looking import Looking

ROOT = Path(__file__).parents[3]
CHART = ROOT / "charts" / "tollhouse"
NAMESPACE = "tollhouse-system"
ACCOUNT = "tollhouse-operator"


class Installed:
    """`helm install`, and `python -m tollhouse_operator` beside the API server.

    plane: where. votes: policies | webhook.
    """

    def __init__(self, plane: ControlPlane, votes: str) -> None:
        self.plane = plane
        self.votes = votes
        self._admission, self._health, self.tokens_port = free_ports(3)
        self._folder = tempfile.TemporaryDirectory(prefix="tollhouse-operator-", ignore_cleanup_errors=True)
        self.folder = Path(self._folder.name)
        self.operator: process.Server | None = None
        self._looking = Looking(plane)
        self._callers: dict[tuple[str, ...], Caller] = {}

    def __enter__(self) -> Self:
        self._install()
        token = self.plane.token(NAMESPACE, ACCOUNT)
        self.plane.write_kubeconfig("operator", {"token": token})
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._looking.close()
        for caller in self._callers.values():
            caller.close()
        self._folder.cleanup()

    def _install(self) -> None:
        values = {
            "admission.votes": self.votes,
            "admission.url": f"https://localhost:{self._admission}",
            "admission.timeoutSeconds": "5",
            "tokens.enabled": "true",
            "tokenReview.enabled": "true",
        }
        where: list[str | Path] = ["--namespace", NAMESPACE, "--create-namespace"]
        where += ["--kubeconfig", self.plane.kubeconfig()]
        settings = [word for key, value in values.items() for word in ("--set", f"{key}={value}")]
        subprocess.run(
            [helm_program(), "upgrade", "--install", "tollhouse", CHART, *where, *settings],
            check=True,
            capture_output=True,
            env={**os.environ, "HELM_CACHE_HOME": str(self.folder), "HELM_CONFIG_HOME": str(self.folder)},
        )
        for group in ("managers", "developers"):
            name = f"approver-{group}"
            self.plane.kubectl(
                "create", "clusterrolebinding", name, "--clusterrole=tollhouse-approver", f"--group={group}",
                check=True,
            )  # fmt: skip

    def start(self) -> None:
        """Starts the operator and waits until it watches and answers."""
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("TOLLHOUSE_")},
            "PYTHONPATH": f"{ROOT}/operator/src:{ROOT}/proxy_image/src",
            "TOLLHOUSE_OPERATOR_NAMESPACE": NAMESPACE,
            "TOLLHOUSE_PROXY_IMAGE": "tollhouse/proxy:test",
            "TOLLHOUSE_KUBECONFIG": str(self.plane.kubeconfig("operator")),
            "TOLLHOUSE_ADMISSION_LISTEN": f"{LOOPBACK}:{self._admission}",
            "TOLLHOUSE_ADMISSION_NAMES": "localhost",
            "TOLLHOUSE_WEBHOOK_CONFIGURATION": "tollhouse",
            "TOLLHOUSE_HEALTH_PORT": str(self._health),
            "TOLLHOUSE_VOTES": self.votes,
            "TOLLHOUSE_TOKENS_LISTEN": f"{LOOPBACK}:{self.tokens_port}",
            "TOLLHOUSE_TOKENS_ISSUER": self.tokens_issuer,
            "TOLLHOUSE_TOKEN_REVIEWERS": "tollhouse-operator-token-reviewers",
        }
        command = [sys.executable, "-m", "tollhouse_operator"]
        self.operator = process.start(
            "operator", command, log=self.folder / "operator.log", env=environment, cwd=self.folder
        )
        wait.until(self._ready, within=90, what="the operator is ready")

    def stop(self) -> None:
        """Stops the operator, as its pod's end would."""
        if self.operator is not None:
            self.operator.stop()
            self.operator = None

    @property
    def tokens_issuer(self) -> str:
        """Where the token endpoint is."""
        return f"https://localhost:{self.tokens_port}"

    @property
    def log(self) -> str:
        """Everything the operator has said."""
        return (self.folder / "operator.log").read_text()

    def shop(self) -> str:
        """A fresh namespace with Connection `orders-db` and AccessPolicy `support-agents`, reconciled."""
        namespace = self.plane.namespace("shop")
        self.plane.apply(connection(namespace), access_policy(namespace))
        self.until(lambda: self.bundle(namespace), "the bundle is there")
        self.until(lambda: self.get("deployment", "orders-db-proxy", namespace), "the Deployment is there")
        self.until(
            lambda: self.condition("connection", "orders-db", namespace, "PoliciesCompiled"),
            "the Connection has a status",
        )
        return namespace

    def person(self, name: str, user: str = "", groups: Sequence[str] = ()) -> Caller:
        """Somebody with a certificate of `plane.person`; with `user`, impersonating that one."""
        key = ("person", name, user, *groups)
        return self._callers.setdefault(key, Caller(self.plane, name, user=user, groups=groups))

    def machine(self, namespace: str, account: str) -> Caller:
        """A ServiceAccount with a token of its own."""
        key = ("machine", namespace, account)
        if key not in self._callers:
            self._callers[key] = Caller(self.plane, token=self.plane.token(namespace, account))
        return self._callers[key]

    def get(self, kind: str, name: str, namespace: str) -> dict[str, Any] | None:
        """One object."""
        return self._looking.get(kind, name, namespace)

    def bundle(self, namespace: str, name: str = "orders-db") -> dict[str, Any] | None:
        """The bundle's ConfigMap."""
        return self.get("configmap", f"{name}-bundle", namespace)

    def revision(self, namespace: str, name: str = "orders-db") -> str:
        """The revision in force."""
        found = self.bundle(namespace, name)
        return str(found["metadata"]["annotations"]["tollhouse.dev/revision"]) if found else ""

    def condition(self, kind: str, name: str, namespace: str, type_: str) -> dict[str, Any]:
        """One condition; empty while it is not there."""
        found = self.get(kind, name, namespace) or {}
        conditions = (found.get("status") or {}).get("conditions") or []
        return next((one for one in conditions if one["type"] == type_), {})

    def until(self, condition: Callable[[], Any], what: str, within: float = 60.0) -> Any:
        """Waits, and shows the operator's last words if it was in vain."""
        try:
            return wait.until(condition, within=within, what=what, every=0.02)
        except AssertionError as error:
            raise AssertionError(f"{error}\nthe operator says:\n{self.log[-3000:]}") from error

    def _ready(self) -> bool:
        assert self.operator is not None
        self.operator.check()
        with urllib.request.urlopen(f"http://{LOOPBACK}:{self._health}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)


def connection(namespace: str, name: str = "orders-db", **spec: Any) -> dict[str, Any]:
    """A Connection to a server that need not exist."""
    return {
        "apiVersion": "tollhouse.dev/v1alpha1",
        "kind": "Connection",
        "metadata": {"name": name, "namespace": namespace, "labels": {"tier": "prod"}},
        "spec": {
            "postgres": {"host": "orders.example.test", "database": "orders", "tls": {"mode": "Require"}},
            "credentials": {"secretRef": {"name": "orders-db-login"}},
            **spec,
        },
    }


def access_policy(
    namespace: str,
    name: str = "support-agents",
    *,
    tables: tuple[str, ...] = ("orders",),
    connections: Mapping[str, Any] | None = None,
    when: str | None = None,
) -> dict[str, Any]:
    """A policy of one rule."""
    rule: dict[str, Any] = {
        "name": "read",
        "allow": {"sql": {"access": ["Select"], "tables": list(tables)}},
    }
    if when is not None:
        rule["when"] = when
    return {
        "apiVersion": "tollhouse.dev/v1alpha1",
        "kind": "AccessPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "connections": dict(connections or {"names": ["orders-db"]}),
            "subjects": [{"group": "support-agents"}],
            "rules": [rule],
        },
    }

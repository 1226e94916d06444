"""The proxy of a Connection as its pod would run it, beside a control plane without a kubelet."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kit import process, wait
from kit.control_plane import ControlPlane
from kit.ports import LOOPBACK, answers, free_ports
from real.operator.installed import ROOT


@dataclass(frozen=True, slots=True)
class Proxying:
    """A running proxy: where it listens, and what it has recorded."""

    port: int
    folder: Path

    @property
    def audit(self) -> str:
        """Every Event so far, a line each."""
        return (self.folder / "audit.jsonl").read_text()

    @property
    def log(self) -> str:
        """What it has said."""
        return (self.folder / "proxy.log").read_text()


@contextmanager
def proxying(plane: ControlPlane, namespace: str, name: str = "orders-db") -> Iterator[Proxying]:
    """Runs with the proxy's own ServiceAccount, which the operator must have made."""
    plane.write_kubeconfig("proxy", {"token": plane.token(namespace, f"{name}-proxy")})
    with process.workshop("proxy") as folder:
        port, health = free_ports(2)
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("TOLLHOUSE_")},
            "PYTHONPATH": str(ROOT / "proxy_image" / "src"),
            "TOLLHOUSE_STORE": "kubernetes",
            "TOLLHOUSE_KUBECONFIG": str(plane.kubeconfig("proxy")),
            "TOLLHOUSE_NAMESPACE": namespace,
            "TOLLHOUSE_CONNECTION": name,
            "TOLLHOUSE_INSTANCE": "kit",
            "TOLLHOUSE_LISTEN": f"{LOOPBACK}:{port}",
            "TOLLHOUSE_HEALTH": f"{LOOPBACK}:{health}",
            "TOLLHOUSE_AUDIT_FILE": str(folder / "audit.jsonl"),
            "TOLLHOUSE_AUDIT_STDOUT": "false",
        }
        running = process.start(
            "proxy", [sys.executable, "-m", "tollhouse_proxy"], log=folder / "proxy.log", env=environment
        )

        def listens() -> bool:
            running.check()
            return answers(port)

        try:
            wait.until(listens, within=60, what="the proxy listens")
            yield Proxying(port, folder)
        finally:
            running.stop()

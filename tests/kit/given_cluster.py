"""A cluster that somebody gave us by its kubeconfig: kind, a cloud's, anything that can run our images."""

from __future__ import annotations

import subprocess
from pathlib import Path

from kit.control_plane import PEOPLE, Cluster
from kit.kube_programs import kubectl_program


class GivenCluster(Cluster):
    """People are impersonated by the administrator whose kubeconfig was given (`kubectl --as`)."""

    def __init__(self, kubeconfig: Path) -> None:
        self._given = kubeconfig
        self.server = ""

    def kubeconfig(self, user: str = "admin") -> Path:
        return self._given

    def kubectl_command(self, user: str = "admin") -> list[str]:
        command = [str(kubectl_program()), "--kubeconfig", str(self._given)]
        if user == "admin":
            return command
        groups = [*PEOPLE.get(user, ()), "system:authenticated"]
        return [*command, "--as", user, *(word for group in groups for word in ("--as-group", group))]

    def load(self, image: str, *names: str) -> str:
        """Images must be where the cluster pulls them from: this only says their name."""
        return image

    def run_inside(self, *command: str | Path) -> str:
        raise NotImplementedError("a given cluster's nodes cannot be entered")

    def stop(self) -> None:
        """A given cluster stays."""

    def reachable(self) -> bool:
        command = [*self.kubectl_command(), "get", "--raw", "/readyz"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

"""`kubectl tollhouse` as somebody has it: the plugin on PATH, that person's kubeconfig, nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from kit.control_plane import Cluster
from kit.kube_programs import kubectl_program

SOURCES = [Path(__file__).parents[2] / folder / "src" for folder in ("operator", "proxy_image")]


class Plugin:
    """The shell of `user`; `folder` is empty and theirs."""

    def __init__(self, cluster: Cluster, folder: Path, user: str) -> None:
        self._folder = folder
        program = folder / "kubectl-tollhouse"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m tollhouse_operator.cli "$@"\n')
        program.chmod(0o755)
        self._environment: Mapping[str, str] = {
            "HOME": str(folder),
            "KUBECONFIG": str(cluster.kubeconfig(user)),
            "PATH": os.pathsep.join([str(folder), str(kubectl_program().parent), os.defpath]),
            "PYTHONPATH": os.pathsep.join(map(str, SOURCES)),
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`kubectl tollhouse ARGUMENTS`."""
        command = [str(kubectl_program()), "tollhouse", *arguments]
        return subprocess.run(
            command,
            env=self._environment,
            cwd=self._folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

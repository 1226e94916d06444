"""OpenBao on disk: it may be killed, sealed and started again, and keeps what it held."""

from __future__ import annotations

import json
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kit import process, wait
from kit.openbao import BaoError, OpenBao, program
from kit.ports import LOOPBACK, free_ports


class DurableBao:
    """A server that keeps its data on disk: it may die and come back, sealed until it is unsealed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        port, cluster = free_ports(2)
        self.address = f"http://{LOOPBACK}:{port}"
        (folder / "data").mkdir()
        (folder / "config.hcl").write_text(
            f'storage "raft" {{ path = "{folder}/data" node_id = "kit" }}\n'
            f'listener "tcp" {{ address = "{LOOPBACK}:{port}" tls_disable = true }}\n'
            f'api_addr = "{self.address}"\ncluster_addr = "http://{LOOPBACK}:{cluster}"\n'
        )
        self.start()
        try:
            made = self._call("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
            self._unseal_key = made["keys"][0]
            self.bao = OpenBao(self.address, made["root_token"], self.server)
            self.unseal()
        except BaseException:
            self.server.stop()
            raise

    def start(self) -> None:
        command: list[str | Path] = [
            program(),
            "server",
            f"-config={self._folder}/config.hcl",
            "-log-level=warn",
        ]
        self.server = process.start("OpenBao", command, log=self._folder / "bao.log")
        try:
            wait.until(self._answers, within=60, what="OpenBao answers")
        except BaseException:
            self.server.stop()
            raise

    def freeze(self) -> None:
        """It answers nothing, and keeps its connections."""
        self.server.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        self.server.signal(signal.SIGCONT)

    def unseal(self) -> None:
        self._call("PUT", "sys/unseal", {"key": self._unseal_key})
        wait.until(lambda: not self._call("GET", "sys/seal-status")["sealed"], within=60)
        wait.until(self._active, within=60, what="OpenBao is active")

    def kill(self) -> None:
        self.server.signal(signal.SIGKILL)
        self.server.wait()
        self.server.stop()  # closes the keeper's pipes

    def _answers(self) -> bool:
        self.server.check()
        return "sealed" in self._call("GET", "sys/seal-status")

    def _active(self) -> bool:
        """It leads, and has its mounts: a moment after it is unsealed it may still refuse to write."""
        try:
            self.bao.read("sys/mounts")
        except BaoError:
            return False
        return bool(self._call("GET", "sys/leader")["is_self"])

    def _call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}/v1/{path}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return dict(json.loads(answer.read()))


@contextmanager
def durable_bao() -> Iterator[DurableBao]:
    """Runs until the end of the block."""
    with process.workshop("openbao-durable") as folder:
        made = DurableBao(folder)
        try:
            yield made
        finally:
            made.server.stop()

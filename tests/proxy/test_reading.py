"""The process that reads long texts, by itself."""

from __future__ import annotations

import socket
import subprocess
import sys


def test_it_ends_quietly_when_its_proxy_has_gone_before_it_could_answer() -> None:
    ours, theirs = socket.socketpair()
    body = b"nothing it could read"
    with ours:
        ours.sendall(b"Q" + len(body).to_bytes(4, "big") + body)
    with theirs:
        command = [sys.executable, "-m", "tollhouse_proxy.reading"]
        done = subprocess.run(
            command, stdin=theirs.fileno(), capture_output=True, text=True, check=False, timeout=60
        )
    assert done.stderr.splitlines() == ["a text could not be read: UnpicklingError"]
    assert done.returncode == 0

"""Runs one server and outlives the test run by just long enough to stop it.

Started by `kit.process` as a script of its own (`python -I -S keeper.py SPEC`). Its standard input is a pipe
whose other end the test run holds: when that closes, for whatever reason (the test is over, the run was
killed), the keeper stops the server and removes the folders it was told to. If the keeper itself is
killed, the kernel kills the server (PR_SET_PDEATHSIG).

SPEC is JSON: argv, cwd, env, log (path), uid (null: as now), stop (signal number), grace (seconds until
SIGKILL), remove (list of folders). Prints the server's process id on standard output.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from typing import Any

PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent ends (prctl(2)); Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start(spec: dict[str, Any]) -> subprocess.Popen[bytes]:
    # subprocess changes the user before preexec_fn runs: in the other order the kernel forgets the request.
    with open(spec["log"], "ab") as log:
        return subprocess.Popen(
            spec["argv"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=spec["cwd"],
            env=spec["env"],
            user=spec["uid"],
            group=spec["uid"],
            extra_groups=None if spec["uid"] is None else [],
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - one thread only
        )


def watch(server: subprocess.Popen[bytes]) -> None:
    """Return when the server has ended or the test run has let go of the pipe."""
    ended = os.pidfd_open(server.pid)
    ready = select.poll()
    ready.register(ended, select.POLLIN)
    ready.register(0, select.POLLIN | select.POLLHUP)
    while True:
        for descriptor, _ in ready.poll():
            if descriptor == ended or not os.read(0, 4096):
                os.close(ended)
                return


def stop(server: subprocess.Popen[bytes], how: int, grace: float) -> None:
    if server.poll() is None:
        server.send_signal(how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(grace)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def remove(folder: str) -> None:
    """Remove a folder; what is still in use for a moment (a cgroup whose last process is ending) soon."""
    end = time.monotonic() + 5
    while os.path.exists(folder) and time.monotonic() < end:
        shutil.rmtree(folder, ignore_errors=True)
        if os.path.exists(folder):
            time.sleep(0.05)


def main() -> int:
    # Ctrl-C on a terminal reaches the whole group: the test run decides when servers stop, not the keyboard.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    spec = json.loads(sys.argv[1])
    try:
        server = start(spec)
    except OSError as error:
        print(f"error {error}", flush=True)
        return 1
    print(f"pid {server.pid}", flush=True)
    watch(server)
    stop(server, spec["stop"], spec["grace"])
    for folder in spec["remove"]:
        remove(folder)
    return server.returncode if server.returncode >= 0 else 128 - server.returncode


if __name__ == "__main__":
    sys.exit(main())

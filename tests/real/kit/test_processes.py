"""Servers of the test kit end with the test run, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kit import process, wait

SLEEPER = [sys.executable, "-c", "import signal; signal.pause()"]
RUN = """
import sys
from pathlib import Path
from kit import process
folder = Path(sys.argv[1])
sleeper = [sys.executable, "-c", "import signal; signal.pause()"]
made = process.start("sleeper", sleeper, log=folder / "log", remove=[folder])
print(made.pid, flush=True)
sys.stdin.read()
"""


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def gone(pid: int) -> bool:
    return not alive(pid)


def test_stopping_a_server_ends_it_and_its_children(tmp_path: Path) -> None:
    family = (
        "import subprocess, sys, signal\n"
        "print(subprocess.Popen(sys.argv[1:]).pid, flush=True); signal.pause()"
    )
    server = process.start("family", [sys.executable, "-c", family, *SLEEPER], log=tmp_path / "log")
    child = wait.until(lambda: int((tmp_path / "log").read_text()))
    server.stop()
    assert not alive(server.pid)
    wait.until(lambda: gone(child), what="the child is gone")


def test_a_killed_test_run_leaves_no_server_and_no_folder(tmp_path: Path) -> None:
    folder = tmp_path / "server"
    folder.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(Path(process.__file__).parent.parent)}
    with subprocess.Popen(
        [sys.executable, "-c", RUN, str(folder)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as run:
        assert run.stdout is not None
        pid = int(run.stdout.readline())
        assert alive(pid)
        run.send_signal(signal.SIGKILL)
        wait.until(lambda: gone(pid), what="the server of the killed run is gone")
        wait.until(lambda: not folder.exists(), what="its folder is gone")


def test_a_killed_keeper_takes_its_server_along(tmp_path: Path) -> None:
    server = process.start("sleeper", SLEEPER, log=tmp_path / "log")
    keeper = int(next(line for line in status(server.pid) if line.startswith("PPid:")).split()[1])
    os.kill(keeper, signal.SIGKILL)
    wait.until(lambda: gone(server.pid), what="the server of the killed keeper is gone")
    server.stop()


def test_a_server_that_ends_by_itself_is_reported_with_its_last_words(tmp_path: Path) -> None:
    server = process.start("mayfly", [sys.executable, "-c", "exit('no such port')"], log=tmp_path / "log")
    server.wait()
    with pytest.raises(process.DiedEarly, match="no such port"):
        server.check()
    server.stop()


def test_a_program_that_is_not_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(process.DiedEarly, match="could not be started"):
        process.start("nothing", [tmp_path / "nothing"], log=tmp_path / "log")


def status(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/status").read_text().splitlines()

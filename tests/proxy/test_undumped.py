"""The memory of the proxy is in no file, and for no other process of the same user."""

from __future__ import annotations

import subprocess
import sys

_TOLD = """
import resource, ctypes, os, subprocess, sys
from tollhouse_proxy.undumped import keep_memory_private
keep_memory_private()
dumpable = ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)
asks = "import resource; print(resource.getrlimit(resource.RLIMIT_CORE))"
child = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True).stdout.strip()
print(resource.getrlimit(resource.RLIMIT_CORE), dumpable, child, sep="|")
"""
_MAIN = """
import ctypes, resource, sys
sys.argv = ["proxy"]
from tollhouse_proxy import main
main.run = lambda environment: print(resource.getrlimit(resource.RLIMIT_CORE),
    ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), sep="|") or 0
main.main([])
"""


def said(program: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True,
        env={"PYTHONPATH": ":".join(sys.path)})  # fmt: skip
    return done.stdout.strip().split("|")


def test_no_core_dump_is_made_and_none_of_its_children() -> None:
    limit, dumpable, child = said(_TOLD)
    assert (limit, dumpable, child) == ("(0, 0)", "0", "(0, 0)")


def test_a_proxy_begins_with_it() -> None:
    assert said(_MAIN) == ["(0, 0)", "0"]

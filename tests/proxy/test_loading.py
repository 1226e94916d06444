"""What a proxy loads before it serves: every library costs time at each start and memory in each pod."""

from __future__ import annotations

import subprocess
import sys

UNWANTED = {"kubernetes", "hvac", "requests", "prompt_toolkit", "cel.cli", "tollhouse_proxy.explaining"}


def test_libraries_of_one_store_or_one_command_are_not_loaded_by_all() -> None:
    program = (
        f"import sys, tollhouse_proxy.main; print(*(set(sys.modules) & {UNWANTED!r}))\n"
        "import cel; assert cel.evaluate('1 + 1', {}) == 2"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True,
        env={"PYTHONPATH": ":".join(sys.path)})  # fmt: skip
    assert done.stdout.split() == []

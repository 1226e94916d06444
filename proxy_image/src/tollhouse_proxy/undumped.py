"""The memory of a process that holds secrets: no core dump is made of it, and no process of the same user may
look into it."""

from __future__ import annotations

import ctypes
import os
import resource
import sys

_PR_SET_DUMPABLE = 4
"""prctl(2). It also keeps ptrace(2) and /proc/PID/mem to root."""


def keep_memory_private() -> None:
    """For the calling process from now on; programs that it starts begin anew. Raises OSError where the
    kernel refuses: a proxy whose memory could end up in a file must not begin to fetch secrets."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))

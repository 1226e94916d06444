"""Starts a program that dies with us: `python -I -S leash.py PARENT SIGNAL USER PROGRAM...`.

Becomes the user (a number; -1 stays as it is), asks the kernel for the signal at the parent's end
(prctl(2), PR_SET_PDEATHSIG), makes sure that the parent has not ended meanwhile, and becomes the
program. In this order: the kernel forgets the request when the user changes. A script of its own,
because a child of a threaded program may do next to nothing before exec.
"""

from __future__ import annotations

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Never returns, unless the program cannot be started or the parent is gone."""
    parent, end, user = map(int, sys.argv[1:4])
    program = sys.argv[4:]
    if user >= 0:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, end)
        if os.getppid() != parent:
            sys.exit(1)
    os.execv(program[0], program)  # noqa: S606 - the program is ours


if __name__ == "__main__":
    main()

"""The first process of a test node's own process namespace.

It only buries the dead. When it is killed, the kernel kills every process of the namespace with it, and the
mounts and the network of the node vanish: nothing of a node outlives this process.
"""

from __future__ import annotations

import os
import signal


def main() -> None:
    signal.signal(signal.SIGCHLD, lambda *_: None)  # a handler of one's own, so that sigwait sees the signal
    wanted = {signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
    while True:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass
        signal.sigwait(wanted)


if __name__ == "__main__":
    main()

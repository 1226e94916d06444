"""What every connection's socket is told, whichever loop made it."""

from __future__ import annotations

import asyncio
import socket

KEEP_IDLE_SECONDS = 60
KEEP_INTERVAL_SECONDS = 15
KEEP_PROBES = 4
"""A peer gone without a word (a pulled cable, a firewall that forgot) is noticed after two minutes."""

# TCP_USER_TIMEOUT is left alone on purpose: it also ends a peer that lives and only takes no bytes for a
# while, as a server does whose COPY FROM waits for another session, or a client that thinks over a row.
_OPTIONS = (
    (socket.IPPROTO_TCP, "TCP_NODELAY", 1),
    (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE", KEEP_IDLE_SECONDS),
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL", KEEP_INTERVAL_SECONDS),
    (socket.IPPROTO_TCP, "TCP_KEEPCNT", KEEP_PROBES),
)


def tune(transport: asyncio.BaseTransport) -> None:
    """Small messages go out at once, and a peer that is gone is noticed. A unix socket needs neither."""
    sock = transport.get_extra_info("socket")
    if sock is None or sock.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    for level, name, value in _OPTIONS:
        option = getattr(socket, name, None)  # some are Linux's own
        if option is not None:
            sock.setsockopt(level, option, value)

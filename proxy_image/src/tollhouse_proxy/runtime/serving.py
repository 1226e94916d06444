"""The listener: accepts clients, watches their time limits, and lets them go."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field

from tollhouse_proxy.exchange import EndNow, EndReason, EndWhenIdle
from tollhouse_proxy.runtime.session import ClientSession, Parts, TimeLimits, errands

_LOOK_EVERY_SECONDS = 0.25
"""How often time limits are looked at: a session ends within a second of its end."""

_LOOK_AT_ONCE = 50
"""So many are looked at before whatever waits for the loop goes on."""

_GOODBYE_SECONDS = 2.0

_DOORS = 16
"""How many connections are taken in one turn of the loop: uvloop takes one from each listening descriptor.
With a single one, a cancel would wait for seconds behind others' connections when turns are long."""


@dataclass(frozen=True, slots=True)
class RuntimeSettings:
    """Where clients are served, and how long things may take.

    host, port: where to listen; port 0 lets the system choose. backlog: connections that may wait to be
    accepted. share_port: several processes may listen on the same port (SO_REUSEPORT).
    limits: see TimeLimits. most_sessions: connections beyond are closed at once.
    """

    host: str
    port: int
    backlog: int = 512
    share_port: bool = False
    limits: TimeLimits = field(default_factory=TimeLimits)
    most_sessions: int = 5000


class Serving:
    """A running listener with its sessions."""

    def __init__(self, settings: RuntimeSettings, parts: Parts) -> None:
        self._settings = settings
        self._parts = parts
        self._sessions: set[ClientSession] = set()
        self._doors: list[asyncio.Server] = []
        self._watch: asyncio.Task[None] | None = None
        self._empty = asyncio.Event()
        self._empty.set()
        self.port = settings.port

    @property
    def sessions(self) -> int:
        """How many clients are logged in."""
        return sum(session.is_open for session in self._sessions)

    async def start(self) -> None:
        """Listens. Raises OSError when it cannot."""
        loop = asyncio.get_running_loop()
        settings = self._settings
        listener = _listener(settings)
        self.port = int(listener.getsockname()[1])
        sockets = [listener]
        try:
            while len(sockets) < _DOORS:
                sockets.append(listener.dup())
            for one in sockets:
                self._doors.append(await loop.create_server(self._accept, sock=one, backlog=settings.backlog))
        except OSError:
            self._close_doors()
            for one in sockets:
                one.close()
            raise
        self._watch = loop.create_task(self._watch_time())

    async def drain(self, seconds: float, words: str = "the proxy is being shut down") -> None:
        """Takes no more clients; sessions end as soon as they are idle, and all of them after `seconds`."""
        self._close_doors()
        for session in tuple(self._sessions):
            session.tell(EndWhenIdle(words))
        await self._emptied(seconds)
        for session in tuple(self._sessions):
            session.tell(EndNow(EndReason.DRAIN, words, "Connect again."))
        await self._emptied(_GOODBYE_SECONDS)
        for session in tuple(self._sessions):
            session.abort()
        await self._emptied(_GOODBYE_SECONDS)
        if self._watch is not None:
            self._watch.cancel()
        await errands(_GOODBYE_SECONDS)

    def _close_doors(self) -> None:
        for door in self._doors:
            door.close()

    async def _emptied(self, seconds: float) -> None:
        if self._sessions and seconds > 0:
            try:
                async with asyncio.timeout(seconds):
                    await self._empty.wait()
            except TimeoutError:
                return

    def _accept(self) -> ClientSession:
        session = ClientSession(self._parts, self._settings.limits, self._over)
        if len(self._sessions) >= self._settings.most_sessions:
            session.turn_away()
        self._sessions.add(session)
        self._empty.clear()
        return session

    def _over(self, session: ClientSession) -> None:
        self._sessions.discard(session)
        if not self._sessions:
            self._empty.set()

    async def _watch_time(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
            for number, session in enumerate(tuple(self._sessions)):
                session.check_time()
                if number % _LOOK_AT_ONCE == _LOOK_AT_ONCE - 1:
                    await asyncio.sleep(0)


async def serve(settings: RuntimeSettings, parts: Parts) -> Serving:
    """Begins to serve clients; the caller drains it in the end. Raises OSError."""
    serving = Serving(settings, parts)
    await serving.start()
    return serving


def _listener(settings: RuntimeSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # IPPROTO_TCP by name: with protocol 0 asyncio leaves Nagle's algorithm on for accepted connections.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if settings.share_port:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.setblocking(False)
        listener.bind((settings.host, settings.port))
    except BaseException:
        listener.close()
        raise
    return listener

"""Backend sessions that wait for clients: made ahead, each for one client, never used twice.

What a kind of client is, its protocol says (`exchange.Ahead`). A kind is warmed once a client of it has come,
and forgotten when none has come for the greatest age. All kinds together hold no more than the bound.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass, field
from typing import Any

from tollhouse_core.clock import Clock
from tollhouse_proxy.exchange import Ahead, BackendOpened, CredentialLent, CredentialRejected, Warmed
from tollhouse_proxy.ports.credentials import CredentialSource, CredentialUnavailable
from tollhouse_proxy.runtime.dialing import BackendWire, Unreachable, dial
from tollhouse_proxy.runtime.lease import Lease

log = logging.getLogger("tollhouse.warm")

_LOOK_EVERY_SECONDS = 1.0
_MAKE_SECONDS = 20.0
_REST_SECONDS = 5.0
"""After a session could not be made, none is tried for so long: clients find out by themselves."""

_SETTLE_SECONDS = 0.05
"""After a client has come none is made for so long: what it asks first is not to wait for our log-ins."""

_KINDS = 8


@dataclass(frozen=True, slots=True)
class WarmSettings:
    """sessions: how many may wait, all kinds together; 0: none. max_age_seconds: no session waits longer."""

    sessions: int = 0
    max_age_seconds: float = 300.0


class Waiting:
    """One session that waits. `over` is called once when it cannot serve any more."""

    def __init__(
        self, machine: Warmed, lease: Lease, wire: BackendWire, over: Callable[[Waiting], None]
    ) -> None:
        self.machine = machine
        self.lease = lease
        self.wire = wire
        self.made_at = 0.0
        self._over: Callable[[Waiting], None] | None = over
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        wire.attach(self._received, self._lost, lambda _: None)

    async def log_in(self, lent: CredentialLent, opened: BackendOpened) -> None:
        """Raises Unreachable, or what the machine raises."""
        self.machine.introduce(lent, opened)
        self._send()
        await self._ready

    def let_go(self) -> None:
        """It is somebody's now: what happens to it is their business."""
        self._over = None

    def end(self, *_: object) -> None:
        """It will serve nobody."""
        over, self._over = self._over, None
        if over is not None:
            over(self)

    def _received(self, data: bytes) -> None:
        try:
            self.machine.backend_data(data)
        except Exception as error:
            self._fail(error)
            return
        self._send()
        if self.machine.ready and not self._ready.done():
            self._ready.set_result(None)

    def _lost(self) -> None:
        self._fail(Unreachable("the backend closed the connection"))

    def _fail(self, error: Exception) -> None:
        if not self._ready.done():
            self._ready.set_exception(error)
        self.end()

    def _send(self) -> None:
        data = b"".join(self.machine.outbox.backend)
        self.machine.outbox.backend.clear()
        if data and self.wire.transport is not None:
            self.wire.transport.write(data)


@dataclass
class _Kind:
    make: Callable[[], Warmed]
    asked_at: float
    ready: deque[Waiting] = field(default_factory=deque)
    making: int = 0
    rests_until: float = 0.0


class WarmPool:
    """See the module. `settings` are those in force; they may change at any time."""

    def __init__(
        self,
        credentials: Callable[[str], CredentialSource],
        clock: Clock,
        settings: Callable[[], WarmSettings],
        rejected: Callable[[], None] = lambda: None,
    ) -> None:
        """`rejected` counts credentials that the backend did not accept."""
        self._credentials = credentials
        self._clock = clock
        self._settings = settings
        self._rejected = rejected
        self._kinds: OrderedDict[Hashable, _Kind] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._watch: asyncio.Task[None] | None = None
        self._soon: asyncio.TimerHandle | None = None
        self._closed = False
        self.taken = 0

    @property
    def waiting(self) -> int:
        """How many sessions wait."""
        return sum(len(kind.ready) for kind in self._kinds.values())

    def start(self) -> None:
        """Watches ages from now on."""
        self._watch = asyncio.get_running_loop().create_task(self._look_on())

    def take(self, ahead: Ahead) -> Waiting | None:
        """A session for a client of this kind, from now on its own; None: it must make one."""
        settings = self._settings()
        if not settings.sessions or self._closed:
            return None
        now = self._clock.monotonic()
        kind = self._kinds.setdefault(ahead.key, _Kind(ahead.make, now))
        kind.make, kind.asked_at = ahead.make, now
        self._kinds.move_to_end(ahead.key)
        found = kind.ready.popleft() if kind.ready else None
        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_later(_SETTLE_SECONDS, self._fill)
        if found is not None:
            found.let_go()
            self.taken += 1
        return found

    def flush(self) -> None:
        """Server or credentials have changed: what waits is for the old ones."""
        for kind in tuple(self._kinds.values()):
            self._empty(kind)
        self._kinds.clear()

    async def close(self) -> None:
        """Ends what waits and gives its credentials back."""
        self._closed = True
        for running in (self._watch, self._soon):
            if running is not None:
                running.cancel()
        self.flush()
        self._later(asyncio.sleep(0))
        while self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=_MAKE_SECONDS)

    # ------------------------------------------------------------ keeping the number

    async def _look_on(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
            now, oldest = self._clock.monotonic(), self._settings().max_age_seconds
            for key, kind in tuple(self._kinds.items()):
                while kind.ready and now - kind.ready[0].made_at >= oldest:
                    kind.ready[0].end()
                if now - kind.asked_at >= oldest:
                    self._empty(kind)
                    del self._kinds[key]
            self._fill()

    def _fill(self) -> None:
        self._soon = None
        if self._closed:
            return
        bound, now = self._settings().sessions, self._clock.monotonic()
        while len(self._kinds) > max(1, min(_KINDS, bound)):
            _, dropped = self._kinds.popitem(last=False)
            self._empty(dropped)
        if not self._kinds:
            return
        share = max(bound // len(self._kinds), 1 if bound else 0)
        for key, kind in self._kinds.items():
            while len(kind.ready) > share:
                kind.ready[0].end()
            while len(kind.ready) + kind.making < share and now >= kind.rests_until:
                kind.making += 1
                self._later(self._make(key, kind))

    def _empty(self, kind: _Kind) -> None:
        while kind.ready:
            kind.ready[0].end()

    async def _make(self, key: Hashable, kind: _Kind) -> None:
        try:
            async with asyncio.timeout(_MAKE_SECONDS):
                made = await self._made_by_second(kind)
        except (CredentialUnavailable, CredentialRejected, Unreachable, TimeoutError) as error:
            kind.rests_until = self._clock.monotonic() + _REST_SECONDS
            log.warning("no backend session can be made ahead: %s", error)
        except Exception as error:  # what the server said to us: its words may hold anything
            kind.rests_until = self._clock.monotonic() + _REST_SECONDS
            log.warning("no backend session can be made ahead: %s", type(error).__name__)
        else:
            if self._kinds.get(key) is kind and not self._closed:
                made.made_at = self._clock.monotonic()
                kind.ready.append(made)
            else:
                made.end()
        finally:
            kind.making -= 1

    async def _made_by_second(self, kind: _Kind) -> Waiting:
        """A credential may be rotated between fetching and logging in: another is fetched once."""
        try:
            return await self._made(kind)
        except CredentialRejected as rejected:
            self._rejected()
            log.warning("%s; another is fetched", rejected)
        try:
            return await self._made(kind)
        except CredentialRejected:
            self._rejected()
            raise

    async def _made(self, kind: _Kind) -> Waiting:
        machine = kind.make()
        ended: list[Waiting] = []
        lease = Lease(
            self._credentials(machine.role), self._clock, lambda _: ended[0].end() if ended else None
        )
        credential = await lease.acquire()
        wire: BackendWire | None = None
        try:
            opened = await dial(machine.dial.target, machine.dial.greeting, _MAKE_SECONDS)
            wire = opened.wire
            waiting = Waiting(machine, lease, wire, lambda one: self._ended(kind, one))
            ended.append(waiting)
            lent = CredentialLent(credential.username, credential.password)
            await waiting.log_in(lent, BackendOpened(opened.certificate_hash, opened.verified))
        except BaseException:
            if ended:
                ended[0].end()
            elif wire is None or wire.transport is None:
                self._later(lease.release())
            raise
        return waiting

    def _ended(self, kind: _Kind, waiting: Waiting) -> None:
        if waiting in kind.ready:
            kind.ready.remove(waiting)
        transport = waiting.wire.transport
        if transport is not None and self._closed:
            transport.abort()  # nobody will wait for a farewell of TLS
        elif transport is not None:
            transport.close()
        self._later(waiting.lease.release())

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

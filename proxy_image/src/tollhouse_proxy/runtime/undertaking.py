"""One errand on its way: its credential, its backend session, and both given back whatever happens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from tollhouse_core.clock import Clock
from tollhouse_proxy.exchange import BackendOpened, CredentialLent, CredentialRejected, Errand
from tollhouse_proxy.ports.credentials import CredentialSource, CredentialUnavailable
from tollhouse_proxy.runtime.dialing import BackendWire, Unreachable, dial, send_aside
from tollhouse_proxy.runtime.lease import Lease

log = logging.getLogger("tollhouse.session")


class Undertaking:
    """Drives one errand. `moved` is called after everything that happens to it; `run` ends when the
    connection is closed and the credential given back (as far as its source could be reached; it goes on
    trying)."""

    def __init__(
        self,
        errand: Errand,
        credentials: Callable[[str], CredentialSource],
        clock: Clock,
        dial_seconds: float,
        moved: Callable[[], None],
    ) -> None:
        self.errand = errand
        self._credentials = credentials
        self._clock = clock
        self._dial_seconds = dial_seconds
        self._moved = moved
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._attempt: asyncio.Task[None] | None = None
        self._lease: Lease | None = None
        self._wire: BackendWire | None = None
        self._stopped = False
        self._client_full = False
        self._paused = False

    async def run(self) -> None:
        """From the credential to its return. Never raises."""
        if not self._stopped:
            self._attempt = asyncio.get_running_loop().create_task(self._try_twice())
            await asyncio.wait({self._attempt})
            if not self._attempt.cancelled():
                self._note(self._attempt.exception())
        if self._over.done() and not self._over.cancelled():
            self._over.exception()  # known already
        await self._give_back()
        self.errand.returned = True
        self._moved()

    def stop(self) -> None:
        """The client's session is over: nothing is awaited but what must be given back."""
        self._stopped = True
        if self._attempt is not None:
            self._attempt.cancel()

    def go_on(self) -> None:
        """The errand has something to send, or is over."""
        transport = self._wire.transport if self._wire is not None else None
        if self.errand.outbox.backend:
            data = b"".join(self.errand.outbox.backend)
            self.errand.outbox.backend.clear()
            if transport is not None and not transport.is_closing():
                transport.write(data)
        self._pace()
        if (self.errand.over or self.errand.broken is not None) and not self._over.done():
            self._over.set_result(None)

    def client_full(self, full: bool) -> None:
        """Whether the client reads too slowly for more."""
        self._client_full = full
        self._pace()

    async def _try_twice(self) -> None:
        """What the backend does not accept is fetched anew, once."""
        try:
            await self._try()
        except CredentialRejected as rejected:
            log.warning("%s; another is fetched", rejected)
            await self._give_back()
            self._over = asyncio.get_running_loop().create_future()
            await self._try()

    async def _try(self) -> None:
        errand = self.errand
        self._lease = Lease(self._credentials(errand.credential), self._clock, self._credential_ended)
        credential = await self._lease.acquire()
        opened = await dial(errand.dial.target, errand.dial.greeting, self._dial_seconds)
        self._wire = opened.wire
        opened.wire.attach(self._received, self._lost, _nothing)
        errand.introduce(
            CredentialLent(credential.username, credential.password),
            BackendOpened(opened.certificate_hash, opened.verified),
        )
        self.go_on()
        await self._over

    def _note(self, error: BaseException | None) -> None:
        match error:
            case None:
                return
            case CredentialUnavailable() | Unreachable():
                self.errand.fail(str(error))
            case CredentialRejected():
                self.errand.fail(f"{error}, nor one that was fetched anew")
            case Exception():
                self.errand.broken = error
            case _:
                raise error

    def _received(self, data: bytes) -> None:
        if self._over.done():
            return
        try:
            self.errand.backend_data(data)
        except Exception as error:
            self._over.set_exception(error)
            return
        self.go_on()
        self._moved()

    def _lost(self) -> None:
        if not self._over.done():
            self.errand.fail("the backend closed the connection")
            self.go_on()
            self._moved()

    def _credential_ended(self, words: str) -> None:
        if not self._over.done():
            self.errand.fail(words)
            self.go_on()
            self._moved()

    def _pace(self) -> None:
        """Reads the backend only while its bytes can be taken."""
        transport = self._wire.transport if self._wire is not None else None
        pause = self._client_full or not self.errand.outbox.thirsty
        if transport is None or pause is self._paused or transport.is_closing():
            return
        self._paused = pause
        if pause:
            transport.pause_reading()
        else:
            transport.resume_reading()

    async def _give_back(self) -> None:
        """The operation is stopped at the backend before its user is taken away: what runs, runs on else."""
        wire, lease = self._wire, self._lease
        self._wire = self._lease = None
        if wire is not None and wire.transport is not None:
            wire.attach(_nothing, _nothing, _nothing)
            stopping = self.errand.stopping()
            if stopping is not None:
                await send_aside(stopping, self._dial_seconds)
            wire.transport.close()
        if lease is not None:
            await lease.release()


def _nothing(*_: object) -> None: ...

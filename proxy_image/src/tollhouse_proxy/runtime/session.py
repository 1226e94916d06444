"""One client: its connection, its backend's, and the machine between them.

Callbacks are synchronous. Bytes go into the machine, its outbox is emptied at once; only log-in, dialling and
verdicts that wait are tasks.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from tollhouse_core.clock import Clock
from tollhouse_core.decision import SessionTerms
from tollhouse_core.secret import Secret
from tollhouse_proxy.exchange import (
    BackendGone,
    BackendOpened,
    BackendUnreachable,
    Borrow,
    ClientGone,
    ClientSecured,
    Close,
    CredentialLent,
    CredentialRefused,
    Dial,
    Effect,
    EndNow,
    EndReason,
    Forget,
    Handed,
    Input,
    Machine,
    MachineFactory,
    NotProved,
    Opened,
    Prove,
    Proven,
    Ready,
    SecureClient,
    SendAside,
    Settled,
    Tools,
    Undertake,
    Wait,
    Woken,
)
from tollhouse_proxy.ports.credentials import CredentialSource, CredentialUnavailable
from tollhouse_proxy.ports.identity import IdentityProver, NotProven, ProofUnavailable
from tollhouse_proxy.ports.judging import OpenSession
from tollhouse_proxy.runtime.dialing import BackendWire, Unreachable, dial, send_aside
from tollhouse_proxy.runtime.lease import Lease
from tollhouse_proxy.runtime.sockets import tune
from tollhouse_proxy.runtime.tls import with_begun
from tollhouse_proxy.runtime.undertaking import Undertaking
from tollhouse_proxy.runtime.warm import WarmPool

log = logging.getLogger("tollhouse.session")

MESSAGE_BYTES = 16 * 1024

_LINGER_SECONDS = 5.0
"""How long a client may take to read the last words."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What sessions are made with. `credentials` gives the source for a role ("": the Connection's own) and
    raises CredentialUnavailable for one it does not know; `certificate` gives the context for TLS with
    clients, None while there is none; `warm` holds backend sessions that were made ahead."""

    factory: MachineFactory
    prover: IdentityProver
    credentials: Callable[[str], CredentialSource]
    clock: Clock
    certificate: Callable[[], ssl.SSLContext | None]
    warm: WarmPool | None = None


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Seconds: until a client must have said who it is, until a backend must have answered."""

    login: float = 10.0
    backend: float = 45.0
    """From then on until the backend has let us in: a credential, perhaps a second one, and the log-in."""
    dial: float = 10.0
    message: float = 60.0
    """A message that was begun must get on by MESSAGE_BYTES in so many seconds, or end."""


class ClientSession(asyncio.Protocol):
    """asyncio's protocol for the client's connection. `ended` is called once, when both
    connections are gone."""

    __slots__ = (  # so many that a dictionary would take five times as much for each session
        "_backend",
        "_backend_full",
        "_backend_lost",
        "_backend_paused",
        "_began",
        "_client",
        "_client_full",
        "_client_lost",
        "_client_paused",
        "_early",
        "_ended",
        "_expires_at",
        "_flushing",
        "_heard",
        "_judge",
        "_lease",
        "_limits",
        "_lingering",
        "_loop",
        "_machine",
        "_opened_at",
        "_over",
        "_parts",
        "_ready_at",
        "_securing",
        "_spoke",
        "_tasks",
        "_undertaking",
        "_unfinished",
        "_unwanted",
        "_waits",
    )

    def __init__(self, parts: Parts, limits: TimeLimits, ended: Callable[[ClientSession], None]) -> None:
        self._parts = parts
        self._limits = limits
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._machine: Machine | None = None
        self._client: asyncio.Transport | None = None
        self._backend: BackendWire | None = None
        self._judge: OpenSession | None = None
        self._lease: Lease | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._waits: dict[int, asyncio.Task[None]] = {}
        self._undertaking: Undertaking | None = None
        self._securing = False
        self._early = bytearray()
        self._flushing = False
        self._over = False
        self._unwanted = False
        self._client_lost = False
        self._backend_lost = True
        self._client_full = False
        self._backend_full = False
        self._client_paused = False
        self._backend_paused = False
        self._lingering: asyncio.TimerHandle | None = None
        self._began = parts.clock.monotonic()
        self._opened_at = self._began
        self._ready_at: float | None = None
        self._unfinished = (0.0, 0)
        self._heard = self._began
        self._spoke = False
        """The client has sent something since time limits were looked at last."""
        self._expires_at: datetime | None = None

    def turn_away(self) -> None:
        """There are too many: the connection is closed as soon as it is made."""
        self._unwanted = True

    # ------------------------------------------------------------ the client's connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's."""
        self._client = client = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance
        if self._unwanted:
            self._finish(EndReason.REFUSED, "too many connections")
            return
        tune(client)
        tools = Tools(self._loop.create_future, self._wake)
        self._machine = self._parts.factory(
            _address(client),
            secure=False,
            can_secure=self._parts.certificate() is not None,
            tools=tools,
        )

    def data_received(self, data: bytes) -> None:
        """asyncio's."""
        if (
            self._securing
        ):  # decrypted already, but the new transport is not ours yet: an answer would be plain
            self._early += data
            return
        self._spoke = True
        machine = self._machine
        if machine is None or self._over:
            return
        try:
            machine.client_data(data)
        except Exception as error:
            self._crash(error)
        self._flush()

    def connection_lost(self, error: Exception | None) -> None:
        """asyncio's."""
        self._client_lost = True
        self._tell(ClientGone())
        self._finish(EndReason.CLIENT, "")
        self._close_if_lost()

    def pause_writing(self) -> None:
        """asyncio's: the client reads too slowly."""
        self._client_full = True
        self._pace_backend()
        if self._undertaking is not None:
            self._undertaking.client_full(True)

    def resume_writing(self) -> None:
        """asyncio's."""
        self._client_full = False
        self._pace_backend()
        if self._undertaking is not None:
            self._undertaking.client_full(False)

    # ------------------------------------------------------------ the backend's connection

    def _backend_data(self, data: bytes) -> None:
        machine = self._machine
        if machine is None or self._over:
            return
        try:
            machine.backend_data(data)
        except Exception as error:
            self._crash(error)
        self._flush()

    def _backend_gone(self) -> None:
        self._backend_lost = True
        self._tell(BackendGone())
        self._close_if_lost()

    def _backend_slow(self, full: bool) -> None:
        self._backend_full = full
        self._pace_client()

    # ------------------------------------------------------------ the machine

    @property
    def idle(self) -> bool:
        """Whether it could end without breaking a statement."""
        return self._machine is None or self._machine.idle

    @property
    def is_open(self) -> bool:
        """Whether the client is logged in."""
        return self._ready_at is not None and not self._over

    def tell(self, happening: Input) -> None:
        """Something happened that the machine must know."""
        self._tell(happening)

    def check_time(self) -> None:
        """Ends the session when one of its time limits is over."""
        if self._over or self._machine is None:
            return
        ending = self._overdue()
        if ending is not None:
            self._tell(ending)

    def _overdue(self) -> EndNow | None:
        now = self._parts.clock.monotonic()
        if self._ready_at is None and (late := self._late(now)) is not None:
            return late
        if self._expires_at is not None and self._parts.clock.now() >= self._expires_at:
            return EndNow(EndReason.EXPIRED, "the token has expired", "Connect again with a fresh token.")
        if self._judge is None or self._ready_at is None:
            return None
        if lost := self._judge.lost:
            return EndNow(EndReason.REVOKED, lost)
        if self._dawdles(now):
            return EndNow(EndReason.TIMEOUT, "a message was begun and not ended")
        return self._out_of_terms(self._judge.terms, now)

    def _late(self, now: float) -> EndNow | None:
        """Until it is known who the client is, it is waited for; from then on, the backend."""
        if self._judge is None and now - self._began >= self._limits.login:
            return EndNow(EndReason.TIMEOUT, "the log-in took too long")
        if self._judge is not None and now - self._opened_at >= self._limits.backend:
            return EndNow(EndReason.BACKEND, "the backend did not let the session in in time")
        return None

    def _dawdles(self, now: float) -> bool:
        """Whether the client keeps a message open: it would hold its backend session for ever."""
        size = self._machine.unfinished if self._machine is not None else 0
        since, before = self._unfinished
        # Where it is us who take no more (the backend is full, people think), it cannot send the rest.
        if not size or size < before or not before or self._client_paused:
            self._unfinished = (now, size)
            return False
        if now - since < self._limits.message:
            return False
        self._unfinished = (now, size)
        return size - before < MESSAGE_BYTES

    def _out_of_terms(self, terms: SessionTerms, now: float) -> EndNow | None:
        most, silent = terms.max_duration_seconds, terms.idle_timeout_seconds
        if most is not None and now - self._began >= most:
            return EndNow(EndReason.MAXIMUM, f"the session has lasted {most:g} seconds, its maximum")
        if self._spoke:
            self._spoke, self._heard = False, now
        if silent is None or now - self._heard < silent:
            return None
        if self._machine is not None and self._machine.busy:
            self._heard = now
            return None
        return EndNow(EndReason.IDLE, f"the session was idle for {silent:g} seconds")

    def _wake(self) -> None:
        self._loop.call_soon(self._tell, Woken())

    def _tell(self, happening: Input) -> None:
        machine = self._machine
        if machine is None or self._over:
            return
        try:
            machine.receive(happening)
        except Exception as error:
            self._crash(error)
        self._flush()

    def _crash(self, error: Exception) -> None:
        """Fail closed: this session ends, no other is touched. The error's own words may hold data of the
        session and are not logged; where it happened is."""
        frames = traceback.extract_tb(error.__traceback__)[-6:]
        where = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
        log.error("a session ended by %s at %s", type(error).__name__, where)
        assert self._machine is not None
        outbox = self._machine.outbox
        outbox.client.clear()
        outbox.backend.clear()
        words = "an internal error ended this session; nothing was let through"
        try:
            self._machine.receive(EndNow(EndReason.FAILURE, words))
        except Exception:
            log.exception("a session could not say good-bye", exc_info=False)
        outbox.effects.append(Close(EndReason.FAILURE, type(error).__name__))

    # ------------------------------------------------------------ the outbox

    def _flush(self) -> None:
        machine = self._machine
        if machine is None or self._flushing:
            return
        outbox = machine.outbox
        if not outbox.effects:  # nearly always
            if outbox.backend:
                self._write_backend(outbox.backend)
            if outbox.client:
                self._write_client(outbox.client)
            if (self._backend_full or not outbox.hungry) is not self._client_paused:
                self._pace_client()
            if outbox.thirsty is self._backend_paused:
                self._pace_backend()
            return
        self._flushing = True
        try:
            while outbox.backend or outbox.client or outbox.effects:
                if outbox.backend:
                    self._write_backend(outbox.backend)
                if outbox.client:
                    self._write_client(outbox.client)
                if outbox.effects:
                    effects = outbox.effects[:]
                    outbox.effects.clear()
                    for effect in effects:
                        self._perform(effect)
        finally:
            self._flushing = False
        self._pace_client()
        if outbox.thirsty is self._backend_paused:
            self._pace_backend()

    def _write_backend(self, pieces: list[bytes]) -> None:
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        wire = self._backend
        if wire is not None and wire.transport is not None and not wire.transport.is_closing():
            wire.transport.write(data)

    def _write_client(self, pieces: list[bytes]) -> None:
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        if self._securing:
            return  # in the middle of a handshake nothing can be said
        if self._client is not None and not self._client.is_closing() and not self._over:
            self._client.write(data)

    def _pace_backend(self) -> None:
        """Reads the backend only while its bytes can be taken."""
        machine, wire = self._machine, self._backend
        if wire is None or wire.transport is None:
            return
        pause = self._client_full or (machine is not None and not machine.outbox.thirsty)
        if pause is not self._backend_paused:
            self._backend_paused = pause
            if pause:
                wire.transport.pause_reading()
            else:
                wire.transport.resume_reading()

    def _pace_client(self) -> None:
        """Reads the client only while its bytes can be taken."""
        machine, client = self._machine, self._client
        if machine is None or client is None or self._securing or self._over:
            return
        pause = self._backend_full or not machine.outbox.hungry
        if pause is not self._client_paused:
            self._client_paused = pause
            if pause:
                client.pause_reading()
            else:
                client.resume_reading()

    def _perform(self, effect: Effect) -> None:
        match effect:
            case SecureClient():
                self._secure_client(effect.begun)
            case Prove():
                self._spawn(self._prove(effect))
            case Borrow():
                self._borrow(effect)
            case Dial():
                self._spawn(self._dial(effect))
            case SendAside():
                _keep(self._loop.create_task(send_aside(effect, self._limits.dial)))
            case Undertake():
                self._undertake(effect)
            case Wait():
                self._waits[effect.number] = self._spawn(self._wait(effect))
            case Forget():
                task = self._waits.pop(effect.number, None)
                if task is not None:
                    task.cancel()
            case Opened():
                self._judge, self._expires_at = effect.judge, effect.expires_at
                self._opened_at = self._parts.clock.monotonic()
            case Ready():
                self._ready_at = self._parts.clock.monotonic()
            case Close():
                self._finish(effect.reason, effect.detail)

    # ------------------------------------------------------------ what takes time

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _secure_client(self, begun: bytes) -> None:
        assert self._client is not None
        self._client.pause_reading()  # a handshake that is already on its way must not reach us as data
        self._securing = True
        self._spawn(self._start_tls(begun))

    async def _start_tls(self, begun: bytes) -> None:
        context = self._parts.certificate()
        assert self._client is not None
        if context is None:
            self._finish(EndReason.FAILURE, "there is no certificate any more")
            return
        handshake = self._loop.start_tls(
            self._client, self, context, server_side=True, ssl_handshake_timeout=self._limits.login
        )
        try:
            secured = await with_begun(handshake, self._client, begun)
        except (OSError, ssl.SSLError, ConnectionError, TimeoutError):
            self._finish(EndReason.CLIENT, "the TLS handshake failed")
            return
        if secured is None:
            self._finish(EndReason.CLIENT, "the TLS handshake failed")
            return
        self._client = secured
        self._securing = False
        self._tell(ClientSecured(secured.get_extra_info("ssl_object").selected_alpn_protocol()))
        if self._early:
            data = bytes(self._early)
            self._early.clear()
            self.data_received(data)

    async def _prove(self, effect: Prove) -> None:
        try:
            identity = await self._parts.prover.prove(effect.token)
        except NotProven as error:
            self._tell(NotProved(str(error), isinstance(error, ProofUnavailable)))
            return
        self._tell(Proven(identity))
        if identity.prove_again_seconds is not None:
            self._spawn(self._prove_again(effect.token, identity.prove_again_seconds, identity.expires_at))

    async def _prove_again(self, token: Secret, seconds: float, until: datetime | None) -> None:
        """Shows the token again from time to time. Where nobody can say now, the session goes on: the
        token's own end bounds it."""
        while True:
            await asyncio.sleep(seconds)
            if until is not None and self._parts.clock.now() >= until:
                return
            try:
                await self._parts.prover.prove(token)
            except ProofUnavailable:
                continue
            except NotProven as error:
                self._tell(EndNow(EndReason.REVOKED, str(error)))
                return

    def _borrow(self, effect: Borrow) -> None:
        """A session that waits serves at once; without one it is made now."""
        if effect.anew:
            self._let_go_of_backend()
        pool, ahead = self._parts.warm, effect.ahead
        waiting = pool.take(ahead) if pool is not None and ahead is not None else None
        if waiting is None:
            self._spawn(self._borrow_credential(effect))
            return
        self._lease = waiting.lease
        self._lease.hand_to(self._credential_ended)
        self._backend = waiting.wire
        self._backend_lost = False
        waiting.wire.attach(self._backend_data, self._backend_gone, self._backend_slow)
        self._tell(Handed(waiting.machine))

    def _undertake(self, effect: Undertake) -> None:
        begun = self._undertaking
        if begun is not None and begun.errand is effect.errand:
            begun.go_on()
            return
        self._undertaking = begun = Undertaking(
            effect.errand,
            self._parts.credentials,
            self._parts.clock,
            self._limits.dial,
            lambda: self._tell(Woken()),
        )
        begun.client_full(self._client_full)
        _keep(self._loop.create_task(begun.run()))

    def _let_go_of_backend(self) -> None:
        """What it still says is for nobody, and what was lent for it is given back."""
        wire, lease = self._backend, self._lease
        self._backend = self._lease = None
        self._backend_lost = True
        if wire is not None and wire.transport is not None:
            wire.attach(_nothing, _nothing, _nothing)
            wire.transport.close()
        if lease is not None:
            _keep(self._loop.create_task(lease.release()))

    async def _borrow_credential(self, effect: Borrow) -> None:
        try:
            source = self._parts.credentials(effect.role)
            self._lease = Lease(source, self._parts.clock, self._credential_ended)
            credential = await self._lease.acquire()
            lent = CredentialLent(credential.username, credential.password)
        except CredentialUnavailable as error:
            self._tell(CredentialRefused(str(error)))
            return
        self._tell(lent)

    def _credential_ended(self, words: str) -> None:
        self._tell(EndNow(EndReason.MAXIMUM, words, "Connect again."))

    async def _dial(self, effect: Dial) -> None:
        try:
            opened = await dial(effect.target, effect.greeting, self._limits.dial)
        except Unreachable as error:
            self._tell(BackendUnreachable(str(error)))
            return
        transport = opened.wire.transport
        if self._over:
            if transport is not None:
                transport.abort()
            return
        self._backend = opened.wire
        self._backend_lost = False
        opened.wire.attach(self._backend_data, self._backend_gone, self._backend_slow)
        self._tell(BackendOpened(opened.certificate_hash, opened.verified))

    async def _wait(self, effect: Wait) -> None:
        try:
            value = await effect.awaitable
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self._waits.pop(effect.number, None)
            self._tell(Settled(effect.number, error=error))
            return
        self._waits.pop(effect.number, None)
        self._tell(Settled(effect.number, value))

    # ------------------------------------------------------------ the end

    def _finish(self, reason: EndReason, detail: str) -> None:
        if self._over:
            return
        self._over = True
        current = asyncio.current_task()
        for task in tuple(self._tasks):
            if task is not current:
                task.cancel()
        if self._undertaking is not None:
            self._undertaking.stop()
        self._close_transports()
        if self._judge is not None:
            self._judge.close(f"{reason.value}: {detail}" if detail else reason.value)
        if self._lease is not None:
            _keep(self._loop.create_task(self._lease.release()))

    def _close_transports(self) -> None:
        if self._backend is not None and self._backend.transport is not None:
            self._backend.transport.close()
        if self._client is not None:
            self._client.close()
        self._lingering = self._loop.call_later(_LINGER_SECONDS, self.abort)

    def abort(self) -> None:
        """Closes both connections without waiting for anybody."""
        if self._backend is not None and self._backend.transport is not None:
            self._backend.transport.abort()
        if self._client is not None:
            self._client.abort()

    def _close_if_lost(self) -> None:
        """Over for good: both connections are gone."""
        if self._over and self._client_lost and self._backend_lost:
            if self._lingering is not None:
                self._lingering.cancel()
            self._ended(self)
            self._let_go()

    def _let_go(self) -> None:
        """Whatever knows this session by its methods would keep it, and all it holds, until the next
        collection of everything."""
        if self._backend is not None:
            self._backend.attach(_nothing, _nothing, _nothing)
        if self._lease is not None:
            self._lease.hand_to(_nothing)
        self._machine = self._judge = self._client = self._backend = None
        self._lease = self._lingering = self._undertaking = None


def _nothing(*_: object) -> None: ...


_kept: set[asyncio.Task[Any]] = set()


def _keep(task: asyncio.Task[Any]) -> None:
    """Holds a task that outlives its session until it is done."""
    _kept.add(task)
    task.add_done_callback(_kept.discard)


async def errands(seconds: float) -> None:
    """Waits (bounded) for what outlived its session: leases given back, cancels sent."""
    if _kept:
        await asyncio.wait(tuple(_kept), timeout=seconds)


def _address(transport: asyncio.Transport) -> str:
    peer = transport.get_extra_info("peername")
    if isinstance(peer, tuple) and len(peer) >= 2:
        host = f"[{peer[0]}]" if ":" in str(peer[0]) else str(peer[0])
        return f"{host}:{peer[1]}"
    return "local"

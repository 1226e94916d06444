"""The machine of one PostgreSQL client: logging in, then statements (see `tollhouse_proxy.exchange`).

States: LOGIN (client's packets up to the token) -> PROVING (is the token good?) -> BORROWING (a credential)
-> DIALING -> JOINING (our log-in to the backend) -> LEARNING (its catalog) -> READY -> OVER. An answer that
does not belong to the state it comes in ends the session. A connection that brings a cancel request is
CANCELLING until that is done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import assert_never

from tollhouse_core.api.targets import ANY_ROLE
from tollhouse_core.clock import Clock
from tollhouse_core.identity import Identity, Session
from tollhouse_proxy.exchange import (
    Ahead,
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
    EndNow,
    EndReason,
    EndWhenIdle,
    Greeting,
    Handed,
    Input,
    NotProved,
    Opened,
    Outbox,
    Promise,
    Prove,
    Proven,
    Ready,
    SendAside,
    Settled,
    Tools,
    Wait,
    Woken,
)
from tollhouse_proxy.ports.credentials import approval_source
from tollhouse_proxy.ports.judging import Completion, Gate, OpenSession, Outcome, SessionNotAllowed
from tollhouse_proxy.protocols.postgres import refuse
from tollhouse_proxy.protocols.postgres.adopting import Adopted
from tollhouse_proxy.protocols.postgres.asking import CatalogUnreadable
from tollhouse_proxy.protocols.postgres.auth import WELCOME, LoginFailed
from tollhouse_proxy.protocols.postgres.backend_login import BackendPhase, BackendRefused
from tollhouse_proxy.protocols.postgres.bench import Bench
from tollhouse_proxy.protocols.postgres.cancel import CancelRegistry
from tollhouse_proxy.protocols.postgres.client_login import Acknowledged, ClientLogin, LoginTaken
from tollhouse_proxy.protocols.postgres.client_side import ClientSide
from tollhouse_proxy.protocols.postgres.content import ContentHeld
from tollhouse_proxy.protocols.postgres.decisions import Decisions
from tollhouse_proxy.protocols.postgres.desk import Desk
from tollhouse_proxy.protocols.postgres.dialect import Dialect
from tollhouse_proxy.protocols.postgres.elevated import ElevatedBackend, Place
from tollhouse_proxy.protocols.postgres.lane import Lane
from tollhouse_proxy.protocols.postgres.memory import Memory
from tollhouse_proxy.protocols.postgres.replies import HiddenColumn
from tollhouse_proxy.protocols.postgres.scram import ScramKeys
from tollhouse_proxy.protocols.postgres.served import Served
from tollhouse_proxy.protocols.postgres.server_side import ServerSide
from tollhouse_proxy.protocols.postgres.shelf import CatalogShelf
from tollhouse_proxy.protocols.postgres.sql.statement import SessionSettings
from tollhouse_proxy.protocols.postgres.startup_settings import StartupRefused, Wishes
from tollhouse_proxy.protocols.postgres.state import SessionState
from tollhouse_proxy.protocols.postgres.upkeep import Upkeep
from tollhouse_proxy.protocols.postgres.warmed import Kind, WarmedBackend
from tollhouse_proxy.protocols.postgres.wire.backend import BackendKeyData, ParameterStatus, ReadyForQuery
from tollhouse_proxy.protocols.postgres.wire.errors import ProtocolError
from tollhouse_proxy.protocols.postgres.wire.frontend import TERMINATE_MESSAGE
from tollhouse_proxy.protocols.postgres.wire.startup import CancelRequest, NoStartup, SSLRequest

GREETING = Greeting(SSLRequest.encode(), b"S")


class State(StrEnum):
    """How far the conversation is."""

    LOGIN = "login"
    PROVING = "proving"
    BORROWING = "borrowing"
    DIALING = "dialing"
    JOINING = "joining"
    LEARNING = "learning"
    READY = "ready"
    CANCELLING = "cancelling"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all conversations of one proxy share. `served` None: no bundle is in force yet. `noise(n)`
    gives n random bytes; `session_id` a fresh name."""

    served: Callable[[], Served | None]
    gate: Gate
    dialect: Dialect
    clock: Clock
    shelf: CatalogShelf
    cancels: CancelRegistry
    noise: Callable[[int], bytes]
    session_id: Callable[[], str]
    decisions: Decisions = field(default_factory=Decisions)
    keys: ScramKeys = field(default_factory=ScramKeys)


class PostgresMachine:
    """One client's conversation."""

    def __init__(
        self,
        around: Surroundings,
        served: Served,
        address: str,
        tools: Tools,
        *,
        secure: bool,
        can_secure: bool,
    ) -> None:
        self.outbox = Outbox()
        self._around = around
        self._served = served
        self._address = address
        self._tools = tools
        self._state = State.LOGIN
        self._login = ClientLogin(
            self.outbox,
            around.dialect.may_set,
            secure=secure,
            can_secure=can_secure,
            requires_tls=served.requires_tls,
            asks=served.asks,
        )
        self._taken: LoginTaken | None = None
        self._unproved = ""
        self._database = ""
        self._judge: OpenSession | None = None
        self._backend: BackendPhase | None = None
        self._credential: CredentialLent | None = None
        self._session: SessionState | None = None
        self._upkeep: Upkeep | None = None
        self._bench: Bench | None = None
        self._client_side: ClientSide | None = None
        self._server_side: ServerSide | None = None
        self._lane: Lane | None = None
        self._drain = ""
        self._source = ""
        self._fetched_anew = False

    # ------------------------------------------------------------ the machine's face

    @property
    def idle(self) -> bool:
        """Whether no statement and no transaction is under way."""
        if self._state is not State.READY or self._session is None or self._client_side is None:
            return False
        if self._lane is not None and self._lane.flying:
            return False
        return self._session.quiet and self._session.status == "I" and not self._client_side.busy

    @property
    def busy(self) -> bool:
        """Whether the client waits for an answer."""
        if self._session is None or self._client_side is None:
            return self._state is not State.READY
        if self._lane is not None and self._lane.flying:
            return True
        return bool(self._session.ledger) or self._client_side.busy or self._state is not State.READY

    @property
    def unfinished(self) -> int:
        """Bytes of a message whose end has not come."""
        return self._client_side.unfinished if self._client_side is not None else 0

    def client_data(self, data: bytes) -> None:
        """Bytes from the client."""
        lane = self._lane
        if lane is not None:
            if lane.armed and lane.client(data):
                return
            lane.land()
        try:
            if self._client_side is not None and self._state is State.READY:
                self._client_side.feed(data)
            elif self._state is State.LOGIN:
                self._log_in(data)
            elif self._state not in {State.CANCELLING, State.OVER}:
                raise ProtocolError("messages came before the session began")
        except StartupRefused as refused:
            self._turn_away(refused.code, refused.message, refused.hint)
        except ProtocolError as error:
            words = b"" if isinstance(error, NoStartup) else refuse.fatal("08P01", str(error))
            self._end(EndReason.PROTOCOL, words, str(error))
        self._after()

    def backend_data(self, data: bytes) -> None:
        """Bytes from the backend."""
        lane = self._lane
        if lane is not None:
            if lane.flying and lane.server(data):
                return
            lane.land()
        self._from_backend(data)

    def _from_backend(self, data: bytes | Settled) -> None:
        """Bytes; b"": it is this session's turn; Settled: rows were masked apart."""
        try:
            if self._server_side is not None:
                if isinstance(data, Settled):
                    self._server_side.settle(data)
                elif data:
                    self._server_side.feed(data)
                else:
                    self._server_side.go_on()
                self._go_on()
            elif self._state is State.JOINING and isinstance(data, bytes):
                self._join(data)
            elif self._state is not State.OVER:
                raise ProtocolError("the backend spoke before it was asked")
        except (BackendRefused, LoginFailed) as failed:
            self._backend_refused(failed)
        except HiddenColumn:
            words = "the result would show a column that the policy hides; nothing of it was sent"
            self._break_off(EndReason.FAILURE, refuse.fatal("57P01", words), "a hidden column showed up")
        except ContentHeld as error:
            held = str(error) or "a value cannot be masked in the format that was asked for"
            hint = "Ask for a part of it." if str(error) else "Ask for it as text."
            last = refuse.fatal("57P01", f"{held}; nothing of it was sent", "", hint)
            self._break_off(EndReason.REFUSED, last, "a value could not be masked")
        except ProtocolError as error:
            last = refuse.fatal("08006", "the backend broke the protocol")
            self._break_off(EndReason.BACKEND, last, str(error))
        self._after()

    def receive(self, happening: Input) -> None:
        """Anything else that happened."""
        if self._state is State.OVER:
            return
        if self._lane is not None:
            self._lane.land()
        if isinstance(happening, Woken) and self._server_side is not None and self._server_side.resting:
            self._from_backend(b"")
            return
        if isinstance(happening, Settled) and happening.number < 0:
            self._from_backend(happening)
            return
        self._receive(happening)
        self._after()

    def cancel(self) -> Promise | None:
        """A cancel request with this session's key came, on another connection. What is returned is given
        when the backend has dealt with it; None: there is nothing to wait for."""
        self._tools.wake()
        if self._lane is not None:
            self._lane.land()
        waited = self._bench is not None and self._bench.cancel()
        errand = self._errand if not waited else None
        if errand is not None:
            return self._cancel_errand(errand)
        done = None
        if self._session is not None and self._session.ledger:
            done = self._tools.promise()
            self._cancel_backend(done)
        if waited:
            self._go_on()
        return done

    def _cancel_errand(self, errand: ElevatedBackend) -> Promise | None:
        stopping = errand.stopping()
        if stopping is None:
            errand.cancel()
            return None
        done = self._tools.promise()
        self.outbox.effects.append(replace(stopping, done=done))
        return done

    # ------------------------------------------------------------ inputs

    def _receive(self, happening: Input) -> None:
        match happening:
            case ClientSecured(protocol=protocol):
                self._secured(protocol)
            case Proven(identity=identity):
                self._expect(State.PROVING)
                self._proven(identity)
            case NotProved(reason=reason):
                self._expect(State.PROVING)
                self._not_proved(f"identity not proved: {reason}")
            case CredentialLent():
                self._expect(State.BORROWING)
                self._credential = self._as_asked(happening)
                self._state = State.DIALING
                self.outbox.effects.append(Dial(self._served.target, GREETING))
            case Handed(warmed=warmed):
                self._expect(State.BORROWING)
                self._adopt(warmed)
            case CredentialRefused(reason=reason) | BackendUnreachable(reason=reason):
                self._end(EndReason.BACKEND, refuse.fatal("08006", reason), reason)
            case BackendOpened():
                self._expect(State.DIALING)
                self._introduce(happening)
            case Settled() if self._state is State.CANCELLING:
                self._end(EndReason.CLIENT, b"", "cancel request")
            case Settled():
                if self._bench is not None:
                    self._bench.settle(happening)
                    self._go_on()
            case Woken():
                self._go_on()
            case EndNow(reason=reason, words=words, hint=hint):
                self._break_off(reason, refuse.ending(reason, words, hint), words)
            case EndWhenIdle(words=words):
                self._drain = words
            case ClientGone():
                self._end(EndReason.CLIENT, b"", "the client is gone")
            case BackendGone():
                gone = "the backend closed the connection"
                self._break_off(EndReason.BACKEND, refuse.fatal("08006", gone), gone)
            case _:
                assert_never(happening)

    def _expect(self, state: State) -> None:
        if self._state is not state:
            raise RuntimeError(f"an answer for {state} came in {self._state}")

    # ------------------------------------------------------------ logging in

    def _secured(self, protocol: str | None) -> None:
        try:
            self._login.secured(protocol)
        except ProtocolError as error:
            self._end(EndReason.PROTOCOL, b"", str(error))

    def _log_in(self, data: bytes) -> None:
        found = self._login.feed(data)
        if isinstance(found, CancelRequest):
            self._cancel_other(found)
        elif isinstance(found, Acknowledged):
            words = self._unproved or "a token is needed, and none was given"
            if not self._unproved:
                self._around.gate.refused(self._address, words)
            self._end(EndReason.REFUSED, refuse.fatal("28P01", words, "", _ADVICE), words)
        elif found is not None:
            self._taken = found
            self._state = State.PROVING
            self.outbox.effects.append(Prove(found.token))

    def _cancel_other(self, request: CancelRequest) -> None:
        """Nothing is answered, whatever came of it. The connection is closed when the backend has dealt with
        it: a client that waits for that knows that its next statement will not be hit."""
        around = self._around
        session = around.cancels.find(request.pid, request.key, self._address, around.clock.monotonic())
        done = session.cancel() if session is not None else None
        if done is not None:
            self._state = State.CANCELLING
            self.outbox.effects.append(Wait(0, done))
        else:
            self._end(EndReason.CLIENT, b"", "cancel request")

    def _proven(self, identity: Identity) -> None:
        assert self._taken is not None
        wishes = self._taken.wishes
        database = self._served.chosen(wishes.database, wishes.user)
        if database is None:
            hint = f"It serves {', '.join((self._served.database, *self._served.databases))}."
            words = f'database "{wishes.database}" is not served by connection {self._served.connection}'
            self._turn_away("3D000", words, hint, identity)
            return
        self._database = database
        session = Session(
            id=self._around.session_id(),
            connection=self._served.connection,
            namespace=self._served.namespace,
            protocol="postgres",
            identity=identity,
            database=database,
            user=wishes.user,
            application_name=wishes.application_name,
            address=self._address,
            started_at=self._around.clock.now(),
            role=wishes.user if self._served.roles else "",
        )
        source = self._served.source(wishes.user)
        if source is None:
            usable = self._around.gate.roles(session, self._served.named_roles)
            hint = f"It serves you {', '.join(usable)}." if usable else "It serves you none of its roles."
            self._turn_away("28000", f'role "{wishes.user}" is not served here', hint, identity)
            return
        try:
            self._judge = self._around.gate.open(session)
        except SessionNotAllowed as refused:
            self._state = State.OVER
            self.outbox.client.append(refuse.refused(refused.refused, "FATAL"))
            self.outbox.effects.append(Close(EndReason.REFUSED, str(refused)))
            return
        self._state = State.BORROWING
        self._source = source
        self.outbox.effects.append(
            Opened(self._judge, identity.expires_at if self._served.ends_with_token else None)
        )
        self.outbox.effects.append(Borrow(source, self._ahead(source, database, wishes)))

    def _ahead(self, source: str, database: str, wishes: Wishes) -> Ahead:
        around = self._around
        kind = Kind(self._served, database, source, wishes, Dial(self._served.target, GREETING))

        def make() -> WarmedBackend:
            return WarmedBackend(kind, around.dialect, around.shelf, around.clock, around.noise, around.keys)

        return Ahead(kind.key, make)

    def _as_asked(self, lent: CredentialLent) -> CredentialLent:
        """Where every name is served, what is lent is a password for the user the client names."""
        assert self._taken is not None
        user = self._taken.wishes.user
        return replace(lent, username=user) if self._served.source(user) == ANY_ROLE else lent

    def _introduce(self, opened: BackendOpened) -> None:
        assert self._credential is not None
        assert self._taken is not None
        self._backend = BackendPhase(
            self._credential.username,
            self._credential.password,
            binding=opened.certificate_hash,
            guarded=opened.verified or self._served.target.is_local,
            nonce=lambda: self._around.noise(18).hex(),
            keys=self._around.keys,
        )
        self._state = State.JOINING
        self.outbox.backend.append(self._backend.startup(self._database, self._taken.wishes))

    def _join(self, data: bytes) -> None:
        assert self._backend is not None
        answer = self._backend.feed(data)
        if answer:
            self.outbox.backend.append(answer)
        if self._backend.ready:
            self._learn(self._backend)

    def _learn(self, phase: BackendPhase) -> None:
        assert self._judge is not None
        assert self._credential is not None
        self._state = State.LEARNING
        state = SessionState(self.outbox, self._judge)
        settings = SessionSettings(
            database=self._database,
            user=self._credential.username,
            default_schema=self._served.default_schema,
        )
        around = self._around
        upkeep = Upkeep(state, around.dialect, around.shelf, around.clock, settings)
        self._take_up(phase, state, upkeep)
        self._go_on()

    def _adopt(self, warmed: object) -> None:
        """The backend session was made ahead: the client is in at once. How old its catalog is is looked at
        before the first statement, as always."""
        assert isinstance(warmed, WarmedBackend)
        self._state = State.LEARNING
        self._take_up(*warmed.hand_over(self.outbox, self._judge))
        self._welcome()

    def _take_up(self, phase: BackendPhase, state: SessionState, upkeep: Upkeep) -> None:
        around = self._around
        phase.forget()
        self._credential = None
        state.report(phase.settings)
        self._session, self._upkeep = state, upkeep
        self._bench = Bench(state, self._tools)
        memory = Memory(around.decisions, state, upkeep, around.dialect)
        desk = Desk(state, upkeep, self._bench, around.dialect, memory, self._elevated)
        self._client_side = ClientSide(desk)
        apart = around.dialect.apart
        mask_apart = apart.mask if apart is not None else None
        self._server_side = ServerSide(state, self._cancel_backend, self._tools.wake, mask_apart)
        self._backend = phase

    def _elevated(self, credential: str, wanted: Adopted) -> ElevatedBackend:
        """A backend session of its own for one operation (see `elevation`)."""
        assert self._judge is not None
        around, served = self._around, self._served
        place = Place(
            Dial(served.target, GREETING),
            self._database,
            served.default_schema,
            around.dialect,
            around.shelf,
            around.clock,
            around.noise,
            around.keys,
            self._tools.wake,
        )
        source = approval_source(credential)
        return ElevatedBackend(place, source, self._judge, self.outbox.client, wanted)

    @property
    def _errand(self) -> ElevatedBackend | None:
        return self._client_side.desk.errand if self._client_side is not None else None

    def _go_on(self) -> None:
        """Does what could not be done before."""
        if self._state is State.READY and self._client_side is not None:
            try:
                self._client_side.pump()
            except ProtocolError as error:
                self._end(EndReason.PROTOCOL, refuse.fatal("08P01", str(error)), str(error))
        elif self._state is State.LEARNING and self._upkeep is not None:
            try:
                if self._upkeep.fresh():
                    self._welcome()
            except CatalogUnreadable as failed:
                self._backend_refused(BackendRefused(failed.report))

    def _welcome(self) -> None:
        """The client is in."""
        assert self._backend is not None
        assert self._taken is not None
        size = 32 if self._taken.minor >= 2 else 4
        key = BackendKeyData(self._backend.key.pid, self._around.noise(size))
        self._around.cancels.enter(key.pid, key.key, self)
        parts = [WELCOME]
        parts += [ParameterStatus(name, value).encode() for name, value in self._backend.settings.items()]
        parts += [key.encode(), ReadyForQuery("I").encode()]
        self.outbox.client.append(b"".join(parts))
        self.outbox.effects.append(Ready())
        self._state = State.READY
        self._taken = None  # the token with it
        assert self._client_side is not None
        assert self._server_side is not None
        self._lane = Lane(self._client_side.desk, self._client_side, self._server_side)

    # ------------------------------------------------------------ ends

    def _after(self) -> None:
        """What holds after every call."""
        if self._state is State.OVER:
            return
        if self.outbox.effects and any(isinstance(effect, Close) for effect in self.outbox.effects):
            self._leave()
            return
        if self._client_side is not None:
            self.outbox.hungry = self._client_side.hungry
        if self._judge is not None and self._state is State.READY:
            lost = self._judge.lost
            if lost:
                self._break_off(EndReason.REVOKED, refuse.ending(EndReason.REVOKED, lost), lost)
                return
        if self._drain and self.idle:
            self._break_off(EndReason.DRAIN, refuse.ending(EndReason.DRAIN, self._drain), self._drain)
            return
        if self._lane is not None and not self._drain:
            self._lane.arm()

    def _not_proved(self, words: str) -> None:
        """One that came by OAUTHBEARER is first told by the mechanism, and has to say that it heard it."""
        assert self._taken is not None
        if not self._taken.bearer:
            self._turn_away("28P01", words, _ADVICE)
            return
        self._around.gate.refused(self._address, words)
        self._unproved = words
        self._state = State.LOGIN
        self._login.reject()

    def _turn_away(self, code: str, message: str, hint: str = "", identity: Identity | None = None) -> None:
        """Before a session: the gate records it."""
        self._around.gate.refused(self._address, message, identity)
        self._end(EndReason.REFUSED, refuse.fatal(code, message, "", hint), message)

    def _backend_refused(self, failed: BackendRefused | LoginFailed) -> None:
        """The backend's own words are for the client only where they are about its wishes."""
        if isinstance(failed, LoginFailed):
            self._end(EndReason.BACKEND, refuse.fatal("08006", str(failed)), str(failed))
            return
        code = failed.report.fields.get("C", "")
        if failed.may_be_stale and self._state is State.JOINING and self._judge is not None:
            self._judge.credential_refused(code, fetched_anew=self._fetched_anew)
            if not self._fetched_anew:
                self._borrow_anew()
                return
        if failed.is_login or code.startswith("XX"):
            words = f"the backend did not accept the credential ({code})"
            if self._fetched_anew:
                words += ", nor one that was fetched anew"
            self._end(EndReason.BACKEND, refuse.fatal("08006", words), words)
        else:
            fields = {**failed.report.fields, "S": "FATAL", "V": "FATAL"}
            kept = {key: fields[key] for key in "SVCMH" if key in fields}
            self._end(EndReason.BACKEND, type(failed.report)("E", kept).encode(), f"backend error {code}")

    def _borrow_anew(self) -> None:
        """It may have been rotated between fetching and logging in: once, and once only."""
        self._fetched_anew = True
        self._backend = self._credential = None
        self._state = State.BORROWING
        self.outbox.backend.clear()
        self.outbox.effects.append(Borrow(self._source, anew=True))

    def _break_off(self, reason: EndReason, words: bytes, detail: str) -> None:
        """Ends a session that may be in the middle of something."""
        sides = (self._server_side, self._errand)
        if any(side is not None and side.mid_message for side in sides):
            words = b""  # the client waits for the rest of a row: nothing else can be said there
        if self._session is not None and self._session.ledger:
            self._cancel_backend()
        self._end(reason, words, detail)

    def _end(self, reason: EndReason, words: bytes, detail: str) -> None:
        if self._state is State.OVER:
            return
        if words:
            self.outbox.client.append(words)
        self.outbox.effects.append(Close(reason, detail))
        self._leave()

    def _leave(self) -> None:
        """Nothing follows: what is outstanding is recorded as lost."""
        joined = self._state in {State.JOINING, State.LEARNING, State.READY}
        self._state = State.OVER
        if self._backend is not None:
            self._around.cancels.leave(self._backend.key.pid, self)
        if self._bench is not None:
            self._bench.withdraw()
        if joined and (not self.outbox.backend or self.outbox.backend[-1] != TERMINATE_MESSAGE):
            self.outbox.backend.append(TERMINATE_MESSAGE)
        if self._errand is not None:
            self._errand.lose()
        if self._session is not None:
            self._lose(self._session)
        self._let_go()

    def _let_go(self) -> None:
        """The parts hold one another, and this machine by its methods: without this each session that ends
        would lie about until the next collection of everything, and thousands of them before it."""
        if self._session is not None:
            self._session.let_go()
        self._client_side = self._server_side = self._lane = None
        self._session = self._upkeep = self._bench = None

    @staticmethod
    def _lose(session: SessionState) -> None:
        runs = [run for entry in session.ledger.entries for run in entry.runs[entry.at :] if not entry.failed]
        if session.moving:
            session.moved()
        for run in [*runs, *session.suspended.values()]:
            done = Completion(run.operation, Outcome.LOST, run.rows, run.size)
            session.judge.completed(done)
        session.ledger.entries.clear()
        session.suspended.clear()

    def _cancel_backend(self, done: Promise | None = None) -> None:
        if self._backend is None:
            return
        data = CancelRequest(self._backend.key.pid, self._backend.key.key).encode()
        self.outbox.effects.append(SendAside(self._served.target, GREETING, data, done))


_ADVICE = "The password is your token: it must be valid, and meant for this connection's audience."

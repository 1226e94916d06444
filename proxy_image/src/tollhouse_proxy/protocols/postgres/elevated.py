"""A backend session that runs one approved operation with a credential of its own (`exchange.Errand`).

JOINING (our log-in) -> ADOPTING (it is given the settings by which the client's statement was read) ->
LEARNING (its catalog, as its role sees it) -> LEARNED (`run` may be called) -> RUNNING -> OVER. What it says
before it runs, and what it says of itself then, is not for the client; answers of the operation go where the
client's answers go, past the same masks and limits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from tollhouse_core.clock import Clock
from tollhouse_proxy.exchange import (
    BackendOpened,
    CredentialLent,
    CredentialRejected,
    Dial,
    Outbox,
    SendAside,
)
from tollhouse_proxy.ports.judging import Completion, OpenSession, Outcome
from tollhouse_proxy.protocols.postgres.adopting import Adopted, adoption, refuses
from tollhouse_proxy.protocols.postgres.asking import CatalogUnreadable
from tollhouse_proxy.protocols.postgres.auth import LoginFailed
from tollhouse_proxy.protocols.postgres.backend_login import BackendPhase, BackendRefused
from tollhouse_proxy.protocols.postgres.dialect import Dialect
from tollhouse_proxy.protocols.postgres.hidden import RESERVED, ask
from tollhouse_proxy.protocols.postgres.ledger import Hidden, Kind, Owed, Run
from tollhouse_proxy.protocols.postgres.scram import ScramKeys
from tollhouse_proxy.protocols.postgres.server_side import ServerSide
from tollhouse_proxy.protocols.postgres.shelf import CatalogShelf
from tollhouse_proxy.protocols.postgres.sql.statement import Rewritten, SessionSettings
from tollhouse_proxy.protocols.postgres.startup_settings import Wishes
from tollhouse_proxy.protocols.postgres.state import SessionState
from tollhouse_proxy.protocols.postgres.upkeep import Upkeep
from tollhouse_proxy.protocols.postgres.wire.errors import ProtocolError
from tollhouse_proxy.protocols.postgres.wire.frontend import (
    SYNC_MESSAGE,
    TERMINATE_MESSAGE,
    Bind,
    Describe,
    Execute,
    Parse,
)
from tollhouse_proxy.protocols.postgres.wire.startup import CancelRequest


class Stage(StrEnum):
    """How far it is."""

    JOINING = "joining"
    ADOPTING = "adopting"
    LEARNING = "learning"
    LEARNED = "learned"
    RUNNING = "running"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Place:
    """What all backend sessions of one client share. `wake` has the client's machine look again soon."""

    dial: Dial
    database: str
    default_schema: str
    dialect: Dialect
    shelf: CatalogShelf
    clock: Clock
    noise: Callable[[int], bytes]
    keys: ScramKeys
    wake: Callable[[], None]


class ElevatedBackend:
    """See the module. `credential` is the source's name; `judge` counts and records; `answers` is where what
    the client reads is put."""

    def __init__(
        self, place: Place, credential: str, judge: OpenSession, answers: list[bytes], adopted: Adopted
    ) -> None:
        self.outbox = Outbox()
        self.credential = credential
        self.dial = place.dial
        self.over = False
        self.returned = False
        self.broken: Exception | None = None
        self.failure = ""
        """Why it could not be done, for the client; "" while it can."""
        self.cancelled = False
        self._place = place
        self._judge = judge
        self._answers = answers
        self._adopted = adopted
        self._stage = Stage.JOINING
        self._phase: BackendPhase | None = None
        self._username = ""
        self._state: SessionState | None = None
        self._server_side: ServerSide | None = None
        self._run: Run | None = None
        self._under_way = False
        self._refused_before = False
        self.upkeep: Upkeep | None = None

    # ------------------------------------------------------------ for who waits for it

    @property
    def learned(self) -> bool:
        """Whether its catalog is known, and nothing runs yet."""
        return self._stage is Stage.LEARNED

    @property
    def resting(self) -> bool:
        """Whether rows that have come wait for their turn (`go_on`)."""
        return self._server_side is not None and self._server_side.resting

    @property
    def mid_message(self) -> bool:
        """Whether the client has been sent a part of a message."""
        return self._server_side is not None and self._server_side.mid_message

    @property
    def begun(self) -> bool:
        """Whether the operation was sent."""
        return self._run is not None

    @property
    def done(self) -> bool:
        """Whether the operation has succeeded."""
        return self._run is not None and bool(self._run.tag) and not self._run.stopped

    def run(self, run: Run, rewritten: Rewritten, types: tuple[int, ...], bind: Bind | None) -> None:
        """Sends the operation. `bind`: as the client bound it in the extended protocol, where it has its
        columns described already; None: it came as a Query."""
        assert self._state is not None
        assert self._stage is Stage.LEARNED
        state, self._run, self._stage = self._state, run, Stage.RUNNING
        state.outbox.client = self._answers
        state.aside, state.content = True, run.scan
        values = Bind(RESERVED, RESERVED) if bind is None else _renamed(bind)
        guarded = rewritten.guards_errors
        if run.effect.changes_catalog:
            state.moving = True
            state.moved()
        for message, owed in (
            (
                Parse(RESERVED, rewritten.text.encode(), types).encode(),
                Owed(Kind.PARSE, muted=True, guarded=guarded, positions=run.positions),
            ),
            (values.encode(), Owed(Kind.BIND, muted=True, guarded=guarded)),
            (
                Describe("P", RESERVED).encode(),
                Owed(Kind.DESCRIBE, describes=run, guarded=guarded, muted=bind is not None),
            ),
            (Execute(RESERVED).encode(), Owed(Kind.EXECUTE, [run])),
        ):
            state.send(message, owed)
        self._under_way = True
        last = Hidden(self._answered)
        last.last = Owed(Kind.SYNC, hidden=last)
        state.send(SYNC_MESSAGE, last.last)

    def _answered(self, _: Hidden) -> None:
        self._under_way = False
        self.finish()

    def finish(self) -> None:
        """Nothing more is asked of it."""
        if self.over:
            return
        self.over = True
        if self._stage is not Stage.JOINING:
            self.outbox.backend.append(TERMINATE_MESSAGE)
        self._stage = Stage.OVER

    def lose(self) -> None:
        """The client's session ends: what runs is recorded as lost."""
        if self._state is None:
            return
        for entry in self._state.ledger.entries:
            for run in entry.runs[entry.at :]:
                if not entry.failed:
                    self._judge.completed(Completion(run.operation, Outcome.LOST, run.rows, run.size))
        if self._state.moving:
            self._state.moved()
        self._state.ledger.entries.clear()

    def cancel(self) -> None:
        """The client cancels it before it runs."""
        self.cancelled = True
        self.finish()

    # ------------------------------------------------------------ for the runtime

    def introduce(self, lent: CredentialLent, opened: BackendOpened) -> None:
        """See the protocol."""
        self._phase = BackendPhase(
            lent.username,
            lent.password,
            binding=opened.certificate_hash,
            guarded=opened.verified or self.dial.target.is_local,
            nonce=lambda: self._place.noise(18).hex(),
            keys=self._place.keys,
        )
        self._username = lent.username
        self.outbox.backend.clear()
        wishes = Wishes("", self._place.database, "")
        self.outbox.backend.append(self._phase.startup(self._place.database, wishes))

    def backend_data(self, data: bytes) -> None:
        """See the protocol. Raises CredentialRejected, and what ends the client's session."""
        try:
            if self._server_side is not None:
                self._server_side.feed(data)
            else:
                self._join(data)
            self._advance()
        except BackendRefused as refused:
            if refused.may_be_stale:
                self._judge.credential_refused(str(refused), fetched_anew=self._refused_before)
                self._refused_before = True
                raise CredentialRejected(str(refused)) from None
            self.fail(f"the backend did not let the credential in ({refused})")
        except LoginFailed as failed:
            self.fail(str(failed))
        except CatalogUnreadable as unreadable:
            self.fail(f"the catalog cannot be read with it ({unreadable.report.fields.get('C', '')})")
        except ProtocolError as error:
            self.fail(str(error))

    def go_on(self) -> None:
        """Goes on with rows that rested."""
        if self._server_side is not None:
            self._server_side.go_on()
            self._advance()

    def fail(self, words: str) -> None:
        """See the protocol."""
        if self.over:
            return
        self.failure = words
        self.lose()
        self.finish()

    def stopping(self) -> SendAside | None:
        """See the protocol."""
        if self._phase is None or not self._under_way:
            return None
        data = CancelRequest(self._phase.key.pid, self._phase.key.key).encode()
        return SendAside(self.dial.target, self.dial.greeting, data)

    # ------------------------------------------------------------ on the way

    def _join(self, data: bytes) -> None:
        assert self._phase is not None
        answer = self._phase.feed(data)
        if answer:
            self.outbox.backend.append(answer)
        if not self._phase.ready:
            return
        self._phase.forget()
        place = self._place
        settings = SessionSettings(
            database=place.database, user=self._username, default_schema=place.default_schema
        )
        self._state = SessionState(self.outbox, self._judge)
        self.upkeep = Upkeep(self._state, place.dialect, place.shelf, place.clock, settings)
        self._server_side = ServerSide(self._state, self._stop, place.wake)
        self._stage = Stage.ADOPTING
        ask(self._state, adoption(self._adopted), self._has_adopted)

    def _has_adopted(self, hidden: Hidden) -> None:
        why = refuses(self._adopted, hidden)
        if why:
            self.fail(why)
        else:
            self._stage = Stage.LEARNING

    def _advance(self) -> None:
        match self._stage:
            case Stage.LEARNING:
                assert self.upkeep is not None
                if self.upkeep.fresh():
                    self._stage = Stage.LEARNED
                    self._place.wake()
            case Stage.JOINING | Stage.ADOPTING | Stage.LEARNED | Stage.RUNNING | Stage.OVER:
                return
            case _:
                assert_never(self._stage)

    def _stop(self) -> None:
        """A limit was met: what is still to come is not wanted."""
        effect = self.stopping()
        if effect is not None:
            self.outbox.effects.append(effect)


def _renamed(bind: Bind) -> Bind:
    return Bind(RESERVED, RESERVED, bind.formats, bind.values, bind.result_formats)

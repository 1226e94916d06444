"""A backend session that is made before its client comes: logged in, pinned, its catalog known.

It serves one client and is closed with it, as any other. It is made with the very startup settings of the
clients it waits for, so that nothing has to be set when one takes it, and RESET means what it would have
meant.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from tollhouse_core.api.targets import ANY_ROLE
from tollhouse_core.clock import Clock
from tollhouse_proxy.exchange import BackendOpened, CredentialLent, CredentialRejected, Dial, Outbox
from tollhouse_proxy.protocols.postgres.backend_login import BackendPhase, BackendRefused
from tollhouse_proxy.protocols.postgres.dialect import Dialect
from tollhouse_proxy.protocols.postgres.scram import ScramKeys
from tollhouse_proxy.protocols.postgres.served import Served
from tollhouse_proxy.protocols.postgres.server_side import ServerSide
from tollhouse_proxy.protocols.postgres.shelf import CatalogShelf
from tollhouse_proxy.protocols.postgres.sql.statement import SessionSettings
from tollhouse_proxy.protocols.postgres.startup_settings import Wishes
from tollhouse_proxy.protocols.postgres.state import SessionState
from tollhouse_proxy.protocols.postgres.upkeep import Upkeep
from tollhouse_proxy.protocols.postgres.wire.errors import ProtocolError


@dataclass(frozen=True, slots=True)
class Kind:
    """Which clients a session may serve: the same server, database, way in, and startup settings."""

    served: Served
    database: str
    source: str
    wishes: Wishes
    dial: Dial

    @property
    def key(self) -> Hashable:
        """Equal for sessions that can stand in for each other."""
        user = self.wishes.user if self.source == ANY_ROLE else ""
        settings = tuple(sorted(self.wishes.settings.items()))
        return (
            self.served.target,
            self.served.default_schema,
            self.database,
            self.source,
            user,
            settings,
        )


class WarmedBackend:
    """The machine of such a session (`exchange.Warmed`). Once `ready`, anything the server says ends it:
    nobody is there to hear it."""

    def __init__(
        self,
        kind: Kind,
        dialect: Dialect,
        shelf: CatalogShelf,
        clock: Clock,
        noise: Callable[[int], bytes],
        keys: ScramKeys,
    ) -> None:
        self.outbox = Outbox()
        self.role = kind.source
        self.dial = kind.dial
        self.ready = False
        self._kind = kind
        self._dialect = dialect
        self._shelf = shelf
        self._clock = clock
        self._noise = noise
        self._keys = keys
        self._phase: BackendPhase | None = None
        self._server_side: ServerSide | None = None
        self._state: SessionState | None = None
        self._upkeep: Upkeep | None = None

    def introduce(self, lent: CredentialLent, opened: BackendOpened) -> None:
        """See the protocol."""
        kind = self._kind
        username = kind.wishes.user if kind.source == ANY_ROLE else lent.username
        self._phase = BackendPhase(
            username,
            lent.password,
            binding=opened.certificate_hash,
            guarded=opened.verified or kind.served.target.is_local,
            nonce=lambda: self._noise(18).hex(),
            keys=self._keys,
        )
        self._username = username
        self.outbox.backend.append(self._phase.startup(kind.database, kind.wishes))

    def backend_data(self, data: bytes) -> None:
        """See the protocol. Raises what a log-in raises, CredentialRejected, and ProtocolError."""
        assert self._phase is not None
        if self.ready:
            raise ProtocolError("the backend spoke to nobody")
        if self._server_side is not None:
            self._server_side.feed(data)
        else:
            try:
                answer = self._phase.feed(data)
            except BackendRefused as refused:
                if refused.may_be_stale:
                    raise CredentialRejected(str(refused)) from None
                raise
            if answer:
                self.outbox.backend.append(answer)
            if not self._phase.ready:
                return
            self._learn()
        assert self._upkeep is not None
        self.ready = self._upkeep.fresh()

    def _learn(self) -> None:
        kind = self._kind
        settings = SessionSettings(
            database=kind.database, user=self._username, default_schema=kind.served.default_schema
        )
        self._state = SessionState(self.outbox, _Nobody())
        self._upkeep = Upkeep(self._state, self._dialect, self._shelf, self._clock, settings)
        self._server_side = ServerSide(self._state, lambda: None, lambda: None)

    def hand_over(self, outbox: Outbox, judge: Any) -> tuple[BackendPhase, SessionState, Upkeep]:
        """What the client's own machine goes on with."""
        assert self._phase is not None
        assert self._state is not None
        assert self._upkeep is not None
        assert self.ready
        self._state.outbox, self._state.judge = outbox, judge
        self._upkeep.doubt()  # what there was when the client came, it may count on
        return self._phase, self._state, self._upkeep


class _Nobody:
    """No client's statement runs yet, so nothing is judged: whoever asks is wrong."""

    def __getattr__(self, name: str) -> Any:
        raise ProtocolError("nothing is judged before there is a client")

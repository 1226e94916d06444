"""A proxy in this process, before a real PostgreSQL, with everything but the wire kept simple.

The prover knows fixed tokens, the credential is given, the judge allows everything unless told otherwise.
What is real: sockets, TLS, the protocol, SQL, the backend.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

import uvloop

from kit.postgres import Postgres
from tollhouse_core.decision import (
    Obligations,
    Permitted,
    Refusal,
    Refused,
    RuleRef,
    SessionTerms,
    Verdict,
)
from tollhouse_core.identity import Identity, Proof, Session
from tollhouse_core.operation import Operation
from tollhouse_core.secret import Secret
from tollhouse_proxy.exchange import Target, TlsMode
from tollhouse_proxy.guard.gate import Gate
from tollhouse_proxy.ports.aside import Aside
from tollhouse_proxy.ports.credentials import Credential, CredentialSource, approval_source
from tollhouse_proxy.ports.identity import NotProven, ProofUnavailable
from tollhouse_proxy.ports.judging import (
    Completion,
    FactLookup,
    Overrun,
    PreviewLookup,
    SessionNotAllowed,
    Standing,
    Waiting,
)
from tollhouse_proxy.protocols.postgres.cancel import CancelRegistry
from tollhouse_proxy.protocols.postgres.conversation import Surroundings
from tollhouse_proxy.protocols.postgres.factory import PostgresFactory
from tollhouse_proxy.protocols.postgres.served import Asks, Served
from tollhouse_proxy.protocols.postgres.shelf import CatalogShelf
from tollhouse_proxy.protocols.postgres.sql.masks import MaskKeys
from tollhouse_proxy.protocols.postgres.sql_dialect import sql_dialect
from tollhouse_proxy.runtime.serving import RuntimeSettings, Serving, serve
from tollhouse_proxy.runtime.session import Parts, TimeLimits
from tollhouse_proxy.runtime.tls import ServingCertificate
from tollhouse_proxy.runtime.warm import WarmPool, WarmSettings

TOKEN = "token-of-triage"
REVISION = "sha256:one"
RULE = RuleRef("support", "never", "h")
Deciding = Callable[["ScriptedJudge", Operation], Verdict | Awaitable[Verdict] | None]


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return monotonic()


def refused(message: str = "Ask somebody else.", refusal: Refusal = Refusal.DENIED, **more: Any) -> Refused:
    return Refused(refusal, message, "Read something else.", RULE, REVISION, **more)


class ScriptedJudge:
    """Permits what `deciding` does not answer; keeps a record of everything."""

    def __init__(self, gate: ScriptedGate, session: Session) -> None:
        self.gate = gate
        self.session = session
        self.numbers = itertools.count(1)
        self.judged: list[Operation] = []
        self.done: list[Completion] = []
        self.rows = 0
        self.closed: list[str] = []
        self.refused_credentials: list[tuple[str, bool]] = []
        self.facts: FactLookup | None = None
        self.waiting: Waiting | None = None
        self.preview: PreviewLookup | None = None

    @property
    def revision(self) -> str:
        return self.gate.revision

    @property
    def terms(self) -> SessionTerms:
        return self.gate.terms

    @property
    def lost(self) -> str:
        return self.gate.lost

    def judge(
        self,
        operation: Operation,
        facts: FactLookup,
        waiting: Waiting,
        preview: PreviewLookup | None = None,
    ) -> Verdict | Awaitable[Verdict]:
        self.judged.append(operation)
        self.facts, self.waiting, self.preview = facts, waiting, preview
        said = self.gate.deciding(self, operation) if self.gate.deciding else None
        return said if said is not None else self.permit(operation)

    def permit(self, operation: Operation, obligations: Obligations | None = None) -> Permitted:
        bound = self.gate.obligations if obligations is None else obligations
        return Permitted(next(self.numbers), self.revision, RULE, bound, cacheable=self.gate.cacheable)

    def again(self, permitted: Permitted, operation: Operation) -> Verdict | None:
        if not permitted.cacheable or permitted.revision != self.revision:
            return None
        self.judged.append(operation)
        return self.permit(operation)

    def foresee(self, operation: Operation) -> Obligations | None:
        said = self.gate.deciding(self, operation) if self.gate.deciding else None
        if asyncio.iscoroutine(said):
            said.close()
        return None if isinstance(said, Refused) else self.gate.obligations

    def unasked(self, operation: Operation) -> bool:
        return self.foresee(operation) is not None

    def freely(self, operation: Operation) -> bool:
        found = self.foresee(operation)
        return found is not None and not found.touches_data

    @property
    def principal(self) -> str:
        return self.session.id

    def standing(self, permitted: Permitted, operation: Operation) -> None:
        return None

    def repeat(
        self, standing: Standing, text: str, parameters: tuple[str | None, ...], now_monotonic: float
    ) -> None:
        return None

    def repeated(
        self, standing: Standing, number: int, rows: int, size: int, tag: str, now_monotonic: float
    ) -> bool:
        return False

    def unbound(self, operation: Operation) -> bool:
        return self.gate.unbound

    def spent(self, operation_id: int, rows: int, size: int) -> Overrun | None:
        self.rows += rows
        most = self.gate.most_rows
        if most is not None and self.rows > most:
            return Overrun(f"more than {most} rows", "Wait.", 7.0, RULE, self.revision)
        return None

    def unreadable(self, operation: Operation, message: str, code: str) -> Refused | None:
        self.judged.append(operation)
        return None

    def completed(self, completion: Completion) -> None:
        self.done.append(completion)

    def credential_refused(self, code: str, *, fetched_anew: bool) -> None:
        self.refused_credentials.append((code, fetched_anew))

    def close(self, reason: str) -> None:
        self.closed.append(reason)


@dataclass
class ScriptedGate:
    """Opens sessions for everybody; the fields say how operations are judged."""

    deciding: Deciding | None = None
    obligations: Obligations = field(default_factory=Obligations)
    revision: str = REVISION
    cacheable: bool = True
    most_rows: int | None = None
    terms: SessionTerms = field(default_factory=SessionTerms)
    lost: str = ""
    unbound: bool = False
    shut: Refused | None = None
    sessions: list[ScriptedJudge] = field(default_factory=list)
    turned_away: list[str] = field(default_factory=list)

    def open(self, session: Session) -> ScriptedJudge:
        if self.shut is not None:
            raise SessionNotAllowed(self.shut)
        judge = ScriptedJudge(self, session)
        self.sessions.append(judge)
        return judge

    def roles(self, session: Session, offered: Iterable[str]) -> tuple[str, ...]:
        return tuple(offered)

    def refused(self, address: str, reason: str, identity: Identity | None = None) -> None:
        self.turned_away.append(reason)


@dataclass
class TokenBook:
    """A prover that knows tokens by heart."""

    known: dict[str, Identity]
    away: str = ""
    asked: int = 0

    async def prove(self, token: Secret) -> Identity:
        self.asked += 1
        if self.away:
            raise ProofUnavailable(self.away)
        found = self.known.get(token.reveal())
        if found is None:
            raise NotProven("the token is not one of ours")
        return found


@dataclass
class LentCredential:
    """One username and password for every session."""

    username: str
    password: str
    lent: int = 0

    async def acquire(self) -> Credential:
        self.lent += 1
        return Credential(self.username, Secret(self.password))

    async def renew(self, credential: Credential) -> Credential:
        return credential

    async def release(self, credential: Credential) -> None:
        self.lent -= 1

    async def close(self) -> None:
        return None


@dataclass
class WireWorld:
    """A proxy before `server`, serving `database`. `guard` judges instead of the scripted gate; `known` are
    identities by token instead of the one of TOKEN."""

    server: Postgres
    database: str
    gate: ScriptedGate = field(default_factory=ScriptedGate)
    guard: Gate | None = None
    known: dict[str, Identity] = field(default_factory=dict)
    tls_dir: Path | None = None
    requires_tls: bool = False
    asks: Asks = field(default_factory=Asks)
    backend_tls: TlsMode = TlsMode.DISABLE
    databases: tuple[str, ...] = ()
    expires_at: datetime | None = None
    limits: TimeLimits = field(default_factory=TimeLimits)
    book: TokenBook = field(init=False)
    """Who is proved; made anew when it starts."""
    username: str = ""
    password: str = ""
    lenders: dict[str, LentCredential] = field(default_factory=dict)
    source: Callable[[], CredentialSource] | None = None
    """Makes what lends instead of `username` and `password`, in the proxy's own loop."""
    stronger: dict[str, Callable[[], CredentialSource]] = field(default_factory=dict)
    """What the Connection's approvalCredentials lend, by name."""
    rejected: int = 0
    """Credentials that the backend did not accept from sessions made ahead."""
    shelf: CatalogShelf = field(default_factory=CatalogShelf)
    aside: Aside | None = None
    warm: WarmSettings = field(default_factory=WarmSettings)
    pool: WarmPool | None = None
    over_socket: bool = False
    host: str = "127.0.0.1"
    port: int = 0
    serving: Serving | None = None
    _lender: CredentialSource | None = None
    _stronger: dict[str, CredentialSource] = field(default_factory=dict)
    loop: asyncio.AbstractEventLoop | None = None

    def served(self) -> Served:
        server = self.server
        ca = (
            server.ca_file.read_text() if server.ca_file and self.backend_tls is TlsMode.VERIFY_FULL else None
        )
        host = str(server.socket_dir) if self.over_socket else server.host
        target = Target(host, server.port, self.backend_tls, ca)
        return Served(
            "shop",
            "orders-db",
            target,
            self.database,
            self.databases,
            requires_tls=self.requires_tls,
            asks=self.asks,
            roles=frozenset(self.lenders) - {""},
        )

    def lent_to(self, role: str) -> CredentialSource:
        if not role and self._lender is not None:
            return self._lender
        return self._stronger.get(role) or self.lenders[role]

    def _count_rejected(self) -> None:
        self.rejected += 1

    async def start(self) -> Serving:
        served = self.served()
        identity = Identity("triage", "kubernetes", Proof.SERVICE_ACCOUNT, expires_at=self.expires_at)
        self.credentials = self.lenders[""] = LentCredential(
            self.username or self.server.superuser, self.password or self.server.password
        )
        self._lender = self.source() if self.source is not None else None
        self._stronger = {approval_source(name): make() for name, make in self.stronger.items()}
        clock = SystemClock()
        numbers = itertools.count(1)
        around = Surroundings(
            served=lambda: served,
            gate=self.guard or self.gate,
            dialect=sql_dialect(MaskKeys(b"n" * 32, b"c" * 32), self.aside),
            clock=clock,
            shelf=self.shelf,
            cancels=CancelRegistry(),
            noise=os.urandom,
            session_id=lambda: f"session-{next(numbers)}",
        )
        certificate = ServingCertificate(self.tls_dir).context if self.tls_dir else lambda: None
        self.pool = WarmPool(self.lent_to, clock, lambda: self.warm, self._count_rejected)
        self.pool.start()
        self.book = TokenBook(self.known or {TOKEN: identity})
        parts = Parts(
            PostgresFactory(around),
            self.book,
            self.lent_to,
            clock,
            certificate,
            self.pool,
        )
        self.serving = await serve(RuntimeSettings(self.host, self.port, limits=self.limits), parts)
        self.port = self.serving.port
        self.loop = asyncio.get_running_loop()
        return self.serving

    def dsn(self, **options: object) -> str:
        """For libpq and its like."""
        more = " ".join(f"{key}={value}" for key, value in options.items())
        return f"host={self.host} port={self.port} user=triage dbname={self.database} password={TOKEN} {more}"


@contextmanager
def running(world: WireWorld, on: asyncio.AbstractEventLoop | None = None) -> Iterator[WireWorld]:
    """Serves from a loop of its own (uvloop unless told otherwise) in another thread, so that blocking
    clients can be used."""
    loop = on or uvloop.new_event_loop()
    ready = threading.Event()
    trouble: list[BaseException] = []

    def serve_on() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(world.start())
        except BaseException as error:
            trouble.append(error)
            return
        finally:
            ready.set()
        loop.run_forever()
        assert world.serving is not None
        loop.run_until_complete(world.serving.drain(0))
        if world.pool is not None:
            loop.run_until_complete(world.pool.close())
        for lender in (world._lender, *world._stronger.values()):
            if lender is not None:
                loop.run_until_complete(lender.close())
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    thread = threading.Thread(target=serve_on)
    thread.start()
    ready.wait(10)
    if trouble:
        thread.join()
        raise trouble[0]
    try:
        yield world
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(15)
        assert not thread.is_alive()

"""A conversation without sockets: bytes in, bytes out, written down as a transcript.

The dialect is a simple one: every word of a text up to `;` is a statement, its tag the first word; MASK, DDL,
PATH and COPY have effects. The backend is whoever writes the test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from kit.wire_world import TOKEN, ScriptedGate
from tollhouse_core.decision import Obligations
from tollhouse_core.identity import Identity, Proof
from tollhouse_core.operation import Operation
from tollhouse_core.secret import Secret
from tollhouse_proxy.exchange import (
    BackendOpened,
    Close,
    CredentialLent,
    Effect,
    Proven,
    Target,
    TlsMode,
    Tools,
)
from tollhouse_proxy.protocols.postgres.cancel import CancelRegistry
from tollhouse_proxy.protocols.postgres.conversation import PostgresMachine, Surroundings
from tollhouse_proxy.protocols.postgres.dialect import Dialect
from tollhouse_proxy.protocols.postgres.served import Asks, Served
from tollhouse_proxy.protocols.postgres.shelf import CatalogShelf
from tollhouse_proxy.protocols.postgres.sql.session_settings import may_set, split_path
from tollhouse_proxy.protocols.postgres.sql.signs import Signs
from tollhouse_proxy.protocols.postgres.sql.statement import (
    Edit,
    EffectKind,
    NotUnderstood,
    Rewritten,
    SessionEffect,
    Statement,
)
from tollhouse_proxy.protocols.postgres.wire import backend, frontend
from tollhouse_proxy.protocols.postgres.wire.backend import (
    Authentication,
    BackendKeyData,
    CommandComplete,
    DataRow,
    ParameterStatus,
    ReadyForQuery,
    RowDescription,
)
from tollhouse_proxy.protocols.postgres.wire.body import message
from tollhouse_proxy.protocols.postgres.wire.framing import Framer
from tollhouse_proxy.protocols.postgres.wire.startup import StartupMessage

TARGET = Target("db", 5432, TlsMode.DISABLE)
BACKEND_KEY = BackendKeyData(4711, b"bkey")
_AROUND = ("statement_timeout", "SAVEPOINT")
"""Words of what goes around our own questions."""


class HandClock:
    """Time moves only by hand."""

    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> datetime:
        return datetime(2030, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.time


@dataclass(frozen=True)
class PlainCatalog:
    epoch: str
    complete: bool = True


def understand(text: str, catalog: Any, settings: Any) -> tuple[Statement, ...]:
    found: list[Statement] = []
    at = 0
    for piece in text.split(";"):
        words = piece.strip()
        if "FLEETING" in words and "f1" not in catalog.epoch:
            raise NotUnderstood("it does not exist", sqlstate="42P01")
        if words:
            found.append(_statement(words, at + piece.index(words[0])))
        at += len(piece) + 1
    return tuple(found)


def _statement(text: str, start: int) -> Statement:
    tag, _, rest = text.partition(" ")
    if tag == "BROKEN":
        raise NotUnderstood("syntax error", sqlstate="42601", position=start)
    effect = SessionEffect()
    if tag == "DDL":
        effect = SessionEffect(EffectKind.CATALOG, changes_catalog=True)
    elif tag in {"BEGIN", "COMMIT", "ROLLBACK", "SET"}:
        effect = SessionEffect(EffectKind(tag.lower()), changes_catalog=tag == "ROLLBACK")
    elif tag == "COPYIN":
        effect = SessionEffect(EffectKind.COPY_IN)
    elif tag == "EXECUTE":
        effect = SessionEffect(EffectKind.EXECUTE, rest)
    elif tag == "FETCH":
        effect = SessionEffect(EffectKind.FETCH, rest)
    elif tag in {"PREPARE", "DECLARE"}:
        name, _, inner = rest.partition(" ")
        effect = SessionEffect(EffectKind(tag.lower()), name, _statement(inner, start))
    return Statement(text, start, tag, Operation(tag, (), text=text, facts={"inTransaction": False}), effect)


def rewrite(statement: Statement, obligations: Obligations) -> Rewritten:
    if not obligations.columns:
        return Rewritten(statement.text)
    edit = Edit(0, 0, "/*masked*/")
    forbidden = frozenset({(16384, 2)})
    return Rewritten(f"/*masked*/{statement.text}", (edit,), forbidden, guards_errors=True)


@dataclass
class PlainRenewal:
    """Reads everything anew."""

    queries: list[str] = field(default_factory=lambda: ["session?", "relations?"])

    def take(self, results: Any) -> PlainCatalog:
        return PlainCatalog(repr(results), complete="unread" not in repr(results))


DIALECT = Dialect(
    understand=understand,
    split=lambda text: tuple((one.text, one.start) for one in understand(text, None, None)),
    rewrite=rewrite,
    renewal=lambda base, session, parts, taken, own: PlainRenewal(),
    scanner=lambda obligations: None,
    may_set=may_set,
    split_path=split_path,
    signs="signs?",
    brief="brief?",
    told=lambda row: Signs(
        row[0] or "",
        row[1] or "",
        row[2] or "",
        written=False,
        server=row[4] or "",
        session=row[5:6],
        fingerprint=(row[0], *row[6:]),
        grounds=row[7:],
    ),
    snapshot="snapshot?",
)


class Later:
    """A promise that nobody awaits: the test gives it."""

    def __init__(self) -> None:
        self.given: list[Any] = []

    def __await__(self) -> Any:
        raise AssertionError("nothing waits here")

    def set_result(self, value: Any, /) -> None:
        self.given.append(value)

    def done(self) -> bool:
        return bool(self.given)


@dataclass
class Transcript:
    """One machine, driven by hand. `chunk` cuts what both sides send into pieces of that many bytes."""

    gate: ScriptedGate = field(default_factory=ScriptedGate)
    chunk: int = 0
    requires_tls: bool = False
    asks: Asks = field(default_factory=Asks)
    can_secure: bool = False
    clock: HandClock = field(default_factory=HandClock)
    cancels: CancelRegistry = field(default_factory=CancelRegistry)
    shelf: CatalogShelf = field(default_factory=CatalogShelf)
    isolation: str = "read committed"
    fingerprint: str = "f1"
    server: str = "one"
    grounds: str = "rights"
    path: str = "public"
    effects: list[Effect] = field(default_factory=list)
    woken: int = 0

    def __post_init__(self) -> None:
        around = Surroundings(
            served=lambda: None,
            gate=self.gate,
            dialect=DIALECT,
            clock=self.clock,
            shelf=self.shelf,
            cancels=self.cancels,
            noise=lambda size: b"k" * size,
            session_id=lambda: "session-1",
        )
        served = Served("shop", "orders-db", TARGET, "orders", requires_tls=self.requires_tls, asks=self.asks)
        tools = Tools(Later, self._wake)
        self.machine = PostgresMachine(
            around, served, "127.0.0.1:9", tools, secure=False, can_secure=self.can_secure
        )
        self._to_backend = Framer("a proxy", {**frontend.CAPS, **frontend.LOGIN_CAPS})
        self._to_client = Framer("a proxy", backend.CAPS)

    def _wake(self) -> None:
        self.woken += 1

    # ------------------------------------------------------------ sending

    def client(self, *messages: bytes) -> None:
        self._feed(self.machine.client_data, b"".join(messages))

    def backend(self, *messages: bytes) -> None:
        self._feed(self.machine.backend_data, b"".join(messages))

    def _feed(self, take: Callable[[bytes], None], data: bytes) -> None:
        size = self.chunk or max(len(data), 1)
        for at in range(0, len(data), size):
            take(data[at : at + size])

    # ------------------------------------------------------------ what came out

    def to_backend(self) -> list[bytes]:
        """Messages for the backend since the last call."""
        return self._taken(self._to_backend, self.machine.outbox.backend)

    def to_client(self) -> list[bytes]:
        """Messages for the client since the last call."""
        return self._taken(self._to_client, self.machine.outbox.client)

    @staticmethod
    def _taken(framer: Framer, pieces: list[bytes]) -> list[bytes]:
        for piece in pieces:
            framer.feed(piece) if piece else None
        found = []
        pieces.clear()
        while (one := framer.next()) is not None:
            found.append(one)
        return found

    def kinds(self) -> str:
        """The types of the messages for the client, as one word."""
        return "".join(chr(one[0]) for one in self.to_client())

    def sent(self) -> str:
        """The types of the messages for the backend, as one word."""
        return "".join(chr(one[0]) for one in self.to_backend())

    def did(self) -> list[Effect]:
        """Effects since the last call."""
        found = self.machine.outbox.effects[:]
        self.machine.outbox.effects.clear()
        return found

    @property
    def closed(self) -> Close | None:
        """The end, once it was asked for."""
        self.effects += self.did()
        return next((effect for effect in self.effects if isinstance(effect, Close)), None)

    # ------------------------------------------------------------ the usual way in

    def log_in(self, minor: int = 0) -> Transcript:
        self.client(StartupMessage(3, minor, (("user", "ann"), ("database", "orders"))).encode())
        self.machine.outbox.client.clear()
        self.client(frontend.PasswordMessage(TOKEN.encode()).encode())
        self.machine.receive(Proven(Identity("ann", "corp", Proof.OIDC)))
        self.machine.receive(CredentialLent("app", Secret("pw")))
        self.machine.receive(BackendOpened())
        self.machine.outbox.backend.clear()
        self.backend(
            Authentication(0).encode(),
            ParameterStatus("client_encoding", "UTF8").encode(),
            ParameterStatus("standard_conforming_strings", "on").encode(),
            BACKEND_KEY.encode(),
            ReadyForQuery("I").encode(),
        )
        self.answer_looks()
        self.machine.outbox.client.clear()
        self.effects += self.did()
        return self

    def answer_looks(self, status: str = "I", *, synced: bool = True) -> int:
        """Answers our own questions about the catalog as long as there are any; how many there were, without
        those that take away the time limit and set it again."""
        asked = 0
        while True:
            parses = [frontend.Parse.parse(one[5:]) for one in self.to_backend() if one[:1] == b"P"]
            texts = [one.text.decode() for one in parses if one.name == "_tollhouse"]
            if not texts:
                return asked
            asked += sum(not any(word in text for word in _AROUND) for text in texts)
            answers = [_looked(*self._answer(text)) for text in texts]
            self.backend(message(b"3") * 2, *answers, *([ReadyForQuery(status).encode()] if synced else []))

    def _answer(self, text: str) -> tuple[str, ...]:
        own = (self.path, self.isolation, f"s-{self.fingerprint}", "", self.server, "session")
        known = {
            "brief?": own,
            "signs?": (*own, self.fingerprint, self.grounds),
            "snapshot?": (f"s-{self.fingerprint}",),
        }
        return known.get(text, (f"rows of {text} at {self.fingerprint}",))


def _looked(*values: str) -> bytes:
    return b"".join(
        (
            message(b"1"),
            message(b"2"),
            DataRow(tuple(value.encode() for value in values)).encode(),
            CommandComplete("SELECT 1").encode(),
            message(b"3"),
            message(b"3"),
        )
    )


def result(*values: str, tag: str = "SELECT 1", table: int = 0, attribute: int = 0) -> bytes:
    """A described result of one text column."""
    column = backend.Field(b"c", table, attribute, 25, -1, -1, 0)
    rows = b"".join(DataRow((value.encode(),)).encode() for value in values)
    return RowDescription((column,)).encode() + rows + CommandComplete(tag).encode()


def done(tag: str) -> bytes:
    return CommandComplete(tag).encode()


def ready(status: str = "I") -> bytes:
    return ReadyForQuery(status).encode()


def error(
    code: str = "22012", words: str = "division by zero", severity: str = "ERROR", **more: str
) -> bytes:
    return backend.Report("E", {"S": severity, "V": severity, "C": code, "M": words, **more}).encode()


def query(text: str) -> bytes:
    return frontend.Query(text.encode()).encode()


def parse(text: str, name: str = "") -> bytes:
    return frontend.Parse(name, text.encode()).encode()


def bind(statement: str = "", portal: str = "", values: tuple[bytes | None, ...] = ()) -> bytes:
    return frontend.Bind(portal, statement, (), values).encode()


def execute(portal: str = "", rows: int = 0) -> bytes:
    return frontend.Execute(portal, rows).encode()


SYNC, FLUSH = frontend.SYNC_MESSAGE, frontend.FLUSH_MESSAGE
PARSED, BOUND, CLOSED = message(b"1"), message(b"2"), message(b"3")


def said(one: bytes) -> dict[str, str]:
    """The fields of an ErrorResponse or NoticeResponse."""
    return dict(backend.Report.parse(chr(one[0]), one[5:]).fields)

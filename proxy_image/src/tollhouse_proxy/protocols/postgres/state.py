"""What one session knows of itself and of its backend."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tollhouse_proxy.exchange import Outbox
from tollhouse_proxy.ports.judging import OpenSession
from tollhouse_proxy.protocols.postgres.content import Scanner
from tollhouse_proxy.protocols.postgres.ledger import Kind, Ledger, Owed, Run
from tollhouse_proxy.protocols.postgres.names import Names
from tollhouse_proxy.protocols.postgres.wire.frontend import FLUSH_MESSAGE, SYNC_MESSAGE

READ_BY = frozenset({"DateStyle", "IntervalStyle", "TimeZone"})
"""Settings by which the server reads constants, and which it reports (protocol documentation, "Asynchronous
Operations") before it is ready for the next query."""


def _nobody() -> None: ...


@dataclass(slots=True)
class SessionState:
    """Shared by the two sides of a conversation.

    status: what the last ReadyForQuery said (I, T, E).
    open_pipeline: extended messages were sent since the last Sync.
    executed: one of them was an Execute, so that the pipeline's implicit transaction has done something.
    flushed: nothing of an open pipeline waits in the backend for a Flush.
    skipping: the backend (or, where nothing had been sent, this side) ignores messages up to a Sync.
    copy_in: the backend takes CopyData now. may_copy: a COPY FROM was sent that may not have begun.
    dirty: a statement was sent that may change what the catalog or the settings are.
    private: what is known of catalog and settings holds only within the open transaction.
    path_unconfirmed: a new search_path is assumed that the backend has not confirmed yet.
    queried: the open transaction has run something that fixes its snapshot.
    moving: what was sent may change the catalog for all sessions, and may not have been committed yet;
    `moved` tells them. `doubt` has the catalog looked at again before anything else is sent.
    revived: what was sent since the last ReadyForQuery may end the failed state of a transaction.
    in_block: a transaction block is open where the next statement will run, if what was sent succeeds.
    acted: a statement was sent that the next Sync will commit.
    aside: the session serves one operation of another's client: what it says of itself is for nobody.
    reading: the two that follow, together: by what the server reads the words of the next statement.
    reported: what the server said last of the settings that dates and times are read by (READ_BY).
    unreported: stands for the statements, in their order, that may have changed one of them since.
    content: what the content masks last in force look for, for what the backend says besides rows.
    """

    outbox: Outbox
    judge: OpenSession
    ledger: Ledger = field(default_factory=Ledger)
    names: Names = field(default_factory=Names)
    status: str = "I"
    open_pipeline: bool = False
    executed: bool = False
    flushed: bool = True
    skipping: bool = False
    copy_in: bool = False
    may_copy: bool = False
    dirty: bool = False
    private: bool = False
    path_unconfirmed: bool = False
    queried: bool = False
    moving: bool = False
    moved: Callable[[], None] = lambda: None
    doubt: Callable[[], None] = lambda: None
    in_block: bool = False
    revived: bool = False
    acted: bool = False
    aside: bool = False
    reading: tuple[str, ...] = ()
    reported: dict[str, str] = field(default_factory=dict)
    unreported: str = ""
    content: Scanner | None = None
    suspended: dict[int, Run] = field(default_factory=dict)
    """Operations whose portal may be run on: number -> what came so far."""

    def report(self, settings: Mapping[str, str]) -> None:
        """The server says how it reads dates and times."""
        self.reported.update({name: value for name, value in settings.items() if name in READ_BY})
        self._read_on()

    def all_reported(self) -> None:
        """The server has said whatever there was to say."""
        if self.unreported:
            self.unreported = ""
            self._read_on()

    def may_read_otherwise(self, text: str) -> None:
        """What is being sent may change how later statements are read."""
        self.unreported = hashlib.sha256(f"{self.unreported} {text}".encode()).hexdigest()
        self._read_on()

    def _read_on(self) -> None:
        said = tuple(f"{name}={value}" for name, value in sorted(self.reported.items()))
        self.reading = (*said, f"after={self.unreported}") if self.unreported else said

    @property
    def quiet(self) -> bool:
        """Nothing is owed and nothing is open: a place between two statements."""
        return not self.ledger and not self.open_pipeline

    def send(self, message: bytes, entry: Owed | None) -> None:
        """A message for the backend, and what it will owe for it."""
        self.outbox.backend.append(message)
        if entry is None:
            return
        self.ledger.push(entry)
        if entry.kind is Kind.SYNC or entry.kind is Kind.QUERY or entry.kind is Kind.CALL:
            self.open_pipeline = self.acted = self.executed = False
            self.flushed = True
        else:
            self.executed = self.executed or (entry.kind is Kind.EXECUTE and entry.hidden is None)
            self.open_pipeline = True
            self.flushed = False

    def sync(self) -> None:
        """A Sync of the client's."""
        self.send(SYNC_MESSAGE, Owed(Kind.SYNC))

    def flush(self) -> None:
        """Asks for what an open pipeline still owes."""
        if not self.flushed:
            self.outbox.backend.append(FLUSH_MESSAGE)
            self.flushed = True

    def say(self, message: bytes) -> None:
        """A message for the client, now."""
        self.outbox.client.append(message)

    def let_go(self) -> None:
        """The session ends: nobody is told of anything any more."""
        self.moved = self.doubt = _nobody

    def transaction_over(self) -> None:
        """The backend says that no transaction runs."""
        self.names.transaction_over()
        self.queried = self.open_pipeline
        if self.moving:
            self.moved()
            self.moving = bool(self.ledger)  # what is owed yet may be the change itself
        if self.private:
            self.private = False
            self.dirty = True

"""Replies owed: one entry for each message that was sent to the backend, first in, first out.

Each reply of the backend must be one that the entry at the head expects; anything else ends the session.
After an ErrorResponse in the extended protocol the backend skips everything up to the next Sync, and so do
the entries.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

from tollhouse_core.operation import Operation
from tollhouse_proxy.protocols.postgres.content import Scanner
from tollhouse_proxy.protocols.postgres.names import Change
from tollhouse_proxy.protocols.postgres.sql.statement import SessionEffect
from tollhouse_proxy.protocols.postgres.wire.backend import Report
from tollhouse_proxy.protocols.postgres.withholding import Withheld


class Kind(IntEnum):
    """Which message the entry stands for."""

    QUERY = 0
    PARSE = 1
    BIND = 2
    DESCRIBE = 3
    EXECUTE = 4
    CLOSE = 5
    SYNC = 6
    CALL = 7
    """A FunctionCall; like a QUERY it is answered up to ReadyForQuery."""


Positions = Callable[[int], int]
"""Maps a 1-based character position in what was sent to one in what the client wrote."""


@dataclass(slots=True, eq=False)
class Run:
    """One execution of one statement: what was permitted, and what has come back so far."""

    operation: int
    effect: SessionEffect
    guarded: bool = False
    judged: Operation | None = None
    """What was permitted, to tell what an error may show."""
    forbidden: frozenset[tuple[int, int]] = frozenset()
    scan: Scanner | None = None
    rows: int = 0
    size: int = 0
    columns: tuple[int, ...] | None = None
    """Format and scannability of each column, set by RowDescription (see `content`)."""
    formats: tuple[int, ...] = ()
    positions: Positions | None = None
    changes: list[Change] = field(default_factory=list)
    copying: bool = False
    copy_format: int = 0
    stopped: bytes = b""
    """A limit was met: no further row goes out, and this is what the client reads in the end."""
    tag: str = ""
    withheld: Withheld | None = None
    """Nothing of the answer goes out before it is known how many rows were written."""


class Hidden:
    """An exchange of our own: its replies are collected, none reaches the client. `counts`: rows are dropped,
    for only the command tags are wanted."""

    __slots__ = ("counts", "done", "error", "last", "results", "rows", "tags")

    def __init__(self, done: Callable[[Hidden], None], *, counts: bool = False) -> None:
        self.done = done
        self.counts = counts
        self.tags: list[str] = []
        self.last: Owed | None = None
        self.error: Report | None = None
        self.results: list[list[tuple[str | None, ...]]] = []
        self.rows: list[tuple[str | None, ...]] = []

    def finish(self) -> None:
        """All of it was answered. The entries of the ledger go with the last reference: an exchange that
        held its own last entry would wait for a whole garbage collection."""
        self.last = None
        self.done(self)


@dataclass(slots=True, eq=False)
class Owed:
    """One entry. `instead`: the message was one of ours that can only fail; the client reads this
    error instead of the backend's. `hidden`: our own exchange, nothing of it reaches the client.
    `muted`: ours too, but its failure is the client's. `describes`: the run that a RowDescription
    of ours is for. A Sync with `runs` says what they answered when they are committed."""

    kind: Kind
    runs: list[Run] = field(default_factory=list)
    at: int = 0
    failed: bool = False
    instead: bytes = b""
    hidden: Hidden | None = None
    changes: list[Change] = field(default_factory=list)
    forbidden: frozenset[tuple[int, int]] = frozenset()
    guarded: bool = False
    positions: Positions | None = None
    muted: bool = False
    describes: Run | None = None

    @property
    def run(self) -> Run | None:
        """The statement that answers now."""
        return self.runs[self.at] if self.at < len(self.runs) else None


class Ledger:
    """The queue of entries."""

    __slots__ = ("entries",)

    def __init__(self) -> None:
        self.entries: deque[Owed] = deque()

    def __bool__(self) -> bool:
        return bool(self.entries)

    def push(self, entry: Owed) -> None:
        """A message was sent."""
        self.entries.append(entry)

    @property
    def head(self) -> Owed | None:
        """The entry that is answered now."""
        return self.entries[0] if self.entries else None

    def pop(self) -> Owed:
        """The head has been answered."""
        return self.entries.popleft()

    def skip_to_sync(self) -> tuple[list[Owed], bool]:
        """Takes out what the backend skips; whether a Sync stands behind it."""
        skipped: list[Owed] = []
        while self.entries:
            if self.entries[0].kind is Kind.SYNC:
                return skipped, True
            skipped.append(self.entries.popleft())
        return skipped, False

    def drop_syncs_behind_head(self) -> bool:
        """A COPY FROM swallows Syncs that were sent before it began; False: something else stands
        there, which no honest client sends."""
        head = self.entries.popleft()
        honest = all(entry.kind is Kind.SYNC and entry.hidden is None for entry in self.entries)
        self.entries.clear()
        self.entries.append(head)
        return honest

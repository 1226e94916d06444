"""The client's half of a session: each message is dealt with in its order, one at a time.

What cannot be dealt with at once (a verdict is awaited, the catalog is read again) is a task; the messages
behind it stay in the framer until it is done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tollhouse_proxy.exchange import Close, EndReason
from tollhouse_proxy.kits.kernel import kinds
from tollhouse_proxy.protocols.postgres import refuse
from tollhouse_proxy.protocols.postgres.calling import FunctionCallTask, Functions
from tollhouse_proxy.protocols.postgres.desk import Desk, Turned
from tollhouse_proxy.protocols.postgres.extended import (
    BindTask,
    ExecuteTask,
    ParseTask,
    check_length,
    no_statement,
)
from tollhouse_proxy.protocols.postgres.ledger import Kind, Owed
from tollhouse_proxy.protocols.postgres.simple import SimpleQuery
from tollhouse_proxy.protocols.postgres.sql.statement import EffectKind
from tollhouse_proxy.protocols.postgres.wire import frontend
from tollhouse_proxy.protocols.postgres.wire.errors import ProtocolError
from tollhouse_proxy.protocols.postgres.wire.framing import Framer
from tollhouse_proxy.protocols.postgres.wire.frontend import TERMINATE_MESSAGE, Describe
from tollhouse_proxy.protocols.postgres.wire.frontend import Close as CloseMessage

MAX_WAITING = 256 * 1024
"""Bytes kept from a client while one of its statements waits; beyond, it is not read."""

MAX_WHILE_ASKING = 4 * 1024 * 1024
"""While people are asked the client is read on, or its leaving would go unnoticed; beyond this it is left."""


_ROWS = kinds(bytes((frontend.COPY_DATA,)))
"""What a COPY FROM brings goes on as it came, a chunk's whole messages in one piece."""

MAX_EFFORT = 2 * 1024
"""Characters of texts that are read in one go before other sessions get their turn."""


class Task(Protocol):
    """A message that may have to wait."""

    def advance(self) -> bool:
        """Goes on as far as it can; True when the message is dealt with."""
        ...


class ClientSide:
    """Deals with what the client sends once it is logged in."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._state = desk.state
        self._framer = Framer("a client", frontend.CAPS)
        self._functions = Functions()
        self._task: Task | None = None
        self._ended = False
        self._held = False

    @property
    def busy(self) -> bool:
        """Whether a message is waiting to be dealt with."""
        return self._task is not None

    @property
    def quiet(self) -> bool:
        """Whether nothing of what came is left to be dealt with."""
        return self._task is None and not self._framer.waiting and not self._ended and not self._held

    @property
    def unfinished(self) -> int:
        """Bytes of a message whose end has not come; what is whole and waits does not count."""
        return 0 if self._held or self._ended else self._framer.waiting

    @property
    def hungry(self) -> bool:
        """Whether the client should be read further. With no message in hand, what waits is the
        beginning of one, bounded by its own kind: its end must be read, however long it is."""
        return not self._held or self._framer.waiting < MAX_WAITING or self.desk.bench.waiting

    def feed(self, data: bytes) -> None:
        """Takes a chunk. Raises ProtocolError when the client breaks the protocol."""
        self._framer.feed(data)
        if self._framer.waiting > MAX_WHILE_ASKING and self.desk.bench.waiting:
            raise ProtocolError("too much was sent behind a statement that waits for approval")
        self.pump()

    def pump(self) -> None:
        """Goes on with whatever can be dealt with now; after some reading of texts others get their turn."""
        self._held = True
        self.desk.effort = 0
        while not self._ended:
            if self.desk.effort > MAX_EFFORT:
                self.desk.bench.pause()
                return
            if self._task is not None:
                if not self._task.advance():
                    return
                self._task = None
            if self._copy_may_begin():
                return
            if self._state.copy_in and (rows := self._framer.run(_ROWS)):
                self._state.outbox.backend.append(rows)
                continue
            message = self._framer.next()
            if message is None:
                self._held = False
                return
            self._deal(message)

    def _copy_may_begin(self) -> bool:
        """A COPY FROM was sent and has not begun: what follows can only be judged when it has."""
        state = self._state
        if not state.may_copy or state.copy_in or not self._framer.waiting:
            return False
        runs = (run for entry in self._state.ledger.entries for run in entry.runs)
        if not any(run.effect.kind is EffectKind.COPY_IN and not run.copying for run in runs):
            state.may_copy = False
            return False
        self._state.flush()  # it may have failed, and its error wait for a Sync that is held here
        return True

    def _deal(self, message: bytes) -> None:
        kind = message[0]
        if kind == frontend.TERMINATE:
            self._terminate()
        elif kind == frontend.SYNC:
            self._sync()
        elif kind in {frontend.COPY_DATA, frontend.COPY_DONE, frontend.COPY_FAIL}:
            self._copy(kind, message)
        elif self._state.copy_in:
            self._in_copy(kind)
        elif not self._state.skipping:
            self.desk.bench.reset()
            try:
                self._task = _HANDLERS[kind](self, message)
            except Turned as turned:
                self.desk.refuse_extended(turned.words)

    # ------------------------------------------------------------ extended protocol

    def _describe(self, message: bytes) -> None:
        wanted = Describe.parse(message[5:])
        check_length(wanted.name)
        names = self._state.names
        if wanted.kind == "S":
            prepared = names.prepared(wanted.name)
            if prepared is None:
                raise Turned(no_statement(wanted.name))
            rewritten = prepared.rewritten
        else:
            portal = names.portal(wanted.name)
            if portal is None:
                raise Turned(refuse.error("34000", f'portal "{wanted.name}" does not exist'))
            rewritten = portal.rewritten
        owed = Owed(Kind.DESCRIBE)
        if rewritten is not None:
            owed.forbidden, owed.guarded = rewritten.forbidden_origins, rewritten.guards_errors
        self._state.send(message, owed)

    def _close(self, message: bytes) -> None:
        wanted = CloseMessage.parse(message[5:])
        check_length(wanted.name)
        names = self._state.names
        table = names.statements if wanted.kind == "S" else names.portals
        change = names.put(table, wanted.name, None)
        self._state.send(message, Owed(Kind.CLOSE, changes=[change]))

    def _flush(self) -> None:
        self._state.flushed = False
        self._state.flush()

    def _sync(self) -> None:
        if self._state.copy_in:
            return  # the backend ignores it during COPY FROM, and answers nothing
        self._state.skipping = False
        self._state.sync()

    # ------------------------------------------------------------ the rest

    def _copy(self, kind: int, message: bytes) -> None:
        if not self._state.copy_in:
            return  # as the backend does: what is left of a COPY that failed is ignored
        if kind != frontend.COPY_DATA:
            self._state.copy_in = False
        self._state.outbox.backend.append(message)

    def _in_copy(self, kind: int) -> None:
        if kind != frontend.FLUSH:
            self._end(f"a message of type {chr(kind)!r} during COPY FROM STDIN")

    def _terminate(self) -> None:
        self._ended = True
        self._state.outbox.backend.append(TERMINATE_MESSAGE)
        self._state.outbox.effects.append(Close(EndReason.CLIENT))

    def _end(self, words: str) -> None:
        self._ended = True
        self._state.say(refuse.fatal("08P01", words))
        self._state.outbox.effects.append(Close(EndReason.PROTOCOL, words))


_HANDLERS: dict[int, Callable[[ClientSide, bytes], Task | None]] = {
    frontend.QUERY: lambda side, message: SimpleQuery(side.desk, message),
    frontend.PARSE: lambda side, message: ParseTask(side.desk, message),
    frontend.EXECUTE: lambda side, message: ExecuteTask(side.desk, message),
    frontend.BIND: lambda side, message: BindTask(side.desk, message),
    frontend.DESCRIBE: lambda side, message: side._describe(message),
    frontend.CLOSE: lambda side, message: side._close(message),
    frontend.FLUSH: lambda side, _: side._flush(),
    frontend.FUNCTION_CALL: lambda side, message: FunctionCallTask(side.desk, side._functions, message),
}
"""What is done with each type of message; one table for all sessions."""

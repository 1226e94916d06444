"""The fast lane: statements that are known, in a session where nothing is out of the ordinary.

The lane does nothing of its own. It is *armed* after a call of the careful path (client_side, server_side)
that left the session between two statements with nothing owed, nothing waiting and nothing doubtful:
`_is_quiet` is that list, and the only one. From then on until something else happens (an input, a cancel, a
chunk the lane will not take) it may pass whole chunks:

* to the backend: a chunk that is one Query, or one batch (`batch`), whole, whose statement is known on the
  ground the session stands on, after the judge has counted and recorded it and while the catalog is known to
  stand;
* to the client: a chunk that is the whole answer to it, in one of the orders that answers come in, after a
  walk over all its headers.

Whatever is otherwise it does not take: `land` turns what is under way into the very entries that the careful
path would have made, and that path goes on. Nothing is forwarded that was not looked at to its end.
"""

from __future__ import annotations

from tollhouse_core.decision import Permitted, Refused
from tollhouse_proxy.kits.kernel import answered, find, table
from tollhouse_proxy.protocols.postgres import batch, refuse
from tollhouse_proxy.protocols.postgres.batch import Batch
from tollhouse_proxy.protocols.postgres.client_side import ClientSide
from tollhouse_proxy.protocols.postgres.decisions import MAX_TEXT, Book, Known, KnownParse
from tollhouse_proxy.protocols.postgres.desk import Desk
from tollhouse_proxy.protocols.postgres.ledger import Kind, Owed
from tollhouse_proxy.protocols.postgres.names import Portal, Prepared
from tollhouse_proxy.protocols.postgres.server_side import ServerSide
from tollhouse_proxy.protocols.postgres.wire import backend
from tollhouse_proxy.protocols.postgres.wire.framing import HEADER
from tollhouse_proxy.protocols.postgres.wire.frontend import BIND, PARSE, Bind

_CAPS = table(backend.CAPS)
_BATCHES = (bytes((PARSE,)), bytes((BIND,)))
_IDLE = ord("I")
_ANSWERS = {
    (False, False): frozenset({b"2DCZ", b"2CZ"}),
    (False, True): frozenset({b"2TDCZ", b"2TCZ", b"2nCZ"}),
    (True, False): frozenset({b"12DCZ", b"12CZ"}),
    (True, True): frozenset({b"12TDCZ", b"12TCZ", b"12nCZ"}),
}
"""(with Parse, with Describe) -> types of the messages that answer a batch whose statement simply ran;
neighbouring rows are one letter."""
_QUERY_ANSWERS = frozenset({b"TDCZ", b"TCZ", b"CZ"})


class Lane:
    """See the module. `armed`: it may take the next chunk of the client's. `flying`: what it passed last is
    not answered yet."""

    def __init__(self, desk: Desk, client_side: ClientSide, server_side: ServerSide) -> None:
        self._desk = desk
        self._state = desk.state
        self._client_side = client_side
        self._server_side = server_side
        self._upkeep = desk.upkeep
        self._repeat = desk.state.judge.repeat
        self._repeated = desk.state.judge.repeated
        self._outbox = desk.state.outbox
        self._now = desk.upkeep.now
        self._book: Book = desk.memory.book
        self._status = _IDLE
        self._known: Known | None = None
        self._number = 0
        self._data = b""
        self._batch: Batch | None = None
        self._prepared: Prepared | None = None
        self._answers = _QUERY_ANSWERS
        self.armed = False
        self.flying = False

    # ------------------------------------------------------------ the conditions

    def arm(self) -> None:
        """The careful path has done what it could: may the lane take what comes next?"""
        self.armed = self._is_quiet()
        if self.armed:
            self._book = self._desk.memory.book
            self._status = ord(self._state.status)

    def _is_quiet(self) -> bool:
        """The one list of what closes the lane."""
        state = self._state
        return (
            state.quiet
            and state.flushed
            and state.status in {"I", "T"}
            and state.in_block is (state.status == "T")
            and not state.skipping
            and not state.copy_in
            and not state.may_copy
            and not state.suspended
            and self._client_side.quiet
            and self._server_side.quiet
            and self._desk.bench.quiet
            and self._upkeep.settled
        )

    # ------------------------------------------------------------ to the backend

    def client(self, data: bytes) -> bool:
        """Takes a chunk of the client's, if it may; False: nothing was done."""
        book = self._book
        known = find(data, book.exact, book.forms) if len(data) <= MAX_TEXT else None
        if known is None:
            return data[:1] in _BATCHES and self._extended(data)
        standing = known.standing
        now = self._now()
        if standing is None or not self._upkeep.stands(now):
            return False
        verdict = self._repeat(standing, data[known.begin : known.end].decode(), (), now)
        if verdict is None:
            return False
        if isinstance(verdict, Refused):
            self.armed = False
            self._desk.refuse_query(refuse.refused(verdict))
            return True
        self._answers = _QUERY_ANSWERS
        self._data = data
        self._depart(known, verdict, known.message or data)
        return True

    def _depart(self, known: Known, verdict: int | Permitted, message: bytes) -> None:
        if isinstance(verdict, Permitted):
            for words in verdict.notices:
                self._state.say(refuse.notice(words))
            verdict = verdict.operation_id
        self._known, self._number = known, verdict
        self.armed, self.flying = False, True
        self._state.queried = True
        self._outbox.backend.append(message)

    def _extended(self, data: bytes) -> bool:
        if len(data) > MAX_TEXT:
            return False
        found = batch.read(data)
        if found is None:
            return False
        prepared = self._prepared_for(found)
        known = None if prepared is None else prepared.known
        if prepared is None or known is None or known.standing is None:
            return False
        now = self._now()
        if not self._upkeep.stands(now):
            return False
        text = known.judged[0].operation.text
        verdict = self._repeat(known.standing, text, found.shown(prepared.types), now)
        if verdict is None:
            return False
        self._batch, self._prepared = found, prepared
        if isinstance(verdict, Refused):
            self._turn_back(found, prepared, verdict)
            return True
        self._answers = _ANSWERS[bool(found.parse), found.described]
        self._depart(known, verdict, data)
        return True

    def _prepared_for(self, found: Batch) -> Prepared | None:
        """The statement that the batch runs, if there is a standing verdict on it here and now."""
        book = self._book
        if found.parse:
            made: KnownParse | None = book.parses.get(found.parse)
            return None if made is None else made.made(book, self._state.reading)
        prepared = self._state.names.prepared(found.statement)
        return prepared if prepared is not None and prepared.book is book else None

    def _turn_back(self, found: Batch, prepared: Prepared, refused: Refused) -> None:
        """A limit refuses the Execute: what stands before it goes, as it would have on the careful path."""
        self.armed = False
        self._batch = self._prepared = None
        for message, owed in self._before_execute(found, prepared, self._portal(found, prepared)):
            self._state.send(message, owed)
        self._desk.refuse_extended(refuse.refused(refused))
        self._state.skipping = False
        self._state.sync()

    # ------------------------------------------------------------ to the client

    def server(self, data: bytes) -> bool:
        """Takes a chunk of the backend's, if it is the whole answer to what is under way; False: nothing was
        done."""
        known = self._known
        if known is None or known.walks or known.standing is None:
            return False
        answer = answered(data, _CAPS, self._answers, self._status)
        if answer is None:
            return False
        rows, size, tag = answer
        if not self._repeated(known.standing, self._number, rows, size, tag, self._now()):
            return False
        self._known = None
        self.armed, self.flying = True, False
        if self._status == _IDLE:
            self._state.queried = False
        if self._batch is not None:
            self._batch_done(self._batch)
        self._outbox.client.append(data)
        return True

    def _batch_done(self, found: Batch) -> None:
        """Names are as the server has them now. Portals of an implicit transaction have ended with it."""
        prepared, names = self._prepared, self._state.names
        assert prepared is not None
        self._batch = self._prepared = None
        if found.parse:
            names.put(names.statements, "", prepared)
        if self._status != _IDLE:
            portal = self._portal(found, prepared)
            assert prepared.known is not None
            portal.run = prepared.known.run(self._number, prepared.known.statement.operation.text)
            portal.ground = self._desk.ground
            names.put(names.portals, "", portal)

    # ------------------------------------------------------------ leaving it

    def land(self) -> None:
        """Whatever comes next is for the careful path."""
        self.armed = False
        known = self._known
        if known is None:
            return
        self._known, self.flying = None, False
        ledger = self._state.ledger
        if self._batch is None:
            ledger.push(known.owed(self._number, self._data))
            return
        found, prepared = self._batch, self._prepared
        assert prepared is not None
        self._batch = self._prepared = None
        portal = self._portal(found, prepared)
        for _, owed in self._before_execute(found, prepared, portal):
            ledger.push(owed)
        portal.run = known.run(self._number, known.statement.operation.text)
        portal.run.formats = portal.bind.result_formats if portal.bind else ()
        portal.ground = self._desk.ground
        ledger.push(Owed(Kind.EXECUTE, [portal.run]))
        ledger.push(Owed(Kind.SYNC))

    @staticmethod
    def _portal(found: Batch, prepared: Prepared) -> Portal:
        bind = Bind.parse(found.bind_message[HEADER:])
        return Portal(prepared, bind, rewritten=prepared.rewritten)

    def _before_execute(self, found: Batch, prepared: Prepared, portal: Portal) -> list[tuple[bytes, Owed]]:
        """The messages before Execute, with what is owed for them; the names they give are entered."""
        names = self._state.names
        guarded = prepared.rewritten is not None and prepared.rewritten.guards_errors
        made: list[tuple[bytes, Owed]] = []
        if found.parse:
            change = names.put(names.statements, "", prepared)
            made.append((found.parse, Owed(Kind.PARSE, changes=[change], guarded=guarded)))
        change = names.put(names.portals, "", portal)
        made.append((found.bind_message, Owed(Kind.BIND, changes=[change], guarded=guarded)))
        if found.described:
            made.append((batch.DESCRIBE, Owed(Kind.DESCRIBE, guarded=guarded)))
        return made

"""The fast lane: a statement that is known, in a session where nothing is out of the ordinary.

The lane does nothing of its own. It is *armed* after a call of the careful path (client_side, server_side)
that left the session between two statements with nothing owed, nothing waiting and nothing doubtful:
`_is_quiet` is that list, and the only one. From then on until something else happens (an input, a cancel, a
chunk the lane will not take) it may pass whole chunks:

* to the backend: a chunk that is one Query, whole, whose text is known on the ground the session stands on,
  after the judge has counted and recorded it and while the catalog is known to stand;
* to the client: a chunk that is the whole answer to it, in one of the orders that answers come in, after a
  walk over all its headers.

Whatever is otherwise it does not take: `land` turns what is under way into the very entry that the careful
path would have made in the ledger, and that path goes on. Nothing is forwarded that was not looked at to its
end.
"""

from __future__ import annotations

from collections.abc import Callable

from tollhouse_core.decision import Permitted, Refused
from tollhouse_proxy.exchange import Outbox
from tollhouse_proxy.kits.kernel import FrameError, survey, table
from tollhouse_proxy.ports.judging import OpenSession, Standing
from tollhouse_proxy.protocols.postgres import refuse
from tollhouse_proxy.protocols.postgres.client_side import ClientSide
from tollhouse_proxy.protocols.postgres.decisions import Book, Known, is_whole
from tollhouse_proxy.protocols.postgres.desk import Desk
from tollhouse_proxy.protocols.postgres.server_side import ServerSide
from tollhouse_proxy.protocols.postgres.wire import backend
from tollhouse_proxy.protocols.postgres.wire.framing import HEADER

_CAPS = table(backend.CAPS)
_READY_BYTES = 6
_QUERY_ANSWERS = frozenset({b"TDCZ", b"TCZ", b"CZ"})
"""Types of the messages that answer a statement which simply ran; neighbouring rows are one letter."""


class Lane:
    """See the module. `armed`: it may take the next chunk of the client's. `flying`: a statement it passed
    is not answered yet."""

    def __init__(self, desk: Desk, client_side: ClientSide, server_side: ServerSide) -> None:
        self._desk = desk
        self._state = desk.state
        self._client_side = client_side
        self._server_side = server_side
        self._upkeep = desk.upkeep
        self._judge: OpenSession = desk.state.judge
        self._outbox: Outbox = desk.state.outbox
        self._now: Callable[[], float] = desk.upkeep.now
        self._book: Book = desk.memory.book
        self._status = ord("I")
        self._known: Known | None = None
        self._standing: Standing | None = None
        self._number = 0
        self.armed = False

    @property
    def flying(self) -> bool:
        """See the class."""
        return self._known is not None

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
            state.status in {"I", "T"}
            and state.in_block is (state.status == "T")
            and state.quiet
            and state.flushed
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
        known = book.exact.get(data)
        if known is None:
            if not is_whole(data):
                return False
            known = book.find(data)
            if known is None:
                return False
        standing = known.standing
        if standing is None:
            return False
        now = self._now()
        if not self._upkeep.stands(now):
            return False
        verdict = self._judge.repeat(standing, known.text_of(data), (), now)
        if not isinstance(verdict, int):
            return self._otherwise(known, verdict, data)
        self._known, self._standing, self._number = known, standing, verdict
        self.armed = False
        self._state.queried = True
        self._outbox.backend.append(known.message or data)
        return True

    def _otherwise(self, known: Known, verdict: Permitted | Refused | None, data: bytes) -> bool:
        if verdict is None:
            return False
        self.armed = False
        if isinstance(verdict, Refused):
            self._desk.refuse_query(refuse.refused(verdict))
            return True
        for words in verdict.notices:
            self._state.say(refuse.notice(words))
        self._known, self._standing, self._number = known, known.standing, verdict.operation_id
        self._state.queried = True
        self._outbox.backend.append(known.message or data)
        return True

    # ------------------------------------------------------------ to the client

    def server(self, data: bytes) -> bool:
        """Takes a chunk of the backend's, if it is the whole answer to what is under way; False: nothing was
        done."""
        known, standing = self._known, self._standing
        if known is None or standing is None or standing.counts_results or known.looks_inside:
            return False
        try:
            end, shape, rows, size, status, _ = survey(data, 0, _CAPS)
        except FrameError:
            return False
        if shape not in _QUERY_ANSWERS or end != len(data) or status != self._status:
            return False
        tag = _tag(data, shape, size, end)
        if tag is None or not self._judge.repeated(standing, self._number, rows, size, tag, self._now()):
            return False
        self._known = self._standing = None
        self.armed = True
        if status == ord("I"):
            self._state.queried = False
        self._outbox.client.append(data)
        return True

    # ------------------------------------------------------------ leaving it

    def land(self) -> None:
        """Whatever comes next is for the careful path."""
        self.armed = False
        known = self._known
        if known is not None:
            self._known = self._standing = None
            self._state.ledger.push(known.owed(self._number))


def _tag(data: bytes, shape: bytes, size: int, end: int) -> str | None:
    """CommandComplete's, between the rows and ReadyForQuery; None where it does not fill its message."""
    at = size
    if shape[0] == backend.ROW_DESCRIPTION:
        at += 1 + int.from_bytes(data[1:HEADER])
    last = end - _READY_BYTES - 1
    if data[end - _READY_BYTES] != backend.READY or data.find(0, at + HEADER) != last:
        return None
    try:
        return data[at + HEADER : last].decode()
    except UnicodeDecodeError:
        return None

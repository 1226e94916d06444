"""The backend's half of a session: every reply is matched with the ledger before it goes on.

A chunk is walked header by header, and runs of rows at a stride: what needs no change goes on as the slice of
the chunk it came in, rows of a statement without content masks are only counted, and others are masked
together. Masking that takes long is done a piece at a time: others are served between, and the backend is not
read meanwhile. A row that is too long for one turn is masked apart.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from struct import Struct

from tollhouse_proxy.exchange import Settled, Wait
from tollhouse_proxy.kits import kernel
from tollhouse_proxy.ports.aside import AsideFailed
from tollhouse_proxy.protocols.postgres.content import ContentHeld, Masked, Scanner, TakesLong
from tollhouse_proxy.protocols.postgres.replies import HANDLERS, BackendBroke, Handler, Replies
from tollhouse_proxy.protocols.postgres.state import SessionState
from tollhouse_proxy.protocols.postgres.wire import backend
from tollhouse_proxy.protocols.postgres.wire.framing import HEADER

_HEAD = Struct("!BI")
_ROWS = frozenset({backend.DATA_ROW, backend.COPY_DATA})
_EITHER = kernel.kinds(bytes(_ROWS))
_ALIKE = {kind: kernel.kinds(bytes((kind,))) for kind in _ROWS}
_STREAMS_FROM = 64 * 1024
"""A row this long goes on in pieces (where nothing must look into it)."""
_EASY = 16 * 1024
"""Bytes of rows that are masked at once where little was found so far, some 0.1 ms,"""
_FIRST = 1024
"""and where nothing is known yet; then as many as need half of _MOST_LOOKS."""
_LONG = 32 * 1024
"""Rows that reach this far beyond are masked apart, and so are some that need more than _MOST_LOOKS."""
_MOST_LOOKS = 100
"""So many close looks are taken before others have their turn."""


MaskApart = Callable[[bytes, tuple[int, ...] | None, Scanner, int], Awaitable[Masked]]
"""Masks rows elsewhere; see `Apart.mask`."""


@dataclass(slots=True)
class _Sent:
    """Rows that are masked apart: the number of their Wait, how many they are, their bytes, and what they
    have become."""

    number: int
    rows: int
    size: int
    made: Masked | None = None


def _unexpected(kind: int) -> Handler:
    raise BackendBroke(f"the backend sent a message of type {kind:#04x}")


class ServerSide:
    """Walks what the backend sends. `stop_backend` cancels what the backend is doing; `wake` has `go_on`
    called soon. `mask_apart` None: every row is masked here. The numbers of its Waits are below 0."""

    def __init__(
        self,
        state: SessionState,
        stop_backend: Callable[[], None],
        wake: Callable[[], None],
        mask_apart: MaskApart | None = None,
    ) -> None:
        self._state = state
        self._replies = Replies(state)
        self._stop_backend = stop_backend
        self._held: list[bytes] = []
        self._held_size = 0
        self._needed = 0
        self._passing = 0
        self._wake = wake
        self._stride = _FIRST
        self._looks = 0
        self._mask_apart = mask_apart
        self._sent: _Sent | None = None
        self._waits = 0
        self.resting = False
        """Whether rows that have come wait for their turn."""

    @property
    def mid_message(self) -> bool:
        """Whether the client has been sent a part of a message."""
        return self._passing > 0

    @property
    def quiet(self) -> bool:
        """Whether no part of a message is held."""
        return not self._held and not self._passing

    def feed(self, data: bytes) -> None:
        """Takes a chunk. Raises ProtocolError when the backend breaks the protocol."""
        if self._passing:
            data = self._pass_on(data)
            if not data:
                return
        if self._held:
            self._held.append(data)
            self._held_size += len(data)
            if self.resting or self._held_size < self._needed:
                return
            data = b"".join(self._held)
            self._held = []
        self._walk(data)

    def go_on(self) -> None:
        """Goes on where it rested, once what is masked apart is there. Raises as `feed` does."""
        if self.resting and (self._sent is None or self._sent.made is not None):
            self.resting = False
            self._state.outbox.thirsty = True
            data = b"".join(self._held)
            self._held = []
            self._walk(data)

    def settle(self, settled: Settled) -> None:
        """Takes what was masked apart, and goes on. Raises as `feed` does, and ContentHeld."""
        if self._sent is None or settled.number != self._sent.number:
            return
        if isinstance(settled.error, AsideFailed):
            raise ContentHeld("a value is too large to be looked into") from settled.error
        if settled.error is not None:
            raise settled.error
        sent = self._sent
        sent.made = settled.value
        self.go_on()
        if self._sent is sent:  # a limit has stopped its statement meanwhile: it must not pass for another's
            self._sent = None

    def _pass_on(self, data: bytes) -> bytes:
        """The rest of a long row that is under way."""
        piece, rest = data[: self._passing], data[self._passing :]
        self._passing -= len(piece)
        self._state.outbox.client.append(piece)
        return rest

    def _walk(self, data: bytes) -> None:
        """data[begin:at] goes on as it is; `rows` of `size` bytes since `mark` are not counted yet."""
        at, begin, end, rows, size = 0, 0, len(data), 0, 0
        mark = (0, 0, 0)
        out = self._state.outbox.client
        replies, handlers, caps, unpack = (
            self._replies,
            HANDLERS,
            backend.CAPS,
            _HEAD.unpack_from,
        )
        plain = replies.plain
        while end - at >= HEADER:
            kind, length = unpack(data, at)
            stop = at + 1 + length
            if not 4 <= length <= caps.get(kind, 0):
                raise BackendBroke(f"the backend sent a message of type {kind:#04x} and {length} bytes")
            is_row = kind in _ROWS
            if stop > end:
                if not (is_row and plain and length >= _STREAMS_FROM):
                    self._needed = stop - at
                    break
                self._passing = stop - end
            if is_row:
                if not rows:
                    mark = (at, begin, len(out))
                masks, more, made = not plain and replies.masks(kind), 1, None
                if plain and not self._passing:
                    stop, more, _ = kernel.run(data, at, _EITHER)
                elif masks:
                    stop, more, made = self._run(data, at, _ALIKE[kind])
                    if not more:
                        break
                rows += more
                size += stop - at
                if masks:
                    begin = self._put(data, begin, at, stop, made)
                    if self._rests(stop < end):
                        at = stop
                        break
                if plain or masks:
                    at = min(stop, end)
                    continue
            elif rows:
                begin = self._count(data, begin, mark, at, rows, size)
                rows = size = 0
            said = (handlers.get(kind) or _unexpected(kind))(replies, data[at:stop])
            begin = self._put(data, begin, at, stop, said)
            at = stop
            plain = replies.plain
        if rows:
            begin = self._count(data, begin, mark, at, rows, size)
        if at > begin:
            out.append(data if begin == 0 and at == end else data[begin:at])
        if at < end:
            self._keep(data[at:])

    def _run(self, data: bytes, at: int, alike: bytes) -> tuple[int, int, bytes | None]:
        """Where the rows end that are masked together, how many they are, and what they become; 0: they are
        not masked yet, and it is somebody else's turn, or they are masked apart."""
        sent, self._sent = self._sent, None
        if sent is not None:
            assert sent.made is not None
            return at + sent.size, sent.rows, sent.made[1]
        stop, rows, _ = kernel.run(data, at, alike, at + self._stride)
        if self._mask_apart is None:
            return stop, rows, self._masked(data, at, stop, None)
        if stop - at <= _LONG:
            try:
                return stop, rows, self._masked(data, at, stop, _MOST_LOOKS - self._looks)
            except TakesLong:
                if self._looks or rows > 1:
                    if not self._looks:
                        self._stride = max(self._stride // 16, 1)
                    self._give_way()
                    return at, 0, None
            stop, rows, _ = kernel.run(data, at, alike, at + _EASY)
        ways, scanner, copy_format = self._replies.looked_into()
        self._waits -= 1
        self._sent = _Sent(self._waits, rows, stop - at)
        masked = self._mask_apart(data[at:stop], ways, scanner, copy_format)
        self._state.outbox.effects.append(Wait(self._waits, masked))
        self._rest()
        return at, 0, None

    def _masked(self, data: bytes, at: int, stop: int, most: int | None) -> bytes | None:
        """Masks rows, and learns how many to take next. Raises TakesLong."""
        looks, made = self._replies.masked(data, at, stop, most)
        self._looks += looks
        self._stride = max(min(_EASY, (stop - at) * _MOST_LOOKS // (2 * looks)), 1) if looks else _EASY
        return made

    def _rests(self, more: bool) -> bool:
        """Whether it is the others' turn, where there is more to do."""
        if not more or self._looks < _MOST_LOOKS:
            return False
        self._give_way()
        return True

    def _give_way(self) -> None:
        self._looks = 0
        self._rest()
        self._wake()

    def _rest(self) -> None:
        self.resting = True
        self._state.outbox.thirsty = False

    def _put(self, data: bytes, begin: int, at: int, stop: int, replacement: bytes | None) -> int:
        """data[at:stop] goes out as this instead (b"": not at all; None: as it is); the new `begin`."""
        if replacement is None:
            return begin
        if at > begin:
            self._state.outbox.client.append(data[begin:at])
        if replacement:
            self._state.outbox.client.append(replacement)
        return stop

    def _keep(self, rest: bytes) -> None:
        """The beginning of a message; `_needed` is its size, once its header is there."""
        self._held = [rest]
        self._held_size = len(rest)
        if len(rest) < HEADER:
            self._needed = HEADER

    def _count(
        self, data: bytes, begin: int, mark: tuple[int, int, int], at: int, rows: int, size: int
    ) -> int:
        """Counts rows that are about to go out, and takes them back where a limit forbids them; the new
        `begin`. Raises ContentHeld."""
        if not self._replies.overrun(rows, size):
            return begin
        self._stop_backend()
        begin = self._take_back(data, mark, at)
        if self._passing:
            raise ContentHeld  # a row too long to be taken back whole: nothing more can be said
        return begin

    def _take_back(self, data: bytes, mark: tuple[int, int, int], at: int) -> int:
        """Drops the rows since `mark` from what goes out; the new `begin`."""
        first, begin, written = mark
        out = self._state.outbox.client
        del out[written:]
        if first > begin:
            out.append(data[begin:first])
        return at

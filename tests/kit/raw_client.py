"""A client that says exactly what it is told to and keeps every byte of the answers.

Blocking, for tests: drivers hide what an attacker would send, and tidy up what one would look at.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tollhouse_proxy.protocols.postgres.wire import frontend
from tollhouse_proxy.protocols.postgres.wire.backend import Report
from tollhouse_proxy.protocols.postgres.wire.startup import StartupMessage

_HEADER = 5
_LONGEST_WAIT = 20.0


class Gone(ConnectionError):
    """The other side ended the connection. `left` is what it said before."""

    def __init__(self, left: Sequence[bytes]) -> None:
        super().__init__("the connection was ended")
        self.left = tuple(left)


@dataclass(frozen=True)
class Answer:
    """The messages of one answer, as they came, up to and with ReadyForQuery."""

    messages: tuple[bytes, ...]

    @property
    def kinds(self) -> str:
        """The types of the messages, as one word."""
        return "".join(chr(one[0]) for one in self.messages)

    @property
    def rows(self) -> list[bytes]:
        """Bodies of the DataRows."""
        return [one[_HEADER:] for one in self.messages if one[:1] == b"D"]

    @property
    def tags(self) -> list[str]:
        """Of the CommandCompletes."""
        return [one[_HEADER:-1].decode() for one in self.messages if one[:1] == b"C"]

    @property
    def error(self) -> dict[str, str]:
        """The fields of the first ErrorResponse; empty when there is none."""
        for one in self.messages:
            if one[:1] == b"E":
                return dict(Report.parse("E", one[_HEADER:]).fields)
        return {}

    @property
    def data(self) -> bytes:
        """Every byte."""
        return b"".join(self.messages)


class RawClient:
    """One session over plain TCP."""

    def __init__(
        self, host: str, port: int, *, user: str, database: str, password: str, **settings: str
    ) -> None:
        self._socket = socket.create_connection((host, port), timeout=_LONGEST_WAIT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._left = b""
        pairs = (("user", user), ("database", database), *settings.items())
        self.send(StartupMessage(3, 0, pairs).encode())
        asked = self.receive()
        if asked[:1] == b"E":
            raise Gone([asked])
        self.send(frontend.PasswordMessage(password.encode()).encode())
        self.greeting = self.until_ready()

    def send(self, *messages: bytes) -> None:
        self._socket.sendall(b"".join(messages))

    def receive(self) -> bytes:
        """The next message, header included. Raises Gone."""
        self._fill(_HEADER)
        length = int.from_bytes(self._left[1:_HEADER]) + 1
        self._fill(length)
        one, self._left = self._left[:length], self._left[length:]
        return one

    def _fill(self, size: int) -> None:
        while len(self._left) < size:
            try:
                data = self._socket.recv(1 << 16)
            except ConnectionError:
                data = b""
            if not data:
                raise Gone([])
            self._left += data

    def until(self, kinds: str) -> Answer:
        """Messages up to and with the first of one of these types. Raises Gone with what came."""
        found: list[bytes] = []
        while not found or chr(found[-1][0]) not in kinds:
            try:
                found.append(self.receive())
            except Gone:
                raise Gone(found) from None
        return Answer(tuple(found))

    def until_ready(self, *behind_copy: bytes) -> Answer:
        """Messages up to and with ReadyForQuery. Answers a CopyInResponse with nothing, and then with what
        the server has swallowed meanwhile."""
        found: list[bytes] = []
        while not found or found[-1][:1] != b"Z":
            found += self.until("ZG").messages
            if found[-1][:1] == b"G":
                self.send(frontend.COPY_DONE_MESSAGE, *behind_copy)
        return Answer(tuple(found))

    def query(self, text: str | bytes) -> Answer:
        """By the simple protocol."""
        self.send(query(text))
        return self.until_ready()

    def prepared(self, text: str, values: Iterable[bytes | None] = (), *, binary: bool = False) -> Answer:
        """By the extended protocol."""
        self.send(prepared(text, values, binary=binary))
        return self.until_ready(frontend.SYNC_MESSAGE)

    def pipeline(self, *messages: bytes) -> list[Answer]:
        """All at once; each must end in a ReadyForQuery of its own."""
        self.send(*messages)
        return [self.until_ready() for _ in messages]

    def close(self) -> None:
        self._socket.close()


def query(text: str | bytes) -> bytes:
    """A Query message, whatever the text holds."""
    raw = text if isinstance(text, bytes) else text.encode()
    return b"Q" + (len(raw) + 5).to_bytes(4) + raw + b"\0"


def prepared(text: str, values: Iterable[bytes | None] = (), *, binary: bool = False) -> bytes:
    """Parse, Describe, Bind, Describe, Execute, Sync."""
    return b"".join(
        (
            frontend.Parse("", text.encode()).encode(),
            frontend.Describe("S", "").encode(),
            frontend.Bind("", "", (), tuple(values), (1,) if binary else ()).encode(),
            frontend.Describe("P", "").encode(),
            frontend.Execute("", 0).encode(),
            frontend.SYNC_MESSAGE,
        )
    )

"""How events become lines that cannot be changed unnoticed.

Theory of operation. A line is one JSON object in a fixed layout:

    {"session":S,"sequence":N,"kind":K,"time":T,"data":{...},"previous":P,
     "trail":{"writer":W,"line":L,"previous":Q},"hash":H,"signature":{"key":I,"value":V}}

* `hash` is the SHA-256 of the line's own bytes up to (not including) `,"hash"`, closed by `}`.
  So it covers `previous` and `trail`, and every byte before it as it stands in the file.
* `previous` chains the events of one session: the hash of the session's last line, and for its
  first one a value bound to the session's id. Events cannot be lent to another session.
* `trail` chains all lines of one writer (one run of a proxy) in the same way, so that a session
  taken out whole leaves a hole too.
* `signature` (Ed25519 over a prefix, the session's id and the hash) stands on the line that ends
  a session, and on every thousandth line of a trail. What lies before a signed line cannot be
  made anew by somebody without the key. What comes after the last signed line can be cut off;
  its sessions then have no end, and the verifier says so.

Nothing here writes or signs: the encoder and the signer are passed in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tollhouse_core.audit.event import PLACE, Brief, Event, EventKind, Form, event_of

CHAIN_PREFIX = b"tollhouse audit session v1\n"
TRAIL_PREFIX = b"tollhouse audit trail v1\n"
HEAD_PREFIX = b"tollhouse audit head v1\n"

LINES_BETWEEN_SIGNATURES = 1000
"""A signature costs some 50 microseconds; one in a thousand lines is not felt."""

PRESSED_AT_ONCE = 128
"""Lines that a Press makes before other threads of the interpreter get their turn: about 0.2 ms."""

ENDS = frozenset({EventKind.SESSION_CLOSED, EventKind.SESSION_REFUSED})
"""Kinds after which a session has no further event."""

_LINE = (
    b'{"session":%b,"sequence":%d,"kind":"%b","time":%b,"data":%b,"previous":"%b",'
    b'"trail":{"writer":WRITER,"line":%d,"previous":"%b"}}'
)

Encode = Callable[[object], bytes]
"""Encodes plain JSON values and times (RFC 3339), in the order they are in, without white space."""


class Press(Protocol):
    """Seals a run of plain Briefs as `Chain.seal` does, byte for byte, only faster."""

    def __call__(
        self,
        batch: list[Event | Brief],
        at: int,
        until: int,
        encode: Encode,
        writer: bytes,
        heads: dict[str, str],
        line: int,
        trail: str,
        /,
    ) -> tuple[int, bytes, int, str]:
        """From `batch[at]` on, up to the first that it leaves to `Chain.seal` (an Event, the first of its
        form or its session, a value that needs care) or to `until`: (where it stopped, the lines, the next
        line's number, the trail). Moves `heads` on. `encode` is msgspec's; `writer` stands between the two
        `previous`."""
        ...


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs heads. `key_id` tells a verifier which public key to take; `sign` is Ed25519."""

    key_id: str
    sign: Callable[[bytes], bytes]


def canonical_json(value: object) -> bytes:
    """The readable encoder: no white space, ASCII only, times by RFC 3339. For tests and values
    that a faster one will not take."""
    return json.dumps(value, separators=(",", ":"), default=_plain).encode()


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return dict(value) if isinstance(value, Mapping) else str(value)


def session_start(session: str) -> str:
    """What stands for the hash before a session's first event (64 hex digits)."""
    return hashlib.sha256(CHAIN_PREFIX + session.encode("utf-8", "backslashreplace")).hexdigest()


def trail_start(writer: str) -> str:
    """What stands for the hash before a writer's first line (64 hex digits)."""
    return hashlib.sha256(TRAIL_PREFIX + writer.encode("utf-8", "backslashreplace")).hexdigest()


def head_message(session: str, digest: str) -> bytes:
    """The bytes a signature covers."""
    return HEAD_PREFIX + session.encode("utf-8", "backslashreplace") + b"\n" + digest.encode()


class Chain:
    """Seals the events of one writer, in the order in which it gets them.

    `writer` names this run of a proxy and must never be used twice. Not thread-safe.
    """

    def __init__(
        self,
        writer: str,
        encode: Encode = canonical_json,
        signer: Signer | None = None,
        press: Press | None = None,
    ) -> None:
        self._writer = writer
        self._encode = encode
        self._signer = signer
        self._press = press
        self._heads: dict[str, str] = {}
        self._line = 0
        self._trail = trail_start(writer)
        named = self._encode_any(writer)
        self._layout = _LINE.replace(b"WRITER", named.replace(b"%", b"%%"))
        self._written_by = b'","trail":{"writer":%b,"line":' % named

    def seal_all(self, batch: list[Event | Brief]) -> bytes:
        """The lines of all of them."""
        press = self._press
        if press is None:
            return b"".join(map(self.seal, batch))
        lines = []
        at = 0
        while at < len(batch):
            until = min(at + self._unsigned, at + PRESSED_AT_ONCE, len(batch))
            at, made, self._line, self._trail = press(
                batch, at, until, self._encode, self._written_by, self._heads, self._line, self._trail
            )
            lines.append(made)
            if at < until or (at < len(batch) and not self._unsigned):
                lines.append(self.seal(batch[at]))
                at += 1
        return b"".join(lines)

    @property
    def _unsigned(self) -> int:
        """How many lines come before the one that is signed for its number."""
        return LINES_BETWEEN_SIGNATURES - 1 - self._line % LINES_BETWEEN_SIGNATURES

    def seal(self, event: Event | Brief) -> bytes:
        """The event's line, newline included."""
        if isinstance(event, tuple):
            return self._seal_brief(event)
        body = self._encode_any(
            {
                "session": event.session,
                "sequence": event.sequence,
                "kind": event.kind.value,
                "time": event.time,
                "data": event.data,
                "previous": self._heads.get(event.session) or session_start(event.session),
                "trail": {"writer": self._writer, "line": self._line, "previous": self._trail},
            }
        )
        return self._sealed(body, event.kind, event.session)

    def _seal_brief(self, brief: Brief) -> bytes:
        """The very bytes that its Event would become; what is constant in its form is encoded once."""
        form, session, sequence, time, values = brief
        encode = self._encode
        laid = form.laid
        layout = laid[1] if laid is not None and laid[0] is encode else self._lay_out(form)
        laid_kind = form.encoded_kind
        try:
            data = layout % tuple(map(encode, values))
            name, moment = encode(session), encode(time)
        except Exception:
            return self.seal(event_of(brief))  # a value the fast encoder will not take
        previous = self._heads.get(session) or session_start(session)
        place = (name, sequence, laid_kind, moment, data, previous.encode(), self._line, self._trail.encode())
        return self._sealed(self._layout % place, form.kind, session)

    def _lay_out(self, form: Form) -> bytes:
        parts = [
            self._encode_any(name).replace(b"%", b"%%")
            + b":"
            + (b"%b" if value is PLACE else self._encode_any(value).replace(b"%", b"%%"))
            for name, value in form.fields
        ]
        layout = b"{" + b",".join(parts) + b"}"
        form.laid = (self._encode, layout, self._pieces(form))
        return layout

    def _pieces(self, form: Form) -> tuple[bytes, ...] | None:
        """What stands in a line of the form around its time and each of its own values, for a Press; None
        where a line may have to be signed."""
        if form.kind in ENDS:
            return None
        pieces = [b',"kind":"%b","time":' % form.encoded_kind]
        words = b',"data":{'
        for number, (name, value) in enumerate(form.fields):
            words += (b"," if number else b"") + self._encode_any(name) + b":"
            if value is PLACE:
                pieces.append(words)
                words = b""
            else:
                words += self._encode_any(value)
        return (*pieces, words + b'},"previous":"')

    def _sealed(self, body: bytes, kind: EventKind, session: str) -> bytes:
        digest = hashlib.sha256(body).hexdigest()
        self._advance(kind, session, digest)
        signature = b"" if self._signer is None else self._signature(self._signer, kind, session, digest)
        return b'%b,"hash":"%b"%b}\n' % (body[:-1], digest.encode(), signature)

    def _advance(self, kind: EventKind, session: str, digest: str) -> None:
        if kind in ENDS:
            self._heads.pop(session, None)
        else:
            self._heads[session] = digest
        self._trail = digest
        self._line += 1

    def _signature(self, signer: Signer, kind: EventKind, session: str, digest: str) -> bytes:
        if kind not in ENDS and self._line % LINES_BETWEEN_SIGNATURES:
            return b""
        value = signer.sign(head_message(session, digest))
        return b',"signature":{"key":"%b","value":"%b"}' % (signer.key_id.encode(), value.hex().encode())

    def _encode_any(self, value: object) -> bytes:
        try:
            return self._encode(value)
        except Exception:
            # A value the fast encoder will not take (a lone surrogate, an integer beyond 64
            # bits) must neither stop the audit nor be left out of it.
            return canonical_json(value)

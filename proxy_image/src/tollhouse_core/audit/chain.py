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

from tollhouse_core.audit.event import Event, EventKind

CHAIN_PREFIX = b"tollhouse audit session v1\n"
TRAIL_PREFIX = b"tollhouse audit trail v1\n"
HEAD_PREFIX = b"tollhouse audit head v1\n"

LINES_BETWEEN_SIGNATURES = 1000
"""A signature costs some 50 microseconds; one in a thousand lines is not felt."""

ENDS = frozenset({EventKind.SESSION_CLOSED, EventKind.SESSION_REFUSED})
"""Kinds after which a session has no further event."""

Encode = Callable[[object], bytes]
"""Encodes plain JSON values; one value, one text (sorted keys, no white space)."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs heads. `key_id` tells a verifier which public key to take; `sign` is Ed25519."""

    key_id: str
    sign: Callable[[bytes], bytes]


def canonical_json(value: object) -> bytes:
    """The readable encoder: sorted keys, no white space, ASCII only. For tests and rare values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=_plain).encode()


def _plain(value: object) -> object:
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

    def __init__(self, writer: str, encode: Encode = canonical_json, signer: Signer | None = None) -> None:
        self._writer = encode(writer)
        self._encode = encode
        self._signer = signer
        self._heads: dict[str, str] = {}
        self._line = 0
        self._trail = trail_start(writer)

    def seal(self, event: Event) -> bytes:
        """The event's line, newline included."""
        previous = self._heads.get(event.session) or session_start(event.session)
        body = b'{"session":%b,"sequence":%d,"kind":"%b","time":"%b","data":%b,"previous":"%b"' % (
            self._encode_any(event.session),
            event.sequence,
            event.kind.value.encode(),
            event.time.isoformat(timespec="microseconds").replace("+00:00", "Z").encode(),
            self._encode_any(event.data),
            previous.encode(),
        )
        body += b',"trail":{"writer":%b,"line":%d,"previous":"%b"}' % (
            self._writer,
            self._line,
            self._trail.encode(),
        )
        digest = hashlib.sha256(body + b"}").hexdigest()
        self._advance(event, digest)
        return b'%b,"hash":"%b"%b}\n' % (body, digest.encode(), self._signature(event, digest))

    def _advance(self, event: Event, digest: str) -> None:
        if event.kind in ENDS:
            self._heads.pop(event.session, None)
        else:
            self._heads[event.session] = digest
        self._trail = digest
        self._line += 1

    def _signature(self, event: Event, digest: str) -> bytes:
        if self._signer is None:
            return b""
        if event.kind not in ENDS and self._line % LINES_BETWEEN_SIGNATURES:
            return b""
        value = self._signer.sign(head_message(event.session, digest))
        return b',"signature":{"key":%b,"value":"%b"}' % (
            self._encode(self._signer.key_id),
            value.hex().encode(),
        )

    def _encode_any(self, value: object) -> bytes:
        try:
            return self._encode(value)
        except Exception:
            # A value the fast encoder will not take (a lone surrogate, an integer beyond 64
            # bits) must neither stop the audit nor be left out of it.
            return canonical_json(value)

"""SCRAM-SHA-256 as a client, with and without channel binding (RFC 5802, RFC 7677, RFC 5929)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import stringprep
import unicodedata
from collections import OrderedDict
from dataclasses import dataclass

MECHANISM = "SCRAM-SHA-256"
MECHANISM_PLUS = "SCRAM-SHA-256-PLUS"
MAX_ITERATIONS = 600_000
"""More would block everybody else's session for longer than a log-in is worth."""
_MOST_DIGITS = 12


class ScramFailed(Exception):
    """The server's words do not add up, or it does not know the password. No secret in `str()`."""


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """ClientKey and ServerKey (RFC 5802, section 3)."""

    client: bytes
    server: bytes


class ScramKeys:
    """The keys made last, for the next log-in with the same password, salt and iteration count: to make them
    is most of what a log-in costs, and nobody else is served meanwhile. Found by a digest whose key is this
    object's own, so that no password is kept here."""

    _MOST = 64

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._found: OrderedDict[bytes, Keys] = OrderedDict()

    def __len__(self) -> int:
        return len(self._found)

    def get(self, password: bytes, salt: bytes, iterations: int) -> Keys:
        """What `derived` would give."""
        place = _hmac(self._key, repr((password, salt, iterations)).encode())
        found = self._found.get(place)
        if found is None:
            found = self._found[place] = derived(password, salt, iterations)
        self._found.move_to_end(place)
        while len(self._found) > self._MOST:
            self._found.popitem(last=False)
        return found


def derived(password: bytes, salt: bytes, iterations: int) -> Keys:
    """RFC 5802, section 3; `iterations` are rounds of HMAC, some 0.4 us each."""
    salted = hashlib.pbkdf2_hmac("sha256", password, salt, iterations)
    return Keys(_hmac(salted, b"Client Key"), _hmac(salted, b"Server Key"))


class ScramClient:
    """One log-in. `nonce` is fresh printable randomness; `binding` is the server certificate's hash
    (tls-server-end-point) or None where there is no TLS; `plus`: the server offers channel binding; `keys`
    remembers from log-in to log-in."""

    def __init__(
        self, password: str, nonce: str, binding: bytes | None, *, plus: bool, keys: ScramKeys | None = None
    ) -> None:
        self._password = _prepare(password)
        self._derive = derived if keys is None else keys.get
        self._nonce = nonce
        if plus and binding is not None:
            self.mechanism, header, bound = MECHANISM_PLUS, "p=tls-server-end-point,,", binding
        else:
            # "y": we could bind, you say you cannot; an attacker who hid the offer is found out.
            self.mechanism, header, bound = MECHANISM, "n,," if binding is None else "y,,", b""
        self._header = header
        self._channel = base64.b64encode(header.encode() + bound).decode()
        self._bare = f"n=,r={nonce}"  # PostgreSQL takes the user from the startup packet
        self._signature = b""

    def first(self) -> bytes:
        """client-first-message."""
        return (self._header + self._bare).encode()

    def final(self, server_first: bytes) -> bytes:
        """client-final-message, from server-first-message. Raises ScramFailed."""
        values = _attributes(server_first, ("r", "s", "i"))
        nonce, salt, iterations = values["r"], _decoded(values["s"]), _number(values["i"])
        if not nonce.startswith(self._nonce) or len(nonce) == len(self._nonce):
            raise ScramFailed("the server did not answer to our nonce")
        keys = self._derive(self._password, salt, iterations)
        without_proof = f"c={self._channel},r={nonce}"
        message = ",".join((self._bare, server_first.decode(), without_proof)).encode()
        signature = _hmac(hashlib.sha256(keys.client).digest(), message)
        proof = bytes(a ^ b for a, b in zip(keys.client, signature, strict=True))
        self._signature = _hmac(keys.server, message)
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()

    def finish(self, server_final: bytes) -> None:
        """Checks that the server knows the password too. Raises ScramFailed."""
        if server_final.startswith(b"e="):
            raise ScramFailed("the server refused our proof")
        verifier = _decoded(_attributes(server_final, ("v",))["v"])
        if not self._signature or not hmac.compare_digest(verifier, self._signature):
            raise ScramFailed("the server does not know the password")


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _attributes(message: bytes, names: tuple[str, ...]) -> dict[str, str]:
    """`a=...,b=...` with exactly these names in this order; further ones may follow."""
    try:
        parts = message.decode("ascii").split(",")
    except UnicodeDecodeError:
        raise ScramFailed("the server's message is not ASCII") from None
    found: dict[str, str] = {}
    for name, part in zip(names, parts, strict=False):
        if not part.startswith(f"{name}="):
            break
        found[name] = part[2:]
    if len(found) != len(names):
        raise ScramFailed("the server's message lacks a part")
    return found


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ScramFailed("the server's message is not base64") from None


def _number(text: str) -> int:
    if not text.isdigit() or len(text) > _MOST_DIGITS or not 1 <= int(text) <= MAX_ITERATIONS:
        raise ScramFailed(f"the server asks for an iteration count outside 1 to {MAX_ITERATIONS}")
    return int(text)


_FORBIDDEN = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def _prepare(password: str) -> bytes:
    """SASLprep (RFC 4013); as PostgreSQL does, a password it cannot treat is used as it is."""
    if password.isascii():
        return password.encode()
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char
        for char in password
        if not stringprep.in_table_b1(char)
    )
    normal = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if not normal or any(test(char) for char in normal for test in _FORBIDDEN) or not _directed(normal):
        return password.encode()
    return normal.encode()


def _directed(text: str) -> bool:
    """RFC 3454 section 6: right-to-left text is not mixed with left-to-right."""
    right = [stringprep.in_table_d1(char) for char in text]
    if not any(right):
        return True
    return right[0] and right[-1] and not any(map(stringprep.in_table_d2, text))

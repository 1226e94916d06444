"""OAUTHBEARER (RFC 7628) as PostgreSQL 18 speaks it: a client gives its token as a bearer's.

A client that has no token yet sends an empty one and is told where to get it; libpq then asks its user and
comes back. One whose token proves nothing is told the same, says that it understood, and is turned away.
"""

from __future__ import annotations

import json
import re

from tollhouse_proxy.protocols.postgres.auth import SASL, SASL_CONTINUE
from tollhouse_proxy.protocols.postgres.wire.backend import Authentication
from tollhouse_proxy.protocols.postgres.wire.errors import ProtocolError
from tollhouse_proxy.protocols.postgres.wire.frontend import SASLInitialResponse

MECHANISM = "OAUTHBEARER"
ASK_BEARER = Authentication(SASL, MECHANISM.encode() + b"\0\0").encode()
ABORTED = b"\x01"
"""What a client answers to a challenge that says why it failed (RFC 7628, 3.2.3)."""

_SCHEME = "bearer "
_PAIR = re.compile(r"([A-Za-z]+)=([\t\r\n\x20-\x7e]*)")
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")


def bearer_token(body: bytes) -> str:
    """The token in a SASLInitialResponse's body; "" where the client has none yet. Raises ProtocolError."""
    initial = SASLInitialResponse.parse(body)
    if initial.mechanism != MECHANISM:
        raise ProtocolError("the client chose a SASL mechanism that was not offered")
    try:
        words = (initial.data or b"").decode("ascii")
    except UnicodeDecodeError:
        raise ProtocolError("the OAUTHBEARER message is not ASCII") from None
    header, *pairs = words.split("\x01")
    if header not in {"n,,", "y,,"}:
        raise ProtocolError("OAUTHBEARER takes neither channel binding nor another name to act as")
    if len(pairs) < 3 or pairs[-2:] != ["", ""]:
        raise ProtocolError("the OAUTHBEARER message is malformed")
    return _bearer(dict(map(_pair, pairs[:-2])).get("auth"))


def _pair(text: str) -> tuple[str, str]:
    found = _PAIR.fullmatch(text)
    if found is None:
        raise ProtocolError("the OAUTHBEARER message is malformed")
    return found[1], found[2]


def _bearer(value: str | None) -> str:
    if value is None:
        raise ProtocolError("the OAUTHBEARER message carries no auth")
    if not value:
        return ""
    scheme, token = value[: len(_SCHEME)], value[len(_SCHEME) :].strip(" ")
    if scheme.lower() != _SCHEME or not _TOKEN.fullmatch(token):
        raise ProtocolError("the OAUTHBEARER message carries no bearer token")
    return token


def challenge(discovery: str, scope: str) -> bytes:
    """Why it failed, and where tokens are had. `discovery`: the URL of the issuer's document; "": none."""
    told = {"status": "invalid_token"}
    if discovery:
        told |= {"openid-configuration": discovery, "scope": scope}
    return Authentication(SASL_CONTINUE, json.dumps(told).encode()).encode()

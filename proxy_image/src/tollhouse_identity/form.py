"""The form of a token before anything in it is believed (RFC 7515 section 3, RFC 8725 section 2.4).

Two readers that disagree about the same bytes are two different tokens. So there is one reading:
canonical base64url, strict UTF-8, JSON objects without duplicate names, NaN or lone surrogates.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

MAX_TOKEN_BYTES = 16 * 1024
MAX_DEPTH = 16
"""Nesting of claims. Real tokens use four levels (`resource_access.app.roles`)."""

_BASE64URL = re.compile(r"[A-Za-z0-9_-]+\Z")
_ALL_DIGITS_LIMIT = 40


class Refused(Exception):
    """The token proves nothing. `str()` is a reason for people, without any content of it."""


@dataclass(frozen=True, slots=True)
class CompactToken:
    """A compact JWS taken apart. Nothing in it is verified yet. `repr` shows none of it."""

    text: str
    header: Mapping[str, object]
    claims: Mapping[str, object]

    def __repr__(self) -> str:
        return "CompactToken(...)"


def parse_token(text: str) -> CompactToken:
    """Takes a compact JWS apart. Raises Refused for anything but the one canonical form."""
    if not text:
        raise Refused("no token was given")
    if len(text) > MAX_TOKEN_BYTES:
        raise Refused(f"the token is longer than {MAX_TOKEN_BYTES // 1024} KiB")
    if text != text.strip():
        raise Refused("the token has white space around it")
    parts = text.split(".")
    if len(parts) != 3:
        raise Refused("this is not a signed token (three parts joined by dots)")
    header, payload, _ = (decode_base64url(part) for part in parts)
    return CompactToken(
        text,
        strict_json_object(header, "the token's header"),
        strict_json_object(payload, "the token's payload"),
    )


def decode_base64url(part: str) -> bytes:
    """Decodes unpadded base64url (RFC 7515 appendix C) that has exactly one spelling."""
    decoded = _decoded(part) if _BASE64URL.match(part) else None
    if decoded is None:
        raise Refused("a part of the token is not base64url")
    if base64.urlsafe_b64encode(decoded).rstrip(b"=") != part.encode("ascii"):
        raise Refused("a part of the token is not canonical base64url")
    return decoded


def _decoded(part: str) -> bytes | None:
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (binascii.Error, ValueError):
        return None


def strict_json_object(data: bytes, what: str) -> Mapping[str, object]:
    """Reads one JSON object; raises Refused, naming `what`, where readers could disagree."""
    # Nothing is raised while another error is handled: those carry the text, as would their context.
    text = _utf8(data)
    if text is None:
        raise Refused(f"{what} is not UTF-8")
    if text.startswith("\ufeff") or "\x00" in text:
        raise Refused(f"{what} is not plain UTF-8 JSON")
    value, problem = _json(text)
    if problem:
        raise Refused(f"{what} {problem}")
    if not isinstance(value, dict):
        raise Refused(f"{what} is not a JSON object")
    return value


def _utf8(data: bytes) -> str | None:
    try:
        return data.decode("utf-8", "strict")
    except UnicodeDecodeError:
        return None


def _json(text: str) -> tuple[object, str]:
    """The value, and what is wrong with it ("" when nothing is)."""
    try:
        value: object = json.loads(
            text,
            object_pairs_hook=_object_without_duplicates,
            parse_constant=_no_constants,
            parse_float=_finite,
            parse_int=_bounded_integer,
        )
        _require_clean(value, 0)
    except _Unclean as problem:
        return None, str(problem)
    except (ValueError, RecursionError):
        return None, "is not JSON"
    return value, ""


class _Unclean(Exception):
    """Valid to some JSON reader, refused by ours."""


def _object_without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise _Unclean("has a name twice")
    return result


def _no_constants(_: str) -> object:
    raise _Unclean("has a number that is not finite")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _Unclean("has a number that is not finite")
    return value


def _bounded_integer(text: str) -> int:
    if len(text) > _ALL_DIGITS_LIMIT:
        raise _Unclean("has a number that is too long")
    return int(text)


def _require_clean(value: object, depth: int) -> None:
    """Bounds the depth and refuses lone surrogates (`\\ud800`), which UTF-8 cannot carry."""
    if depth > MAX_DEPTH:
        raise _Unclean("is nested too deeply")
    match value:
        case str():
            _require_encodable(value)
        case list():
            for item in value:
                _require_clean(item, depth + 1)
        case dict():
            for name, item in value.items():
                _require_encodable(name)
                _require_clean(item, depth + 1)


def _require_encodable(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise _Unclean("has a broken character (a lone surrogate)") from None

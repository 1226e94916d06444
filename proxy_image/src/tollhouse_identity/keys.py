"""Which of an issuer's published keys may verify a token (RFC 7517, RFC 7518 section 6).

A key set is data from outside: one bad key in it is passed over and never spoils the others.
What a key says of itself (`alg`, `use`, `key_ops`, `crv`) is obeyed. No cryptography here.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence

Jwk = Mapping[str, object]

MIN_RSA_BITS = 2048
MAX_RSA_BITS = 8192
"""Longer ones only cost time: verifying takes about a millisecond at 8192."""
MAX_KEYS = 128

_CURVES = {
    "ES256": ("EC", frozenset({"P-256"})),
    "ES384": ("EC", frozenset({"P-384"})),
    "ES512": ("EC", frozenset({"P-521"})),
    "EdDSA": ("OKP", frozenset({"Ed25519", "Ed448"})),
}
_COORDINATE_BYTES = {"P-256": 32, "P-384": 48, "P-521": 66, "Ed25519": 32, "Ed448": 57}
_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "k")


def keys_of(document: Mapping[str, object]) -> tuple[Jwk, ...]:
    """The keys of a JWK Set document; raises ValueError where it is not one, or too large."""
    listed = document.get("keys")
    if not isinstance(listed, list):
        raise ValueError("is not a set of keys")
    if len(listed) > MAX_KEYS:
        raise ValueError(f"has more than {MAX_KEYS} keys")
    return tuple(key for key in listed if isinstance(key, dict))


def candidates(keys: Sequence[Jwk], key_id: str | None, algorithm: str) -> tuple[Jwk, ...]:
    """The keys that may verify this token. Exactly one makes an answer; more are ambiguous."""
    named = keys if key_id is None else [key for key in keys if key.get("kid") == key_id]
    return tuple(key for key in named if is_usable(key, algorithm))


def is_usable(key: Jwk, algorithm: str) -> bool:
    """Whether this key may verify signatures of this algorithm, and is strong enough to."""
    if any(name in key for name in _PRIVATE):  # its private half is known to everybody
        return False
    return _meant_for(key, algorithm) and (
        _is_sound_rsa(key) if algorithm[:2] in ("RS", "PS") else _is_on_curve_of(key, algorithm)
    )


def _meant_for(key: Jwk, algorithm: str) -> bool:
    operations = key.get("key_ops", ["verify"])
    return (
        key.get("alg", algorithm) == algorithm
        and key.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
    )


def _is_sound_rsa(key: Jwk) -> bool:
    """FIPS 186-5 section 5.1: 2048 bits and more, an odd exponent above 65536."""
    modulus, exponent = _number(key.get("n")), _number(key.get("e"))
    return (
        key.get("kty") == "RSA"
        and MIN_RSA_BITS <= modulus.bit_length() <= MAX_RSA_BITS
        and modulus % 2 == 1
        and 65536 < exponent < 2**64
        and exponent % 2 == 1
    )


def _is_on_curve_of(key: Jwk, algorithm: str) -> bool:
    kind, curves = _CURVES[algorithm]
    curve = key.get("crv")
    if key.get("kty") != kind or not isinstance(curve, str) or curve not in curves:
        return False
    size = _COORDINATE_BYTES[curve]
    coordinates = ("x", "y") if kind == "EC" else ("x",)
    return all(len(_octets(key.get(name))) == size for name in coordinates)


def _number(value: object) -> int:
    return int.from_bytes(_octets(value), "big")


def _octets(value: object) -> bytes:
    """Base64url, empty where it is none (which no check accepts)."""
    if not isinstance(value, str) or len(value) > 4096 or not value.isascii():
        return b""
    try:
        return base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""

"""Tokens made wrong on purpose, from the honest one of a gate."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import serialization

from kit.gate import Gate
from kit.tokens import SigningKey, b64, signing_key

Forge = Callable[[Gate], str]


def with_claims(**changes: Any) -> Forge:
    return lambda gate: gate.token(**changes)


def with_header(**changes: object) -> Forge:
    return lambda gate: gate.token(header=changes)


def later(name: str, seconds: float) -> Forge:
    """The claim `name` set to so many seconds from now."""

    def forge(gate: Gate) -> str:
        changes: dict[str, Any] = {name: gate.clock.now().timestamp() + seconds}
        return gate.token(**changes)

    return forge


def json_with(replaced: str, by: str) -> Forge:
    """The honest payload's JSON text with a piece replaced, then signed."""

    def forge(gate: Gate) -> str:
        text = json.dumps(gate.claims())
        assert replaced in text
        return gate.issuer.keys[0].sign(text.replace(replaced, by, 1).encode("utf-8", "surrogatepass"))

    return forge


def encoded_as(codec: str, prefix: bytes = b"") -> Forge:
    return lambda gate: gate.issuer.keys[0].sign(prefix + json.dumps(gate.claims()).encode(codec))


def with_bytes(change: Callable[[bytes], bytes]) -> Forge:
    return lambda gate: gate.issuer.keys[0].sign(change(json.dumps(gate.claims()).encode()))


def header_json(text: str) -> Forge:
    return lambda gate: gate.issuer.keys[0].sign(gate.claims(), text.encode())


def part(index: int, change: Callable[[str], str]) -> Forge:
    """The honest token with one of its parts changed."""

    def forge(gate: Gate) -> str:
        parts = gate.token().split(".")
        parts[index] = change(parts[index])
        return ".".join(parts)

    return forge


def whole(change: Callable[[str], str]) -> Forge:
    return lambda gate: change(gate.token())


def unsigned(algorithm: str) -> Forge:
    return lambda gate: ".".join(
        [b64(json.dumps({"alg": algorithm}).encode()), gate.token().split(".")[1], ""]
    )


def bare_signature(make: Callable[[Gate, bytes], bytes], **header: object) -> Forge:
    """A token whose signature is whatever `make` says of the signed text."""

    def forge(gate: Gate) -> str:
        head = {"alg": "ES256", "kid": gate.issuer.keys[0].kid, **header}
        text = f"{b64(json.dumps(head).encode())}.{b64(json.dumps(gate.claims()).encode())}"
        return f"{text}.{b64(make(gate, text.encode()))}"

    return forge


def hmac_with_public_key(how: str) -> Forge:
    def make(gate: Gate, text: bytes) -> bytes:
        key = gate.issuer.keys[0]
        secret = json.dumps(key.public()).encode() if how == "jwk" else key.key.as_pem(private=False)
        return hmac.digest(secret, text, "sha256")

    return bare_signature(make, alg="HS256")


def trailing_bits(text: str) -> str:
    """Another spelling of the same bytes: the unused bits of the last character set."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + alphabet[alphabet.index(text[-1]) | 1]


def own_key(gate: Gate) -> SigningKey:
    return signing_key("ES256", "mallory")


def embedded(gate: Gate, **header: object) -> str:
    return own_key(gate).sign(gate.claims(), {"kid": gate.issuer.keys[0].kid, **header})


def right(gate: Gate, text: bytes) -> bytes:
    return gate.issuer.keys[0].signature(text)


def high_r(gate: Gate, text: bytes) -> bytes:
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    return order.to_bytes(32, "big") * 2


def der(gate: Gate, text: bytes) -> bytes:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    private: Any = serialization.load_pem_private_key(gate.issuer.keys[0].key.as_pem(private=True), None)
    found: bytes = private.sign(text, ec.ECDSA(hashes.SHA256()))
    return found

"""Signed tokens, the honest way and every other: header and payload may be any bytes."""

from __future__ import annotations

import base64
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}


def b64(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass(frozen=True)
class SigningKey:
    """A private key as an issuer has it. `kid` is its name in the key set and in token headers."""

    key: ECKey | OKPKey | RSAKey
    algorithm: str
    kid: str

    def public(self, **changes: object) -> dict[str, Any]:
        """The public JWK; a change to None takes the member away."""
        document: dict[str, Any] = dict(self.key.as_dict(private=False))
        document |= {"kid": self.kid, "use": "sig", "alg": self.algorithm, **changes}
        return {name: value for name, value in document.items() if value is not None}

    def sign(
        self,
        claims: Mapping[str, object] | bytes,
        header: Mapping[str, object] | bytes | None = None,
        *,
        algorithm: str | None = None,
    ) -> str:
        """A compact token. Mappings are written as JSON; a header is completed with alg and kid
        unless it says them (None takes one away), bytes are taken as they are."""
        algorithm = algorithm or self.algorithm
        if not isinstance(header, bytes):
            whole = {"alg": algorithm, "kid": self.kid, **(header or {})}
            header = json.dumps({name: value for name, value in whole.items() if value is not None}).encode()
        payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
        text = f"{b64(header)}.{b64(payload)}"
        return f"{text}.{b64(self.signature(text.encode(), algorithm))}"

    def signature(self, data: bytes, algorithm: str | None = None) -> bytes:
        """The bare signature over any bytes."""
        found: bytes = jws.JWSRegistry.algorithms[algorithm or self.algorithm].sign(data, self.key)
        return found


def signing_key(algorithm: str = "ES256", kid: str = "key-1", bits: int = 2048) -> SigningKey:
    """A key for that algorithm; the same one for the same words, since RSA keys take long to make."""
    return _made(algorithm, kid, bits)


@cache
def _made(algorithm: str, kid: str, bits: int) -> SigningKey:
    if algorithm in CURVES:
        return SigningKey(ECKey.generate_key(CURVES[algorithm], auto_kid=False), algorithm, kid)
    if algorithm == "EdDSA":
        return SigningKey(OKPKey.generate_key("Ed25519", auto_kid=False), algorithm, kid)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about short keys, which is what they are made for
        return SigningKey(RSAKey.generate_key(bits, auto_kid=False), algorithm, kid)

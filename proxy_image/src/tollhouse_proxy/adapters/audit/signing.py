"""The key that signs the heads of chains."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from tollhouse_core.audit.chain import Signer


class BadSigningKey(Exception):
    """The key file cannot be used; `str()` says why and never shows the key."""


def load_signer(path: Path) -> Signer:
    """The signer of the Ed25519 private key in a PEM file. Raises BadSigningKey.

    The key's id is the start of the SHA-256 of its raw public key, so that whoever has the
    public key finds it without a directory.
    """
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise BadSigningKey(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadSigningKey(f"{path}: expected an unencrypted PEM private key") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BadSigningKey(f"{path}: expected an Ed25519 key, found {type(key).__name__}")
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return Signer(f"ed25519:{hashlib.sha256(public).hexdigest()[:16]}", key.sign)

"""Checks the signatures of audit heads with public keys from files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from tollhouse_core.audit.verify import CheckSignature


class BadKey(Exception):
    """A file holds no Ed25519 public key."""


def signature_check(files: Sequence[Path]) -> CheckSignature:
    """A check that knows the keys in these PEM files. Raises BadKey."""
    keys = dict(_load(path) for path in files)

    def check(key_id: str, message: bytes, signature: bytes) -> bool | None:
        key = keys.get(key_id)
        if key is None:
            return None
        try:
            key.verify(signature, message)
        except InvalidSignature:
            return False
        return True

    return check


def _load(path: Path) -> tuple[str, Ed25519PublicKey]:
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise BadKey(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadKey(f"{path}: expected a public key in PEM") from error
    if not isinstance(key, Ed25519PublicKey):
        raise BadKey(f"{path}: expected an Ed25519 public key")
    public = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return f"ed25519:{hashlib.sha256(public).hexdigest()[:16]}", key

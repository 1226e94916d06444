"""The keys and certificates in `state/`: made when missing, renewed before their end."""

from __future__ import annotations

import secrets
from datetime import datetime
from pathlib import Path

from tollhouse_core.secret import Secret
from tollhouse_operator.certificates import (
    BadKeyPair,
    KeyPair,
    audit_public_key,
    authority_ends_soon,
    new_audit_key,
    new_authority,
    new_serving_certificate,
    why_renew,
)
from tollhouse_operator.standalone.layout import Folder, replace_file

SERVING_NAMES = ("localhost",)


def ensure_keys(folder: Folder, now: datetime) -> None:
    """The authority, the audit's key and the key of token masks. Raises OSError, BadKeyPair."""
    _ensure_authority(folder, now)
    if not folder.audit_key.exists():
        private, _ = new_audit_key()
        replace_file(folder.audit_key, private.reveal().encode())
    public = audit_public_key(Secret(folder.audit_key.read_text()))
    replace_file(folder.audit_public_key, public.encode(), 0o644)
    if not folder.mask_key.exists():
        replace_file(folder.mask_key, secrets.token_hex(32).encode())


def ensure_serving_certificate(folder: Folder, namespace: str, connection: str, now: datetime) -> Path:
    """The folder with tls.crt and tls.key of a proxy, both good for a while yet."""
    authority = _read(folder.authority, _authority_key(folder))
    assert authority is not None
    where = folder.tls(namespace, connection)
    found = _read(where / "tls.crt", where / "tls.key")
    if why_renew(found, authority.certificate_pem, SERVING_NAMES, now) is not None:
        made = new_serving_certificate(authority, SERVING_NAMES, now)
        replace_file(where / "tls.key", made.key_pem.reveal().encode())
        replace_file(where / "tls.crt", made.certificate_pem.encode(), 0o644)
    return where


def _ensure_authority(folder: Folder, now: datetime) -> None:
    found = _read(folder.authority, _authority_key(folder))
    if found is not None:
        try:
            if not authority_ends_soon(found, now):
                return
        except BadKeyPair as error:
            raise BadKeyPair(f"{folder.authority}: {error}; delete it to have a new one made") from error
    made = new_authority(now, "Tollhouse (local)")
    replace_file(_authority_key(folder), made.key_pem.reveal().encode())
    replace_file(folder.authority, made.certificate_pem.encode(), 0o644)


def _authority_key(folder: Folder) -> Path:
    return folder.authority.with_suffix(".key")


def _read(certificate: Path, key: Path) -> KeyPair | None:
    try:
        return KeyPair(certificate.read_text(), Secret(key.read_text()))
    except (FileNotFoundError, UnicodeDecodeError):
        return None

"""A key pair for one SSH session, and the certificate for it: made in memory, checked before it is lent.

OpenSSH's PROTOCOL.certkeys says what a certificate holds.
"""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    SSHCertificate,
    SSHCertificateType,
    load_ssh_public_identity,
)

from tollhouse_core.secret import Secret
from tollhouse_proxy.adapters.credentials.vault_terms import Trouble, VaultProblem
from tollhouse_proxy.ports.credentials import SshIdentity

_FOR_EVER = 2**64 - 1


class SshKey:
    """A fresh ed25519 key pair. `public` is its public half as one line of OpenSSH's."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        self.public = self._key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()

    def certified(self, line: str, username: str, now: datetime) -> tuple[SshIdentity, datetime | None]:
        """This key with the certificate in `line`, and when that ends (None: never).

        Raises VaultProblem for anything but a user's certificate of this very key, for `username` and
        nobody else, in force now and with a signature that holds.
        """
        certificate = _parsed(line)
        if certificate.type is not SSHCertificateType.USER:
            raise _wrong("is not a user's")
        if certificate.public_key() != self._key.public_key():
            raise _wrong("is for another key")
        if certificate.valid_principals != [username.encode()]:
            raise _wrong(f"is not for {username} alone")
        ends = _in_force(certificate, now)
        pem = self._key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
        return SshIdentity(Secret(pem), Secret(line.strip())), ends


def _parsed(line: str) -> SSHCertificate:
    try:
        found = load_ssh_public_identity(line.strip().encode())
        if isinstance(found, SSHCertificate):
            found.verify_cert_signature()
            return found
    except InvalidSignature:
        raise _wrong("bears a signature that does not hold") from None
    except (ValueError, UnsupportedAlgorithm):
        pass
    raise _wrong("cannot be read")


def _in_force(certificate: SSHCertificate, now: datetime) -> datetime | None:
    seconds = now.timestamp()
    if seconds < certificate.valid_after:
        raise _wrong("is not valid yet: do the clocks of Vault and the proxy agree?")
    if certificate.valid_before == _FOR_EVER:
        return None
    if seconds >= certificate.valid_before:
        raise _wrong("has ended already: do the clocks of Vault and the proxy agree?")
    try:
        return datetime.fromtimestamp(certificate.valid_before, UTC)
    except (ValueError, OverflowError, OSError):
        return None  # further away than a calendar reaches


def _wrong(words: str) -> VaultProblem:
    return VaultProblem(Trouble.WRONG, f"gave an SSH certificate that {words}")

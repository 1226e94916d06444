"""Keys and certificates that the operator makes, or looks at."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tollhouse_core.secret import Secret

AUTHORITY_LIFE = timedelta(days=3650)
SERVING_LIFE = timedelta(days=90)
RENEW_AT = 2 / 3
"""The part of a certificate's life after which a new one is made: a month is left then."""
_BACKDATED = timedelta(minutes=5)


class BadKeyPair(Exception):
    """A stored certificate or key cannot be read, or they do not belong together."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate (PEM) and its private key (PKCS #8, PEM)."""

    certificate_pem: str
    key_pem: Secret


def new_authority(now: datetime, common_name: str = "Tollhouse") -> KeyPair:
    """A certificate authority that signs serving certificates and nothing else."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    builder = _builder(name, name, key.public_key(), now, AUTHORITY_LIFE)
    certificate = (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return KeyPair(_pem(certificate), _key_pem(key))


def new_serving_certificate(authority: KeyPair, dns_names: Sequence[str], now: datetime) -> KeyPair:
    """A server's certificate for `dns_names`. Raises BadKeyPair if the authority is unreadable."""
    issuer = _certificate(authority.certificate_pem)
    signer = _private_key(authority.key_pem)
    key = ec.generate_private_key(ec.SECP256R1())
    # A common name holds 64 characters; verification goes by the alternative names.
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, dns_names[0][:64])])
    life = min(SERVING_LIFE, issuer.not_valid_after_utc - now)
    certificate = (
        _builder(issuer.subject, subject, key.public_key(), now, life)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in dns_names]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .sign(signer, hashes.SHA256())
    )
    return KeyPair(_pem(certificate), _key_pem(key))


def why_renew(
    pair: KeyPair | None, authority_pem: str, dns_names: Sequence[str], now: datetime
) -> str | None:
    """Why a new serving certificate must be made; None if the one there is serves."""
    if pair is None:
        return "there is none"
    try:
        certificate = _certificate(pair.certificate_pem)
        key = _private_key(pair.key_pem)
        certificate.verify_directly_issued_by(_certificate(authority_pem))
    except BadKeyPair as error:
        return str(error)
    except (InvalidSignature, ValueError, TypeError):
        return "it was not signed by the present authority"
    if certificate.public_key() != key.public_key():
        return "its key is another's"
    if set(_dns_names(certificate)) != set(dns_names):
        return "its names are not those of the Service"
    begun, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now >= begun + (ends - begun) * RENEW_AT:
        return f"it ends at {ends:%Y-%m-%d %H:%M} UTC"
    return None


def authority_ends_soon(authority: KeyPair, now: datetime) -> bool:
    """Whether a new authority must be made. Raises BadKeyPair."""
    certificate = _certificate(authority.certificate_pem)
    if certificate.public_key() != _private_key(authority.key_pem).public_key():
        raise BadKeyPair("the authority's key is not its certificate's")
    return now >= certificate.not_valid_after_utc - 2 * SERVING_LIFE


def new_audit_key() -> tuple[Secret, str]:
    """An ed25519 key: (private PKCS #8 PEM, public PEM)."""
    key = ed25519.Ed25519PrivateKey.generate()
    return _key_pem(key), _public_pem(key.public_key())


def audit_public_key(private_pem: Secret) -> str:
    """The public half of an audit key as PEM. Raises BadKeyPair if it is no ed25519 key."""
    try:
        key = serialization.load_pem_private_key(private_pem.reveal().encode(), None)
    except (ValueError, TypeError):
        raise BadKeyPair("the audit key cannot be read") from None
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise BadKeyPair("the audit key is no ed25519 key")
    return _public_pem(key.public_key())


def is_strong(certificate: str) -> bool:
    """Whether signatures by the key of this certificate (base64 of its DER, as XML carries it) may
    count: RSA of 2048 bits, EC of 256 at least. Its dates do not matter: whoever stored it trusts the key."""
    try:
        key = x509.load_der_x509_certificate(base64.b64decode("".join(certificate.split()))).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size >= 2048 and key.public_numbers().e > 65536
    return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.key_size >= 256


def mask_key(master: Secret, namespace: str) -> Secret:
    """The key of token masks of a namespace, 64 hexadecimal digits.

    Derived, not stored: equal for all Connections of the namespace and the same again if the
    Secret is lost, so that tokens keep their meaning.
    """
    source = hashlib.sha256(master.reveal().encode()).digest()
    return Secret(hmac.new(source, b"tollhouse mask key of " + namespace.encode(), "sha256").hexdigest())


def _builder(
    issuer: x509.Name, subject: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + life)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _certificate(pem: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        raise BadKeyPair("the certificate cannot be read") from None


def _private_key(pem: Secret) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(pem.reveal().encode(), None)
    except (ValueError, TypeError):
        raise BadKeyPair("the key cannot be read") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise BadKeyPair("the key is of another kind")
    return key


def _dns_names(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return names.get_values_for_type(x509.DNSName)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _public_pem(key: ed25519.Ed25519PublicKey) -> str:
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> Secret:
    return Secret(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
    )

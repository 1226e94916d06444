"""Certificates and keys that the operator makes."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from tollhouse_core.secret import Secret
from tollhouse_operator.certificates import (
    AUTHORITY_LIFE,
    SERVING_LIFE,
    BadKeyPair,
    KeyPair,
    audit_public_key,
    authority_ends_soon,
    mask_key,
    new_audit_key,
    new_authority,
    new_serving_certificate,
    why_renew,
)

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
NAMES = ("orders-db", "orders-db.shop.svc")


@pytest.fixture(scope="module")
def authority() -> KeyPair:
    return new_authority(NOW)


@pytest.fixture(scope="module")
def serving(authority: KeyPair) -> KeyPair:
    return new_serving_certificate(authority, NAMES, NOW)


def test_a_serving_certificate_is_for_servers_of_these_names_only(serving: KeyPair) -> None:
    certificate = x509.load_pem_x509_certificate(serving.certificate_pem.encode())
    found = certificate.extensions
    assert found.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(
        x509.DNSName
    ) == list(NAMES)
    assert list(found.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.SERVER_AUTH
    ]
    assert found.get_extension_for_class(x509.BasicConstraints).value.ca is False


def test_openssl_takes_them(authority: KeyPair, serving: KeyPair, tmp_path: Path) -> None:
    path = tmp_path / "pair.pem"
    path.write_text(serving.certificate_pem + serving.key_pem.reveal())
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path)
    client = ssl.create_default_context(cadata=authority.certificate_pem)
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    assert client.get_ca_certs()


def test_a_good_certificate_is_kept(authority: KeyPair, serving: KeyPair) -> None:
    assert why_renew(serving, authority.certificate_pem, NAMES, NOW) is None
    assert why_renew(serving, authority.certificate_pem, tuple(reversed(NAMES)), NOW) is None


def test_a_new_one_is_made_a_month_before_the_end(authority: KeyPair, serving: KeyPair) -> None:
    early = NOW + SERVING_LIFE - timedelta(days=32)
    late = NOW + SERVING_LIFE - timedelta(days=29)
    assert why_renew(serving, authority.certificate_pem, NAMES, early) is None
    assert (why_renew(serving, authority.certificate_pem, NAMES, late) or "").startswith(
        "it ends at 2026-07-30"
    )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda pair: None, "there is none"),
        (lambda pair: KeyPair("", pair.key_pem), "the certificate cannot be read"),
        (lambda pair: KeyPair(pair.certificate_pem, Secret("x")), "the key cannot be read"),
        (lambda pair: KeyPair(pair.certificate_pem, new_authority(NOW).key_pem), "its key is another's"),
        (lambda pair: KeyPair(pair.certificate_pem, new_audit_key()[0]), "the key is of another kind"),
        (
            lambda pair: new_serving_certificate(new_authority(NOW), NAMES, NOW),
            "it was not signed by the present authority",
        ),
    ],
)
def test_what_does_not_serve_is_made_anew(
    authority: KeyPair, serving: KeyPair, change: object, why: str
) -> None:
    assert callable(change)
    assert why_renew(change(serving), authority.certificate_pem, NAMES, NOW) == why


def test_other_names_need_another_certificate(authority: KeyPair, serving: KeyPair) -> None:
    why = why_renew(serving, authority.certificate_pem, ("other",), NOW)
    assert why == "its names are not those of the Service"


def test_a_serving_certificate_does_not_outlive_its_authority(authority: KeyPair) -> None:
    late = NOW + AUTHORITY_LIFE - timedelta(days=10)
    made = new_serving_certificate(authority, NAMES, late)
    certificate = x509.load_pem_x509_certificate(made.certificate_pem.encode())
    assert certificate.not_valid_after_utc <= NOW + AUTHORITY_LIFE


def test_an_authority_is_renewed_while_what_it_signed_still_lives(authority: KeyPair) -> None:
    assert not authority_ends_soon(authority, NOW)
    assert not authority_ends_soon(authority, NOW + AUTHORITY_LIFE - timedelta(days=181))
    assert authority_ends_soon(authority, NOW + AUTHORITY_LIFE - timedelta(days=179))


def test_an_authority_with_a_strange_key_is_not_used(authority: KeyPair) -> None:
    with pytest.raises(BadKeyPair):
        authority_ends_soon(KeyPair(authority.certificate_pem, new_authority(NOW).key_pem), NOW)


def test_an_audit_key_gives_its_public_half() -> None:
    private, public = new_audit_key()
    assert audit_public_key(private) == public
    with pytest.raises(BadKeyPair, match="cannot be read"):
        audit_public_key(Secret("nothing"))
    with pytest.raises(BadKeyPair, match="no ed25519 key"):
        audit_public_key(new_authority(NOW).key_pem)


def test_the_mask_key_is_one_for_a_namespace_and_another_for_the_next() -> None:
    master = Secret("00" * 32)
    assert mask_key(master, "shop") == mask_key(master, "shop")
    assert mask_key(master, "shop") != mask_key(master, "bank")
    assert mask_key(master, "shop") != mask_key(Secret("01" * 32), "shop")
    assert len(mask_key(master, "shop").reveal()) == 64


def test_no_key_shows_itself(authority: KeyPair) -> None:
    assert "PRIVATE" not in repr(authority)

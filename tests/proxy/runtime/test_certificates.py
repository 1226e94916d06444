"""Serving certificates are read again when they change; channel bindings follow the certificate."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path

from kit.pki import Authority
from tollhouse_proxy.exchange import Target, TlsMode
from tollhouse_proxy.runtime.tls import ServingCertificate, backend_context, certificate_hash


def issue(folder: Path, authority: Authority, name: str) -> None:
    pair = authority.server(name)
    pair.certificate.rename(folder / "tls.crt")
    pair.key.rename(folder / "tls.key")


def test_a_certificate_is_read_again_when_it_changes(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    serving = ServingCertificate(tmp_path)
    assert serving.context() is None
    issue(tmp_path, authority, "one")
    first = serving.context()
    assert first is not None
    assert serving.context() is first
    issue(tmp_path, authority, "two")
    assert serving.context() is not first


def test_a_half_written_certificate_leaves_the_old_one_in_use(tmp_path: Path) -> None:
    issue(tmp_path, Authority(tmp_path), "one")
    serving = ServingCertificate(tmp_path)
    first = serving.context()
    (tmp_path / "tls.crt").write_text("-----BEGIN CERT")
    assert serving.context() is first


def test_the_binding_is_the_certificates_hash(tmp_path: Path) -> None:
    pair = Authority(tmp_path).server("one")
    der = ssl.PEM_cert_to_DER_cert(pair.certificate.read_text())
    assert certificate_hash(der) == hashlib.sha256(der).digest()


def test_backend_contexts_verify_unless_told_not_to(tmp_path: Path) -> None:
    ca = Authority(tmp_path).certificate.read_text()
    full = backend_context(Target("db", 5432, TlsMode.VERIFY_FULL, ca))
    assert full is not None
    assert (full.check_hostname, full.verify_mode) == (True, ssl.CERT_REQUIRED)
    lax = backend_context(Target("db", 5432, TlsMode.REQUIRE))
    assert lax is not None
    assert (lax.check_hostname, lax.verify_mode) == (False, ssl.CERT_NONE)
    assert backend_context(Target("db", 5432, TlsMode.DISABLE)) is None
    assert backend_context(Target("/run/postgres", 5432)) is None

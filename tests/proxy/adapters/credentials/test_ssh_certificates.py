"""A certificate is lent only when it is for this key, this user and this moment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    SSHCertificateBuilder,
    SSHCertificateType,
    load_ssh_public_key,
)

from tollhouse_proxy.adapters.credentials.ssh_certificates import SshKey
from tollhouse_proxy.adapters.credentials.vault_terms import Trouble, VaultProblem

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
FOR_EVER = 2**64 - 1


def certificate(
    public: str,
    *,
    principals: tuple[bytes, ...] = (b"deploy",),
    kind: SSHCertificateType = SSHCertificateType.USER,
    after: int = int(NOW.timestamp()),
    before: int = int((NOW + timedelta(minutes=10)).timestamp()),
) -> str:
    key = load_ssh_public_key(public.encode())
    assert not isinstance(key, str)
    builder = SSHCertificateBuilder().public_key(key).type(kind)  # type: ignore[arg-type]
    anybody = builder.valid_for_all_principals
    builder = builder.valid_principals(list(principals)) if principals else anybody()  # type: ignore[no-untyped-call]
    made = builder.serial(1).key_id(b"kit").valid_after(after).valid_before(before)
    return made.sign(Ed25519PrivateKey.generate()).public_bytes().decode()


def test_a_good_one_ends_when_it_says() -> None:
    key = SshKey()
    line = certificate(key.public)
    identity, ends = key.certified(line + "\n", "deploy", NOW)
    assert identity.certificate.reveal() == line
    assert identity.private_key.reveal().startswith("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    assert ends == NOW + timedelta(minutes=10)


@pytest.mark.parametrize("before", [FOR_EVER, FOR_EVER - 1])
def test_one_that_outlasts_the_calendar_has_no_end(before: int) -> None:
    key = SshKey()
    assert key.certified(certificate(key.public, before=before), "deploy", NOW)[1] is None


def seconds(moment: datetime) -> int:
    return int(moment.timestamp())


WRONG: dict[str, tuple[Callable[[str], str], str]] = {
    "another key": (lambda _: certificate(SshKey().public), "is for another key"),
    "another user": (lambda key: certificate(key, principals=(b"root",)), "is not for deploy alone"),
    "a second user": (
        lambda key: certificate(key, principals=(b"deploy", b"root")),
        "is not for deploy alone",
    ),
    "any user": (lambda key: certificate(key, principals=()), "is not for deploy alone"),
    "a host": (lambda key: certificate(key, kind=SSHCertificateType.HOST), "is not a user's"),
    "later": (lambda key: certificate(key, after=seconds(NOW) + 1), "is not valid yet"),
    "over": (
        lambda key: certificate(key, after=seconds(NOW) - 60, before=seconds(NOW)),
        "has ended already",
    ),
    "forged": (lambda key: forged(certificate(key)), "a signature that does not hold"),
    "no certificate": (lambda key: key, "cannot be read"),
    "half": (lambda key: certificate(key)[:120], "cannot be read"),
    "nothing": (lambda _: "\n", "cannot be read"),
    "no text of SSH's": (lambda _: "\udc80 ssh", "cannot be read"),
}


def forged(line: str) -> str:
    """With another last byte of the signature."""
    kind, body, *_ = line.split()
    stem = body.rstrip("=")
    rest = "=" * (len(body) - len(stem))
    at = -3  # further left than the bits that only fill up
    return f"{kind} {stem[:at]}{'B' if stem[at] == 'A' else 'A'}{stem[at + 1 :]}{rest}"


@pytest.mark.parametrize("name", WRONG)
def test_any_other_is_refused_in_words_that_trying_again_will_not_help(name: str) -> None:
    make, words = WRONG[name]
    key = SshKey()
    with pytest.raises(VaultProblem, match=words) as refusal:
        key.certified(make(key.public), "deploy", NOW)
    assert refusal.value.trouble is Trouble.WRONG
    assert refusal.value.__context__ is None or refusal.value.__suppress_context__

"""The SSH engine of a real OpenBao signs a key of the proxy's own for each session."""

from __future__ import annotations

import logging
import secrets as randomness
import time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificate,
    SSHCertificateType,
    load_ssh_private_key,
    load_ssh_public_identity,
)

from kit.openbao import OpenBao
from kit.secret_store import MemorySecrets
from tollhouse_proxy.adapters.credentials.settings import CredentialSettings
from tollhouse_proxy.ports.credentials import Credential, CredentialSource, CredentialUnavailable

pytestmark = pytest.mark.openbao
MakeSource = Callable[..., CredentialSource]
SIGN = 'path "{mount}/sign/kit" {{ capabilities = ["update"] }}'


@pytest.fixture
def engine(openbao: OpenBao) -> str:
    """The mount of an SSH engine with a CA; its role `kit` signs for `deploy`."""
    mount = f"ssh-{randomness.token_hex(6)}"
    openbao.write(f"sys/mounts/{mount}", type="ssh")
    openbao.write(f"{mount}/config/ca", generate_signing_key=True, key_type="ssh-ed25519")
    role(openbao, mount)
    return mount


def role(bao: OpenBao, mount: str, **fields: object) -> None:
    usual = {"key_type": "ca", "allow_user_certificates": True, "allowed_users": "deploy", "ttl": "10m"}
    bao.write(f"{mount}/roles/kit", **{**usual, "max_ttl": "30m", **fields})


def asking(
    make: MakeSource, bao: OpenBao, secrets: MemorySecrets, mount: str, **ssh: Any
) -> CredentialSource:
    secrets.secrets["vault"] = {"token": bao.token(SIGN.format(mount=mount))}
    return make(
        CredentialSettings(acquire_seconds=3.0),
        address=bao.address,
        auth={"tokenRef": {"secret": "vault", "key": "token"}},
        ssh={"mount": mount, "role": "kit", "username": "deploy", **ssh},
    )


def certificate(credential: Credential) -> SSHCertificate:
    found = load_ssh_public_identity(credential.ssh_identity.certificate.reveal().encode())
    assert isinstance(found, SSHCertificate)
    return found


async def test_each_session_gets_a_key_of_its_own_and_a_certificate_for_it(
    openbao: OpenBao, make_source: MakeSource, secrets: MemorySecrets, engine: str
) -> None:
    source = asking(make_source, openbao, secrets, engine)
    first, second = await source.acquire(), await source.acquire()
    keys = []
    for credential in (first, second):
        assert (credential.username, credential.lease) == ("deploy", "")
        found = certificate(credential)
        key = load_ssh_private_key(credential.ssh_identity.private_key.reveal().encode(), None)
        assert isinstance(key, Ed25519PrivateKey)
        assert found.public_key() == key.public_key()
        assert found.type is SSHCertificateType.USER
        assert found.valid_principals == [b"deploy"]
        authority = found.signature_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        assert authority.decode() == openbao.read(f"{engine}/config/ca")["data"]["public_key"].strip()
        assert credential.expires_at is not None
        assert credential.expires_at.timestamp() == found.valid_before
        keys.append(key.public_key())
    assert keys[0] != keys[1]
    assert await source.renew(first) is first
    await source.release(first)


async def test_the_certificate_is_as_short_as_was_asked_for(
    openbao: OpenBao, make_source: MakeSource, secrets: MemorySecrets, engine: str
) -> None:
    source = asking(make_source, openbao, secrets, engine, ttl="1m30s")
    before = time.time()
    found = certificate(await source.acquire())
    assert before + 60 < found.valid_before < time.time() + 92


async def test_what_the_engine_does_not_sign_is_said_in_words(
    openbao: OpenBao, make_source: MakeSource, secrets: MemorySecrets, engine: str
) -> None:
    with pytest.raises(CredentialUnavailable, match="refused an SSH certificate as a bad request"):
        await asking(make_source, openbao, secrets, engine, username="root").acquire()
    with pytest.raises(CredentialUnavailable, match=r"refused an SSH certificate \(permission denied\)"):
        await asking(make_source, openbao, secrets, engine, role="other").acquire()
    role(openbao, engine, allow_user_certificates=False, allow_host_certificates=True)
    with pytest.raises(CredentialUnavailable, match="refused an SSH certificate as a bad request"):
        await asking(make_source, openbao, secrets, engine).acquire()


async def test_neither_the_key_nor_the_certificate_is_seen(
    openbao: OpenBao,
    make_source: MakeSource,
    secrets: MemorySecrets,
    engine: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    credential = await asking(make_source, openbao, secrets, engine).acquire()
    identity = credential.ssh_identity
    shown = f"{credential!r} {credential} {identity!r} {caplog.text}"
    body = identity.private_key.reveal().splitlines()[1]
    for hidden in (body, identity.certificate.reveal().split()[1], "PRIVATE KEY"):
        assert hidden not in shown
    with pytest.raises(CredentialUnavailable, match="gives an SSH certificate, not a password"):
        _ = credential.password

"""The key/value engine, both versions, and TLS, on a real OpenBao."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kit import openbao as openbao_part
from kit.openbao import OpenBao
from kit.secret_store import MemorySecrets
from tollhouse_proxy.adapters.credentials.settings import CredentialSettings
from tollhouse_proxy.ports.credentials import CredentialSource, CredentialUnavailable

pytestmark = pytest.mark.openbao
MakeSource = Callable[..., CredentialSource]
READ = 'path "{mount}/*" {{ capabilities = ["read"] }}'


def asking(make: MakeSource, bao: OpenBao, secrets: MemorySecrets, mount: str, **kv: Any) -> CredentialSource:
    secrets.secrets["vault"] = {"token": bao.token(READ.format(mount=mount))}
    return make(
        CredentialSettings(acquire_seconds=2.0),
        address=bao.address,
        auth={"tokenRef": {"secret": "vault", "key": "token"}},
        kv={"mount": mount, "path": "backend", **kv},
    )


async def test_the_newest_version_is_read_for_each_session_unless_one_is_named(
    openbao: OpenBao, make_source: MakeSource, secrets: MemorySecrets
) -> None:
    mount, _ = openbao.key_value({"username": "app", "password": "one"})
    newest = asking(make_source, openbao, secrets, mount)
    first = await newest.acquire()
    assert (first.username, first.password.reveal(), first.lease) == ("app", "one", "")
    openbao.write(f"{mount}/data/backend", data={"username": "app", "password": "two"})
    assert (await newest.acquire()).password.reveal() == "two"
    pinned = asking(make_source, openbao, secrets, mount, version=1)
    assert (await pinned.acquire()).password.reveal() == "one"
    await newest.release(first)


async def test_version_1_of_the_engine_is_read_too(
    openbao: OpenBao, make_source: MakeSource, secrets: MemorySecrets
) -> None:
    openbao.write("sys/mounts/old-secrets", type="kv", options={"version": "1"})
    openbao.write("old-secrets/backend", u="app", p="one")
    source = asking(make_source, openbao, secrets, "old-secrets", usernameKey="u", passwordKey="p")
    assert (await source.acquire()).password.reveal() == "one"


async def test_what_is_missing_is_said(
    openbao: OpenBao, make_source: MakeSource, secrets: MemorySecrets
) -> None:
    mount, _ = openbao.key_value({"username": "app", "pass": "very-secret"})
    with pytest.raises(CredentialUnavailable, match="without a text in its key password") as failure:
        await asking(make_source, openbao, secrets, mount).acquire()
    assert "very-secret" not in str(failure.value)
    with pytest.raises(CredentialUnavailable, match="not found"):
        await asking(make_source, openbao, secrets, mount, path="elsewhere").acquire()
    openbao.request("DELETE", f"{mount}/data/backend")
    with pytest.raises(CredentialUnavailable, match="not found"):
        await asking(make_source, openbao, secrets, mount).acquire()
    with pytest.raises(CredentialUnavailable, match="dot segment"):
        await asking(make_source, openbao, secrets, mount, path="../sys/seal").acquire()


async def test_tls_is_verified_by_the_named_authorities_alone(
    make_source: MakeSource, secrets: MemorySecrets
) -> None:
    with openbao_part.running(tls=True) as bao:
        assert bao.ca_file is not None
        setting = {
            "address": bao.address,
            "auth": {"tokenRef": {"secret": "vault", "key": "token"}},
            "kv": {"mount": "secret", "path": "none"},
        }
        secrets.secrets = {
            "vault": {"token": bao.root_token},
            "ca": {"ca.crt": bao.ca_file.read_text(), "broken": "-----BEGIN"},
        }
        brief = CredentialSettings(acquire_seconds=1.0)
        with pytest.raises(CredentialUnavailable, match="certificate that is not trusted"):
            await make_source(brief, **setting).acquire()
        with pytest.raises(CredentialUnavailable, match="not PEM"):
            await make_source(brief, **setting, caRef={"secret": "ca", "key": "broken"}).acquire()
        with pytest.raises(CredentialUnavailable, match="Secret ca has no key other"):
            await make_source(brief, **setting, caRef={"secret": "ca", "key": "other"}).acquire()
        with pytest.raises(CredentialUnavailable, match="not found"):
            await make_source(brief, **setting, caRef={"secret": "ca"}).acquire()

"""What stands between a bundle that came and clients that are served: it goes on, whatever comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from kit.guard_world import READ_ORDERS, bundle_text, connection_document, policy_document
from kit.pki import Authority
from kit.secret_store import MemorySecrets
from tollhouse_core.api import parse_object
from tollhouse_core.policy.bundle import PolicyBundle, build_bundle
from tollhouse_dialects import LANGUAGES
from tollhouse_proxy import main
from tollhouse_proxy.backend_ca import backend_ca
from tollhouse_proxy.guard.in_force import InForce
from tollhouse_proxy.ports.stores import StoreRefused


class Breaking:
    """A BundleStore whose first watch breaks in a way nobody thought of."""

    def __init__(self, *texts: str) -> None:
        self._texts = texts
        self.watches = 0

    async def watch(self) -> AsyncIterator[str]:
        self.watches += 1
        if self.watches == 1:
            raise LookupError("metadata")
        for text in self._texts:
            yield text
        await asyncio.Event().wait()


async def test_bundles_are_followed_on_after_an_error_nobody_thought_of(monkeypatch: Any) -> None:
    monkeypatch.setattr(main, "FOLLOW_AGAIN_SECONDS", 0)
    in_force = InForce(LANGUAGES)
    came = asyncio.Event()
    in_force.listen(lambda _: came.set())
    store = Breaking("no bundle at all", bundle_text(policy_document(READ_ORDERS)))
    following = asyncio.ensure_future(main.follow(store, in_force))
    async with asyncio.timeout(5):
        await came.wait()
    assert store.watches == 2
    assert in_force.problem == ""
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


@pytest.mark.parametrize("text", ["", "  \n", "Autorité", "-----BEGIN CERTIFICATE-----\nnothing"])
async def test_a_ca_secret_without_certificates_is_refused_and_never_means_whom_the_machine_trusts(
    text: str,
) -> None:
    with pytest.raises(StoreRefused, match="expected PEM certificates"):
        await backend_ca(bundle_with_ca(), secret(text))


async def test_a_ca_secret_is_taken_as_it_is(tmp_path: Any) -> None:
    pem = Authority(tmp_path).certificate.read_text()
    assert await backend_ca(bundle_with_ca(), secret(pem)) == pem


def bundle_with_ca() -> PolicyBundle:
    document = connection_document()
    document["spec"]["postgres"]["tls"] = {"caRef": {"secret": "orders-ca", "key": "ca.crt"}}
    made = build_bundle(parse_object(document), [], [], [], LANGUAGES)  # type: ignore[arg-type]
    assert made.bundle is not None, made.problems
    return made.bundle


def secret(text: str) -> MemorySecrets:
    return MemorySecrets({"orders-ca": {"ca.crt": text}})

"""What the endpoint knows of the IdentityProviders: never less than a bundle that is in force."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kit.trusting import API, provider
from tollhouse_core.token_issuer import TokenIssuer
from tollhouse_operator.tokens import proofs as module
from tollhouse_operator.tokens.proofs import Proofs

OURS = TokenIssuer("https://tokens.tollhouse.example", ())
SPEC = {"metadataRef": {"secret": "corp", "key": "idp.xml"}}


class Shelf:
    """An API server with IdentityProviders, that can be slow to answer."""

    def __init__(self) -> None:
        self.names: list[str] = ["first"]
        self.reads = 0
        self.answers = asyncio.Event()
        self.answers.set()

    async def list(self, *_: Any) -> list[dict[str, Any]]:
        self.reads += 1
        found, answers = list(self.names), self.answers
        await answers.wait()
        return [
            {
                "apiVersion": API,
                "kind": "IdentityProvider",
                "metadata": {"name": name},
                "spec": {"saml": SPEC},
            }
            for name in found
        ]


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    monkeypatch.setattr(module, "monotonic", lambda: 1000.0)  # no time passes
    return Shelf()


def of(shelf: Shelf) -> Proofs:
    return Proofs(shelf, "tollhouse-system", ("tollhouse",))  # type: ignore[arg-type]


def named(*names: str) -> list[Any]:
    return [provider(name, saml=SPEC) for name in names]


def known(proofs: Proofs) -> list[str]:
    return [one.name for one in proofs.providers]


async def test_requests_in_a_row_are_one_reading(shelf: Shelf) -> None:
    proofs = of(shelf)
    for _ in range(5):
        await proofs.look(OURS)
    assert (known(proofs), shelf.reads) == (["first"], 1)


async def test_who_is_in_a_bundle_is_known_at_once_and_who_is_gone_is_not(shelf: Shelf) -> None:
    proofs = of(shelf)
    await proofs.look(OURS)
    for names in (["first", "second"], ["second"], []):
        shelf.names = names
        proofs.hear(named(*names))
        await proofs.look(OURS)
        assert known(proofs) == names


async def test_a_bundle_of_what_is_known_already_costs_no_reading(shelf: Shelf) -> None:
    proofs = of(shelf)
    await proofs.look(OURS)
    for _ in range(5):
        proofs.hear(named("first"))
        await proofs.look(OURS)
    assert shelf.reads == 1


async def test_an_answer_from_before_the_news_does_not_count_as_read(shelf: Shelf) -> None:
    proofs = of(shelf)
    await proofs.look(OURS)
    proofs.hear(named("first", "other"))
    quick, held = shelf.answers, asyncio.Event()
    shelf.answers = held
    late = asyncio.ensure_future(proofs.look(OURS))
    await asyncio.sleep(0)
    assert shelf.reads == 2

    shelf.names, shelf.answers = ["first", "second"], quick
    proofs.hear(named("first", "second"))
    await proofs.look(OURS)
    assert known(proofs) == ["first", "second"]
    held.set()
    await late
    assert known(proofs) == ["first", "second"]


async def test_an_answer_that_was_under_way_is_followed_by_another_look(shelf: Shelf) -> None:
    proofs = of(shelf)
    await proofs.look(OURS)
    proofs.hear(named("first", "other"))
    shelf.answers = asyncio.Event()
    late = asyncio.ensure_future(proofs.look(OURS))
    await asyncio.sleep(0)
    shelf.names = ["first", "second"]
    proofs.hear(named("first", "second"))
    shelf.answers.set()
    await late
    await proofs.look(OURS)
    assert known(proofs) == ["first", "second"]

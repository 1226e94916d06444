"""What the API server says about a token, and what is believed of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from kit.clock import SetClock
from tollhouse_core.stores import StoreRefused, StoreUnavailable
from tollhouse_identity.form import Refused
from tollhouse_identity.key_cache import KeysUnavailable
from tollhouse_identity.review import SHARED_SECONDS, TokenReviews

TRIAGE = "system:serviceaccount:agents:triage"
GOOD: dict[str, object] = {
    "authenticated": True,
    "audiences": ["tollhouse"],
    "user": {"username": TRIAGE},
}


class Server:
    """Answers every review with `status`, or fails with `failure`."""

    def __init__(self, status: object = GOOD, failure: Exception | None = None) -> None:
        self.status = status
        self.failure = failure
        self.asked: list[Mapping[str, Any]] = []

    async def get(self, path: str) -> Mapping[str, object]:
        raise AssertionError(path)

    async def create(self, path: str, body: Mapping[str, object]) -> Mapping[str, object]:
        self.asked.append(body)
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        return {"status": self.status}


async def review(server: Server, subject: str = TRIAGE) -> None:
    await TokenReviews(server, SetClock()).require("a.b.c", subject, ["tollhouse"])


async def test_a_token_that_the_api_server_vouches_for_passes() -> None:
    server = Server()
    await review(server)
    assert server.asked[0]["spec"] == {"token": "a.b.c", "audiences": ["tollhouse"]}


@pytest.mark.parametrize(
    "status",
    [
        {},
        GOOD | {"authenticated": False},
        GOOD | {"authenticated": "true"},
        GOOD | {"audiences": []},
        GOOD | {"audiences": ["https://kubernetes.default.svc"]},
        {"authenticated": True, "user": {"username": TRIAGE}},
        GOOD | {"user": {"username": "system:serviceaccount:agents:other"}},
        GOOD | {"user": {}},
        GOOD | {"user": None},
        [],
        "yes",
    ],
    ids=str,
)
async def test_anything_less_than_a_clear_yes_is_a_no(status: object) -> None:
    with pytest.raises(Refused, match="does not vouch"):
        await review(Server(status))


@pytest.mark.parametrize(
    ("failure", "words"),
    [(StoreUnavailable("the token a.b.c"), "cannot be asked now"), (StoreRefused("a.b.c"), "may not ask")],
    ids=["away", "forbidden"],
)
async def test_where_nobody_can_say_it_is_no_refusal_and_tells_nothing_of_the_token(
    failure: Exception, words: str
) -> None:
    with pytest.raises(KeysUnavailable, match=words) as found:
        await review(Server(failure=failure))
    assert "a.b.c" not in str(found.value)
    assert found.value.__context__ is None


async def test_reviews_of_one_token_at_the_same_time_are_one() -> None:
    server, clock = Server(), SetClock()
    reviews = TokenReviews(server, clock)
    await asyncio.gather(*(reviews.require("t", TRIAGE, ["tollhouse"]) for _ in range(50)))
    assert len(server.asked) == 1
    await reviews.require("other", TRIAGE, ["tollhouse"])
    assert len(server.asked) == 2
    clock.advance(SHARED_SECONDS)
    server.status = {}
    with pytest.raises(Refused):
        await reviews.require("t", TRIAGE, ["tollhouse"])
    await reviews.close()

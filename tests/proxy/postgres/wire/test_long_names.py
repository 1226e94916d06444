"""Names of statements and portals as long as the server keeps them, and longer."""

from __future__ import annotations

import pytest

from kit.wire_transcript import (
    BOUND,
    PARSED,
    SYNC,
    Transcript,
    bind,
    done,
    execute,
    parse,
    ready,
    said,
)
from tollhouse_proxy.protocols.postgres.wire import frontend

LONGEST = "a" * 62 + "b"
CUT = LONGEST + "c"
WIDE = "ä" * 32
"""32 characters, 64 bytes."""


@pytest.fixture
def talk() -> Transcript:
    return Transcript().log_in()


@pytest.mark.parametrize("name", [CUT, WIDE])
@pytest.mark.parametrize(
    "message",
    [
        lambda name: parse("SELECT 1", name),
        bind,
        lambda name: bind("known", name),
        lambda name: frontend.Describe("S", name).encode(),
        lambda name: frontend.Describe("P", name).encode(),
        execute,
        lambda name: frontend.Close("S", name).encode(),
        lambda name: frontend.Close("P", name).encode(),
    ],
    ids=["Parse", "Bind S", "Bind P", "Describe S", "Describe P", "Execute", "Close S", "Close P"],
)
def test_a_name_the_server_would_cut_is_refused_and_not_sent(
    talk: Transcript, name: str, message: object
) -> None:
    assert callable(message)
    talk.client(parse("SELECT 1", "known"), SYNC)
    talk.backend(PARSED, ready())
    talk.to_backend(), talk.to_client()
    talk.client(message(name), SYNC)
    assert talk.sent() == "S"
    assert [said(one)["C"] for one in talk.to_client()] == ["42622"]
    talk.backend(ready())
    assert talk.kinds() == "Z"


def test_the_longest_name_the_server_keeps_is_served(talk: Transcript) -> None:
    talk.client(parse("SELECT 1", LONGEST), bind(LONGEST, LONGEST), execute(LONGEST), SYNC)
    assert talk.sent() == "PBES"
    talk.backend(PARSED, BOUND, done("SELECT 1"), ready())
    assert talk.kinds() == "12CZ"

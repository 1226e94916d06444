"""Processes beside the loop: what they answer, and what becomes of those that do not."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from tollhouse_proxy.adapters.aside import workers as pool
from tollhouse_proxy.adapters.aside.workers import COMMAND, Workers
from tollhouse_proxy.ports.aside import Crowded, Shared, TooHard
from tollhouse_proxy.protocols.postgres.sql import CATALOG_QUERIES
from tollhouse_proxy.protocols.postgres.sql.statement import SessionSettings

EMPTY = [pickle.dumps((name, 0)) for name in CATALOG_QUERIES]


def shared(key: str, taken: list[str] | None = None) -> Shared:
    def pieces() -> Iterable[bytes]:
        if taken is not None:
            taken.append(key)
        return EMPTY

    return Shared(key, pieces)


def request(text: str, key: str = "epoch") -> bytes:
    return pickle.dumps((key, "understand", (text, SessionSettings())))


def split(text: str, key: str = "epoch") -> bytes:
    return pickle.dumps((key, "split", (text,)))


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    made = Workers()
    yield made
    await made.close()


async def test_an_answer_is_the_functions_own(workers: Workers) -> None:
    answer = await workers.ask(split("SELECT 1; SELECT 2"), shared("epoch"))
    assert pickle.loads(answer) == ("found", (("SELECT 1", 0), ("SELECT 2", 10)))
    answer = await workers.ask(split("SELECT FROM FROM"), shared("epoch"))
    assert pickle.loads(answer)[0] == "not understood"


async def test_what_is_shared_is_handed_over_once_until_too_much_else_was(workers: Workers) -> None:
    taken: list[str] = []
    for key in ("a", "a", "b", "c", "d", "a", "e", "b"):
        await workers.ask(split("SELECT 1", key), shared(key, taken))
    assert taken == ["a", "b", "c", "d", "e", "b"]


async def test_a_request_that_takes_too_long_ends_its_process_and_no_other() -> None:
    workers = Workers((*COMMAND, "0.3"), most=1)
    try:
        text = "SELECT 1" + " UNION SELECT 1".join(["", *[",1" * 20_000] * 4])
        with pytest.raises(TooHard, match="too much time"):
            await workers.ask(split(text), shared("epoch"))
        assert pickle.loads(await workers.ask(split("SELECT 1"), shared("epoch")))[0] == "found"
    finally:
        await workers.close()


async def test_a_fault_is_no_answer_and_its_words_are_told_to_nobody(
    workers: Workers, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(TooHard):
        await workers.ask(pickle.dumps(("another epoch", "split", ("a secret",))), shared("epoch"))
    assert pickle.loads(await workers.ask(split("SELECT 1"), shared("epoch")))[0] == "found"
    await workers.close()
    assert "secret" not in capfd.readouterr().err


async def test_who_stops_waiting_stops_nothing_else(workers: Workers) -> None:
    first = asyncio.ensure_future(workers.ask(split("SELECT 1"), shared("epoch")))
    while not workers.asked:
        await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert pickle.loads(await workers.ask(split("SELECT 2"), shared("epoch")))[0] == "found"


async def test_a_pool_that_is_closed_while_a_process_is_started_leaves_none_behind() -> None:
    children = Path(f"/proc/{os.getpid()}/task")

    def living() -> set[str]:
        found: set[str] = set()
        for task in children.iterdir():
            with contextlib.suppress(FileNotFoundError):
                found |= set((task / "children").read_text().split())
        return found

    before = living()
    workers = Workers()
    workers.start()
    await asyncio.sleep(0)
    await workers.close()
    assert living() <= before


async def test_a_process_is_not_taken_for_used_up_because_its_proxy_is_large(workers: Workers) -> None:
    ballast = bytearray(500 * 1024 * 1024)
    ballast[::4096] = b"x" * len(ballast[::4096])
    taken: list[str] = []
    for _ in range(2):
        await workers.ask(split("SELECT 1", "a"), shared("a", taken))
    assert taken == ["a"]
    assert len(ballast) > 0


async def test_what_waits_is_bounded(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "MOST_WAITING", 0)
    with pytest.raises(Crowded):
        await workers.ask(split("SELECT 1"), shared("epoch"))
    answer = await workers.ask(split("SELECT 1"), shared("epoch"), patient=True)
    assert pickle.loads(answer)[0] == "found"


async def test_a_process_that_died_while_it_was_idle_is_replaced(workers: Workers) -> None:
    await workers.ask(split("SELECT 1"), shared("epoch"))
    [idle] = workers._idle
    idle.process.kill()
    idle.process.wait()
    assert pickle.loads(await workers.ask(split("SELECT 1"), shared("epoch")))[0] == "found"

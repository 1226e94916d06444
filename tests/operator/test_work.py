"""The queue: nothing is forgotten, nothing runs twice at once, trouble stays with its key."""

from __future__ import annotations

import asyncio
from collections import Counter

from kit.wait import until_async
from tollhouse_operator.work import Work


async def finished(work: Work[str]) -> None:
    async def idle() -> bool:
        return work.idle()

    await until_async(idle, within=5, what="the queue is idle")


async def test_a_key_asked_for_many_times_at_once_is_looked_at_once() -> None:
    seen: Counter[str] = Counter()

    async def look(key: str) -> None:
        seen[key] += 1

    work = Work("test", look)
    for _ in range(10):
        work.add("a")
    work.add("b")
    await finished(work)
    assert seen == {"a": 1, "b": 1}


async def test_a_key_asked_for_while_it_is_in_work_is_looked_at_once_more() -> None:
    seen = 0
    running = 0
    entered, go = asyncio.Event(), asyncio.Event()

    async def look(_: str) -> None:
        nonlocal seen, running
        running += 1
        assert running == 1
        seen += 1
        entered.set()
        await go.wait()
        running -= 1

    work = Work("test", look)
    work.add("a")
    await asyncio.wait_for(entered.wait(), 5)
    work.add("a")
    work.add("a")
    go.set()
    await finished(work)
    assert seen == 2


async def test_a_failure_is_tried_again_and_holds_up_nobody_else() -> None:
    seen: Counter[str] = Counter()

    async def look(key: str) -> None:
        seen[key] += 1
        if key == "bad" and seen["bad"] < 3:
            raise RuntimeError("not yet")

    work = Work("test", look)
    work.add("bad")
    work.add("good")

    async def done() -> bool:
        return seen["bad"] == 3

    await until_async(done, within=5)
    assert seen["good"] == 1
    await work.close()


async def test_work_comes_back_after_the_time_it_asked_for() -> None:
    loop = asyncio.get_running_loop()
    times: list[float] = []

    async def look(_: str) -> float | None:
        times.append(loop.time())
        return 0.1 if len(times) == 1 else None

    work = Work("test", look)
    work.add("a")

    async def twice() -> bool:
        return len(times) == 2

    await until_async(twice, within=5)
    assert times[1] - times[0] >= 0.09
    await work.close()


async def test_a_nearer_time_replaces_a_later_one_and_not_the_other_way_round() -> None:
    seen = asyncio.Event()

    async def look(_: str) -> None:
        seen.set()

    work = Work("test", look)
    work.add("a", 3600)
    work.add("a")
    work.add("a", 3600)
    await asyncio.wait_for(seen.wait(), 5)
    await work.close()


async def test_only_so_many_run_at_once() -> None:
    running = most = 0

    async def look(_: str) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    work = Work("test", look, at_once=3)
    for number in range(20):
        work.add(str(number))
    await finished(work)
    assert most == 3


async def test_nothing_starts_after_the_end() -> None:
    seen: list[str] = []

    async def look(key: str) -> None:
        seen.append(key)

    work = Work("test", look)
    work.add("a", 0.01)
    await work.close()
    work.add("b")
    await asyncio.sleep(0.03)
    assert seen == []

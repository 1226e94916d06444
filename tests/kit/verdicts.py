"""Verdicts of a `guard_world.World`, waited for."""

from __future__ import annotations

import asyncio
from typing import Any

from kit.guard_world import World, no_facts
from tollhouse_core.decision import Permitted, Refused
from tollhouse_proxy.guard.session import SessionJudge


def judged(world: World, judge: SessionJudge, operation: Any) -> Permitted | Refused:
    verdict = judge.judge(operation, no_facts, world.waiting)
    assert isinstance(verdict, Permitted | Refused)
    return verdict


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


async def awaited(verdict: Any) -> Any:
    return await verdict

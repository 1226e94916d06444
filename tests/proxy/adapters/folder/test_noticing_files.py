"""Noticing that files were replaced: by one timer, however many wait."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tollhouse_proxy.adapters.folder import files
from tollhouse_proxy.adapters.folder.files import changes, replace_file


async def test_each_waits_for_its_own_file_and_learns_of_every_change(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}" for number in range(50)]
    watches = [changes(path) for path in paths]
    assert [await anext(one) for one in watches] == [False] * 50
    waiting = [asyncio.ensure_future(anext(one)) for one in watches]
    replace_file(paths[7], b"one")
    assert await asyncio.wait_for(waiting[7], 60) is True
    assert [number for number, one in enumerate(waiting) if one.done()] == [7]
    replace_file(paths[7], b"two")  # while nobody looks
    assert await asyncio.wait_for(anext(watches[7]), 60) is True
    paths[7].unlink()
    assert await asyncio.wait_for(anext(watches[7]), 60) is False
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_one_that_leaves_takes_nobody_along_and_an_edit_in_place_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "request"
    path.write_text("a")
    stays, leaves = changes(path), changes(path)
    assert await anext(stays)
    assert await anext(leaves)
    kept, gone = (asyncio.ensure_future(anext(one)) for one in (stays, leaves))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    path.write_text("longer")
    assert await asyncio.wait_for(kept, 60) is True


async def test_two_hundred_who_wait_need_one_timer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    armed: list[float] = []
    real = loop.call_later

    def counted(delay: float, *rest: Any, **more: Any) -> asyncio.TimerHandle:
        armed.append(delay)
        return real(delay, *rest, **more)

    monkeypatch.setattr(loop, "call_later", counted)
    monkeypatch.setattr(files, "POLL_SECONDS", 3600.0)
    watches = [changes(tmp_path / f"{number}") for number in range(200)]
    for one in watches:
        await anext(one)
    waiting = [asyncio.ensure_future(anext(one)) for one in watches]
    await asyncio.sleep(0)
    assert armed == [3600.0]
    for pending in waiting:
        pending.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)

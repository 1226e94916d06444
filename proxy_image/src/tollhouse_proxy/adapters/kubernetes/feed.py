"""One watch for all requests of a Connection, however many statements wait.

Every watch is a connection to the API server; a thousand waiting statements must not be a thousand
of them. The feed only wakes those who follow a request; they read it themselves, so what they see
is never older than what they have seen.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field

from tollhouse_proxy.adapters.kubernetes.client import Api, Document, Expired
from tollhouse_proxy.adapters.kubernetes.watching import BackOff, Troubled, read_one, version_of
from tollhouse_proxy.ports.stores import StoreRefused, StoreUnavailable

LOOK_ANYWAY_SECONDS = 60.0
"""Somebody may take away the label by which the feed sees an object."""
_GONE = ""


@dataclass(slots=True, eq=False)
class _Follower:
    """`hint`: the version last heard of; _GONE when the feed no longer sees the object."""

    hint: str | None = None
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self, hint: str) -> None:
        self.hint = hint
        self.woken.set()

    async def news(self, seen: str) -> None:
        """Returns when there may be another version than `seen`, and from time to time anyway."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_ANYWAY_SECONDS):
                while True:
                    await self.woken.wait()
                    self.woken.clear()
                    if self.hint != seen:
                        return


class Feed:
    """Follows objects of `collection` that match `selector`. Watches only while somebody follows."""

    def __init__(self, api: Api, collection: str, selector: str, troubled: Troubled) -> None:
        self._api = api
        self._collection = collection
        self._selector = selector
        self._troubled = troubled
        self._followers: dict[str, set[_Follower]] = {}
        self._task: asyncio.Task[None] | None = None

    async def follow(self, name: str) -> AsyncGenerator[Document, None]:
        """The object now and after every change; ends when it is gone."""
        follower = self._join(name)
        try:
            seen = ""
            back_off = BackOff()
            while True:
                try:
                    now = await read_one(self._api, self._collection, name)
                except (StoreUnavailable, StoreRefused) as error:
                    self._troubled(str(error))
                    await back_off.wait()
                    continue
                back_off.reset()
                if now is None:
                    return
                if version_of(now) != seen:
                    seen = version_of(now)
                    yield now
                await follower.news(seen)
        finally:
            await self._leave(name, follower)

    def _join(self, name: str) -> _Follower:
        follower = _Follower()
        self._followers.setdefault(name, set()).add(follower)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run(), name=f"feed of {self._selector}")
        return follower

    async def _leave(self, name: str, follower: _Follower) -> None:
        self._followers[name].discard(follower)
        if not self._followers[name]:
            del self._followers[name]
        if not self._followers and self._task is not None:
            task, self._task = self._task, None
            task.cancel()
            await asyncio.wait([task])

    async def _run(self) -> None:
        back_off = BackOff()
        while True:
            began = asyncio.get_running_loop().time()
            try:
                await self._watch(await self._list())
            except Expired:
                pass
            except (StoreUnavailable, StoreRefused) as error:
                self._troubled(str(error))
            back_off.heard(began)
            await back_off.wait()

    async def _list(self) -> str:
        """Wakes everybody whose object is another than they know. Returns the list's version."""
        asked = {name: tuple(followers) for name, followers in self._followers.items()}
        found = await self._api.get(self._collection, labelSelector=self._selector)
        versions = {item["metadata"]["name"]: version_of(item) for item in found.get("items") or ()}
        for name, followers in asked.items():
            for follower in followers:
                follower.wake(versions.get(name, _GONE))
        return version_of(found)

    async def _watch(self, version: str) -> None:
        changes = self._api.watch(self._collection, labelSelector=self._selector, resourceVersion=version)
        async with aclosing(changes):
            async for kind, found in changes:
                if kind == "BOOKMARK":
                    continue
                hint = version_of(found) if kind != "DELETED" else _GONE
                for follower in tuple(self._followers.get(found["metadata"]["name"], ())):
                    follower.wake(hint)

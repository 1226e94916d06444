"""Watches that never end by themselves."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from tollhouse_proxy.adapters.kubernetes.client import Api, Document, Expired, NotFound
from tollhouse_proxy.ports.stores import StoreRefused, StoreUnavailable

FIRST_DELAY_SECONDS = 0.1
LAST_DELAY_SECONDS = 10.0
SHORT_WATCH_SECONDS = 5.0

Troubled = Callable[[str], None]
"""Called with one line when a watch is cut, for the log."""


class BackOff:
    """Waits longer after each failure in a row, never the same time for all proxies at once."""

    def __init__(self, first: float = FIRST_DELAY_SECONDS, last: float = LAST_DELAY_SECONDS) -> None:
        self._first = first
        self._last = last
        self._next = first

    def reset(self) -> None:
        """Something worked."""
        self._next = self._first

    def heard(self, since: float) -> None:
        """Something worked, and has worked since that time of the loop: resets only if that was long
        enough, so that a server which ends watches at once is not hammered."""
        if asyncio.get_running_loop().time() - since >= SHORT_WATCH_SECONDS:
            self.reset()

    async def wait(self) -> None:
        """Half to the whole of the current delay; then doubles it."""
        delay = self._next * (0.5 + random.random() / 2)  # noqa: S311 - spreads load, guards nothing
        self._next = min(self._next * 2, self._last)
        await asyncio.sleep(delay)


async def watch_one(
    api: Api, collection: str, name: str, troubled: Troubled
) -> AsyncGenerator[Document | None, None]:
    """The object `name` of `collection` now and after every change; None when it is not there.

    Each (re)connection reads the object first, so nothing that happened in between is missed
    for good. Needs only `get` and `watch` on that one name: the field selector is what makes
    RBAC's resourceNames apply to a watch.
    """
    back_off = BackOff()
    seen: str | None = None
    first = True
    while True:
        try:
            now = await read_one(api, collection, name)
            version = version_of(now) if now is not None else None
            if first or version != seen:
                yield now
            first, seen = False, version
            began = asyncio.get_running_loop().time()
            query = {"fieldSelector": f"metadata.name={name}"}
            if version is not None:
                query["resourceVersion"] = version
            async with aclosing(api.watch(collection, **query)) as events:
                async for kind, found in events:
                    if kind == "BOOKMARK":
                        continue
                    back_off.reset()
                    version = version_of(found) if kind != "DELETED" else None
                    if version != seen:
                        seen = version
                        yield found if version is not None else None
            back_off.heard(began)
            await back_off.wait()
        except Expired:
            await back_off.wait()
        except (StoreUnavailable, StoreRefused) as error:
            troubled(str(error))
            await back_off.wait()


async def read_one(api: Api, collection: str, name: str) -> Document | None:
    """The object as it is now; None when it is not there."""
    try:
        return await api.get(f"{collection}/{name}")
    except NotFound:
        return None


def version_of(document: Document) -> str:
    """metadata.resourceVersion: to compare for equality, nothing else."""
    return str(document["metadata"]["resourceVersion"])

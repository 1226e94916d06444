"""Asking the API server whether a ServiceAccount token still counts (authentication.k8s.io/v1).

A signature says that a token was good; only the API server knows whether the pod, node or account it
is bound to is still there. Asked in addition to everything else, never instead.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence

from tollhouse_core.clock import Clock
from tollhouse_core.stores import StoreRefused, StoreUnavailable
from tollhouse_identity.discovery import ApiServer
from tollhouse_identity.form import Refused
from tollhouse_identity.key_cache import KeysUnavailable

PATH = "/apis/authentication.k8s.io/v1/tokenreviews"
AGAIN_SECONDS = 15.0
"""How often a session's token is reviewed. The API server itself may answer from 10 s ago."""
SHARED_SECONDS = 1.0
"""Reviews of one token within this time are one."""
_KEPT = 1024
_GONE = "the API server does not vouch for this token: its pod, ServiceAccount or Secret may be gone"


class TokenReviews:
    """Reviews by this proxy's own account."""

    def __init__(self, server: ApiServer, clock: Clock) -> None:
        self._server = server
        self._clock = clock
        self._asked: dict[bytes, tuple[float, asyncio.Task[str]]] = {}

    async def require(self, token: str, subject: str, audiences: Sequence[str]) -> None:
        """Raises Refused where the token counts no more, KeysUnavailable where nobody can say."""
        name = await asyncio.shield(self._review(token, tuple(sorted(audiences))))
        if name != subject:
            raise Refused(_GONE)

    def _review(self, token: str, audiences: tuple[str, ...]) -> asyncio.Task[str]:
        now = self._clock.monotonic()
        key = hashlib.sha256(repr((token, audiences)).encode()).digest()
        known = self._asked.get(key)
        if known is not None and now - known[0] < SHARED_SECONDS:
            return known[1]
        if len(self._asked) >= _KEPT:
            self._asked = {
                one: asked for one, asked in self._asked.items() if now - asked[0] < SHARED_SECONDS
            }
        task = asyncio.create_task(self._ask(token, audiences), name="token review")
        task.add_done_callback(_noticed)
        self._asked[key] = (now, task)
        return task

    async def _ask(self, token: str, audiences: tuple[str, ...]) -> str:
        """The user name that the API server gives the token; "" for none."""
        spec = {"token": token, "audiences": list(audiences)}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}
        problem = ""
        try:
            answer = await self._server.create(PATH, body)
        except StoreUnavailable:
            problem = "the API server cannot be asked now whether this token still counts"
        except StoreRefused:
            problem = "this proxy may not ask the API server whether tokens still count (tokenReview.enabled)"
        if problem:  # raised here, so that no error with the request in it goes along
            raise KeysUnavailable(problem)
        return _name_in(answer, audiences)

    async def close(self) -> None:
        """Ends reviews under way."""
        tasks = [task for _, task in self._asked.values() if not task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _name_in(answer: Mapping[str, object], audiences: tuple[str, ...]) -> str:
    status = answer.get("status")
    if not isinstance(status, dict) or status.get("authenticated") is not True:
        return ""
    meant = status.get("audiences")
    user = status.get("user")
    if not isinstance(meant, list) or not set(audiences) & {str(one) for one in meant}:
        return ""  # an API server that knows no audiences would take any token
    name = user.get("username") if isinstance(user, dict) else None
    return name if isinstance(name, str) else ""


def _noticed(task: asyncio.Task[str]) -> None:
    """Nobody may be left to hear of its failure."""
    if not task.cancelled():
        task.exception()

"""The HTTPS server that the API server calls, and its certificate."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

from aiohttp import web

from tollhouse_operator.admission.answer import Answer, BadReview, Request, read_review, write_review
from tollhouse_operator.authority import Authority
from tollhouse_operator.serving_tls import ServingTls

log = logging.getLogger(__name__)

LARGEST_REVIEW_BYTES = 8 * 1024 * 1024
Judge = Callable[[Request], Awaitable[Answer]]


class AdmissionServer:
    """Serves `POST /validate` and `POST /votes`. A review that cannot be judged is refused."""

    def __init__(self, host: str, port: int, names: tuple[str, ...], validate: Judge, votes: Judge) -> None:
        self._host = host
        self._port = port
        self._tls = ServingTls("admission", names)
        self._runner: web.AppRunner | None = None
        self._app = web.Application(client_max_size=LARGEST_REVIEW_BYTES)
        self._app.router.add_post("/validate", _handler(validate))
        self._app.router.add_post("/votes", _handler(votes))
        self.port = port

    def renew(self, authority: Authority, now: datetime) -> None:
        """See `ServingTls.renew`."""
        self._tls.renew(authority, now)

    async def start(self) -> None:
        """Listens; `port` is then the port in use. Needs `renew` first."""
        assert self._tls.ready
        self._runner = web.AppRunner(self._app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port, ssl_context=self._tls.context)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Ends requests under way (bounded), then stops listening."""
        if self._runner is not None:
            await self._runner.cleanup()


def _handler(judge: Judge) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        try:
            asked = read_review(await request.read())
        except BadReview as error:
            return web.json_response({"message": str(error)}, status=400)
        try:
            answer = await judge(asked)
        except Exception:
            # Fail closed, and say so without showing anything of the object.
            log.exception("%s %s/%s could not be judged", asked.kind, asked.namespace, asked.name)
            answer = Answer(False, "Tollhouse could not judge this now; try again in a moment")
        return web.json_response(write_review(asked.uid, answer))

    return handle

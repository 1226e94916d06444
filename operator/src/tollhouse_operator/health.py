"""What the node asks the operator: /healthz (the loop runs), /readyz (the cluster is being watched)."""

from __future__ import annotations

import asyncio

from aiohttp import web


async def serve_health(port: int, ready: asyncio.Event) -> web.AppRunner:
    """Listens on every address; `cleanup()` of what is returned ends it."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n") if ready.is_set() else web.Response(status=503, text="starting\n")

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", port).start()  # noqa: S104 - probes come from the node
    return runner

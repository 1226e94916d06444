"""The small HTTP server beside the data path: /healthz, /readyz and /metrics.

Metrics are plain integers of the guard, read when somebody asks, so that the hot path pays for
an increment only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tollhouse_proxy.guard.counters import Counters
from tollhouse_proxy.guard.in_force import InForce
from tollhouse_proxy.kits import kernel


class _GuardCollector(Collector):
    """The guard's counters as Prometheus families."""

    def __init__(self, counters: Counters, in_force: InForce) -> None:
        self._counters = counters
        self._in_force = in_force

    def collect(self) -> Iterable[Metric]:
        counters = self._counters
        yield GaugeMetricFamily("tollhouse_sessions", "Sessions open now", counters.sessions_open)
        yield CounterMetricFamily("tollhouse_sessions_opened", "Sessions opened", counters.sessions_opened)
        yield CounterMetricFamily("tollhouse_sessions_refused", "Sessions refused", counters.sessions_refused)
        yield CounterMetricFamily(
            "tollhouse_credentials_refused",
            "Credentials that the backend did not accept",
            counters.credentials_refused,
        )
        yield CounterMetricFamily("tollhouse_rows", "Rows sent to clients", counters.rows)
        yield CounterMetricFamily("tollhouse_bytes", "Bytes of rows sent to clients", counters.bytes)
        operations = CounterMetricFamily(
            "tollhouse_operations", "Operations by decision", labels=["decision"]
        )
        for decision, count in sorted(counters.operations.items()):
            operations.add_metric([decision], count)
        yield operations
        matched = CounterMetricFamily(
            "tollhouse_rule_matches", "Operations a rule met, by what it did", labels=["rule", "effect"]
        )
        for rule, effects in sorted(counters.matched().items()):
            for effect, count in sorted(effects.items()):
                matched.add_metric([rule, effect], count)
        yield matched
        info = GaugeMetricFamily("tollhouse_policy_info", "The bundle in force", labels=["revision"])
        info.add_metric([self._in_force.revision], 1)
        yield info
        served = GaugeMetricFamily(
            "tollhouse_kernel_info", "Which implementation of the kernel serves", labels=["implementation"]
        )
        served.add_metric(["compiled" if kernel.COMPILED else "python"], 1)
        yield served


class StatusServer:
    """Serves liveness, readiness and metrics until closed."""

    def __init__(self, counters: Counters, in_force: InForce, ready: Callable[[], str]) -> None:
        """`ready` answers "" when clients can be served, else why not."""
        self._registry = CollectorRegistry()
        self._registry.register(_GuardCollector(counters, in_force))
        self._ready = ready
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> int:
        """Listens; returns the port. Raises OSError when the address cannot be had."""
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        address = self._runner.addresses[0]
        return int(address[1])

    async def close(self) -> None:
        """Stops listening."""
        if self._runner:
            await self._runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        reason = self._ready()
        return web.Response(text=(reason or "ok") + "\n", status=503 if reason else 200)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": METRICS_TYPE})


METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

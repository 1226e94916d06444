"""One proxy process: settings in, adapters behind ports, the runtime in the middle.

Read `serve` as the table of contents: nothing is opened to clients before a bundle is in force.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from uuid import uuid4

import uvloop

from tollhouse_core.policy.limits import LimitBook
from tollhouse_dialects import LANGUAGES
from tollhouse_proxy.adapters.audit.lines import FileOutput, LineOutput, standard_output
from tollhouse_proxy.adapters.audit.signing import BadSigningKey, load_signer
from tollhouse_proxy.adapters.audit.sinks import AuditSinks, UnsupportedSink, outputs_for
from tollhouse_proxy.adapters.clock import SystemClock
from tollhouse_proxy.adapters.status import StatusServer
from tollhouse_proxy.adapters.stores import open_stores
from tollhouse_proxy.guard.counters import Counters
from tollhouse_proxy.guard.gate import Gate
from tollhouse_proxy.guard.house import House
from tollhouse_proxy.guard.in_force import InForce
from tollhouse_proxy.inspecting import Circumstances, Inspector
from tollhouse_proxy.ports.stores import BundleStore, StoreRefused
from tollhouse_proxy.reporting import Reporter
from tollhouse_proxy.serving import Serving
from tollhouse_proxy.settings import BadSettings, Settings, read_settings
from tollhouse_proxy.undumped import keep_memory_private

log = logging.getLogger("tollhouse.proxy")

EXIT_CONFIGURATION = 2
FOLLOW_AGAIN_SECONDS = 1.0


def main(arguments: Sequence[str]) -> int:
    """The process. 0 after a clean stop, 2 when it cannot be configured."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    keep_memory_private()
    if arguments[:1] == ["explain"]:
        from tollhouse_proxy.explaining.command import main as explain  # a proxy has no use for it

        return explain(arguments[1:])
    if arguments:
        print(f"unknown argument {arguments[0]!r}: settings are read from TOLLHOUSE_*", file=sys.stderr)  # noqa: T201
        return EXIT_CONFIGURATION
    return run(os.environ)


def run(environment: Mapping[str, str]) -> int:
    """Serves until SIGTERM or SIGINT."""
    try:
        settings = read_settings(environment)
        uvloop.run(serve(settings))
    except (BadSettings, BadSigningKey, UnsupportedSink, StoreRefused) as error:
        log.error("%s", error)
        return EXIT_CONFIGURATION
    except OSError as error:
        # asyncio's words about a port that is taken name it; a file's error needs its name.
        where = f"{error.filename}: " if error.filename else ""
        log.error("%s%s", where, error.strerror or error)
        return EXIT_CONFIGURATION
    return 0


async def serve(settings: Settings) -> None:
    """From the first bundle to the last session."""
    stop = _stop_signal()
    in_force, counters, stores = InForce(LANGUAGES), Counters(), open_stores(settings)
    serving: Serving | None = None
    status = StatusServer(counters, in_force, lambda: serving.trouble if serving else "no bundle yet")
    await status.start(settings.health.host, settings.health.port)
    following = asyncio.create_task(follow(stores.bundles, in_force))
    try:
        if not await _first_bundle(in_force, stop):
            return
        sink = _audit(settings, in_force)
        clock = SystemClock()
        house = House(in_force, stores.approvals, sink, clock, LimitBook(), counters, settings.instance)
        serving = Serving(settings, stores, house, Gate(house), sink)
        inspector = Inspector(Circumstances(lambda: serving.standing, serving.credentials, clock))
        reporter = Reporter(
            settings.instance, in_force, counters, stores.reports, serving, lambda: inspector.found
        )
        in_force.listen(lambda _: inspector.moved())
        try:
            await serving.start()
            async with reporter, asyncio.TaskGroup() as beside:
                inspecting = beside.create_task(inspector.inspect_on())
                await stop.wait()
                inspecting.cancel()
                log.info("stopping: sessions are ended within %g seconds", settings.drain_seconds)
                await serving.drain()
        finally:
            await serving.close()
            await sink.close()
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await stores.close()
        await status.close()


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def follow(bundles: BundleStore, in_force: InForce) -> None:
    """Takes every bundle that comes; a bad one is told and changes nothing. Never ends: a proxy that
    had stopped listening would enforce yesterday's policies and look well."""
    while True:
        try:
            async for text in bundles.watch():
                _offer(text, in_force)
        except Exception as error:
            log.error("bundles could not be followed (%s: %s); once more", type(error).__name__, error)
        await asyncio.sleep(FOLLOW_AGAIN_SECONDS)


def _offer(text: str, in_force: InForce) -> None:
    if in_force.offer(text):
        log.info("bundle %s is in force", in_force.revision)
    elif in_force.problem:
        log.error("a bundle was not taken, %s stays: %s", in_force.revision or "none", in_force.problem)


async def _first_bundle(in_force: InForce, stop: asyncio.Event) -> bool:
    """Waits for a bundle; False when the process is told to stop before one came."""
    came = asyncio.Event()
    forget = in_force.listen(lambda _: came.set())
    try:
        if in_force.bundle is None:
            log.info("waiting for a bundle; nobody is served before")
            waits = [asyncio.create_task(came.wait()), asyncio.create_task(stop.wait())]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
        return in_force.bundle is not None
    finally:
        forget()


def _audit(settings: Settings, in_force: InForce) -> AuditSinks:
    """Stdout and the file of the settings, and the AuditSinks the Connection names.

    A later change of the Connection's sinks takes effect when the proxy starts anew (the operator
    rolls it); `whenUnavailable` takes effect at once.
    """
    assert in_force.bundle is not None
    bundle = in_force.bundle
    named = {
        sink.name: sink.spec for sink in bundle.sinks if not (sink.spec.stdout and settings.audit_stdout)
    }
    outputs: list[LineOutput] = outputs_for(named)
    if settings.audit_stdout:
        outputs.append(standard_output())
    if settings.audit_file:
        outputs.append(FileOutput(settings.audit_file, settings.audit_file_bytes))
    if not outputs:
        raise BadSettings("no audit output: set TOLLHOUSE_AUDIT_FILE, or let TOLLHOUSE_AUDIT_STDOUT be true")
    signer = load_signer(settings.audit_key_file) if settings.audit_key_file else None
    sink = AuditSinks(
        outputs,
        writer=f"{settings.instance}/{uuid4().hex}",
        signer=signer,
        spool_folder=settings.audit_spool,
    )
    sink.configure(bundle.connection.spec.audit.when_unavailable)
    in_force.listen(lambda changed: sink.configure(changed.connection.spec.audit.when_unavailable))
    return sink

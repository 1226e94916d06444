"""`tollhouse up` and `tollhouse demo`: a folder in the place of a cluster."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tollhouse_operator.cli.errors import CommandFailed, Exit
from tollhouse_operator.cli.folders import existing
from tollhouse_operator.cli.output import Output

if TYPE_CHECKING:
    from tollhouse_operator.standalone.supervisor import Supervisor

QUICKSTART = Path("examples/quickstart")


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Declares both commands."""
    up = commands.add_parser(
        "up",
        parents=[common],
        help="run the Connections of a folder, without a cluster",
        description="Watches DIR/*.yaml, compiles policies, and runs one proxy for each Connection on "
        "loopback until Ctrl-C. Everything it keeps is in DIR/state.",
    )
    up.add_argument("dir", metavar="DIR", type=Path)
    up.set_defaults(run=run_up)
    demo = commands.add_parser(
        "demo",
        parents=[common],
        help="the quickstart: stays up on a terminal, else plays the tour",
        description="On a terminal: as `tollhouse up`, and says what to type. Without one, with --tour or "
        "with TOUR=1: plays the tour in a copy of DIR, fails loudly if a step differs, and ends.",
    )
    demo.add_argument("dir", metavar="DIR", type=Path, nargs="?", default=QUICKSTART)
    demo.add_argument("--tour", action="store_true", help="play the tour and end")
    demo.set_defaults(run=run_demo)


def run_up(given: argparse.Namespace, output: Output) -> Exit:
    """Stays until it is told to stop."""
    return asyncio.run(_up(existing(given.dir).root, output))


def run_demo(given: argparse.Namespace, output: Output) -> Exit:
    """Stays up on a terminal, or plays the tour."""
    root = existing(given.dir).root
    if given.tour or os.environ.get("TOUR") == "1" or not sys.stdout.isatty():
        return asyncio.run(_tour(root, output))
    return asyncio.run(_up(root, output))


async def _tour(root: Path, output: Output) -> Exit:
    from tollhouse_operator.standalone.tour import play

    playing = asyncio.create_task(play(root, output.line))
    _on_signals(playing.cancel)
    try:
        return Exit.OK if await playing else Exit.NO
    except asyncio.CancelledError:
        raise CommandFailed("the tour was interrupted") from None


def _on_signals(callback: Callable[[], object]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, callback)


async def _started(supervisor: Supervisor, stop: asyncio.Event) -> bool:
    """False when Ctrl-C came before everything was up."""
    starting = asyncio.create_task(supervisor.start())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not starting.done():
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        return False
    starting.result()
    return True


async def _up(root: Path, output: Output) -> Exit:
    from tollhouse_dialects import LANGUAGES
    from tollhouse_operator.certificates import BadKeyPair
    from tollhouse_operator.standalone.embedded import EmbeddedFailed
    from tollhouse_operator.standalone.issuer import IssuerError
    from tollhouse_operator.standalone.supervisor import AlreadyRunning, Supervisor
    from tollhouse_operator.standalone.welcome import welcome

    stop = asyncio.Event()
    _on_signals(stop.set)
    supervisor = Supervisor(root, LANGUAGES, output.line)
    try:
        if not await _started(supervisor, stop):
            return Exit.OK
        for line in welcome(supervisor):
            output.line(line)
        output.document(
            {"/".join(key): {"port": proxy.ports.client} for key, proxy in supervisor.proxies.items()}
        )
        await supervisor.run(stop)
        output.line("stopping")
    except (AlreadyRunning, BadKeyPair, EmbeddedFailed, IssuerError) as error:
        raise CommandFailed(str(error), Exit.UNAVAILABLE) from error
    finally:
        await supervisor.stop()
    return Exit.OK

"""One proxy process for each Connection: started, watched, started again when it dies."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tollhouse_operator.compiling import Key
from tollhouse_operator.standalone.children import Child, start_child
from tollhouse_operator.standalone.embedded import is_free
from tollhouse_operator.standalone.layout import Folder

LOOPBACK = "127.0.0.1"
DRAIN_SECONDS = 3.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_HANDED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "VIRTUAL_ENV", "TOLLHOUSE_LOG_LEVEL")

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Ports:
    """Where clients connect, and where health and metrics are asked for; both on loopback. `wanted`
    is what the Connection asks for; somebody else may have it."""

    wanted: int
    client: int
    health: int


class Proxy:
    """The proxy of one Connection."""

    def __init__(
        self, folder: Folder, key: Key, tls: Path, choose_ports: Callable[[], Ports], tell: Tell
    ) -> None:
        self.key = key
        self.ports = choose_ports()
        self._choose_ports = choose_ports
        self._folder = folder
        self._tls = tls
        self._tell = tell
        self._child: Child | None = None
        self._keeping: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process id now; None between two lives."""
        return self._child.pid if self._child is not None and self._child.running else None

    def start(self) -> None:
        """Starts it and keeps it running from now on."""
        self._keeping = asyncio.create_task(self._keep(), name=f"proxy {self.key[1]}")

    async def stop(self) -> None:
        """Ends it: running statements may go on for some seconds."""
        if self._keeping is not None:
            self._keeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeping
        if self._child is not None:
            await self._child.stop(DRAIN_SECONDS + 2)

    async def ready(self, seconds: float) -> bool:
        """Whether it takes clients within so many seconds."""
        end = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < end:
            if await answers(self.ports.health, "/readyz"):
                return True
            await asyncio.sleep(0.05)
        return False

    async def _keep(self) -> None:
        namespace, connection = self.key
        pause = _FIRST_PAUSE
        while True:
            started = asyncio.get_running_loop().time()
            if not (is_free(self.ports.client) and is_free(self.ports.health)):
                # Somebody took a port while the proxy was starting, or between two lives of it.
                self.ports = self._choose_ports()
                self._tell(f"{connection} is served on port {self.ports.client} now")
            try:
                self._child = await start_child(
                    [sys.executable, "-m", "tollhouse_proxy"],
                    environment=self._environment(),
                    log=self._folder.log(namespace, connection),
                )
                status = await self._child.wait()
                words = self._child.last_words(1)
                self._tell(f"proxy of {connection} ended with {status}, starting it again: {words}")
            except OSError as error:
                self._tell(f"proxy of {connection} cannot be started: {error}")
            if asyncio.get_running_loop().time() - started > _LONGEST_PAUSE:
                pause = _FIRST_PAUSE
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _environment(self) -> dict[str, str]:
        """The names are those of `tollhouse_proxy.settings`. Nothing secret is among them."""
        namespace, connection = self.key
        handed_on = {name: os.environ[name] for name in _HANDED_ON if name in os.environ}
        return {
            **handed_on,
            "TOLLHOUSE_STORE": "folder",
            "TOLLHOUSE_FOLDER": str(self._folder.root),
            "TOLLHOUSE_NAMESPACE": namespace,
            "TOLLHOUSE_CONNECTION": connection,
            "TOLLHOUSE_INSTANCE": f"{connection}-local",
            "TOLLHOUSE_LISTEN": f"{LOOPBACK}:{self.ports.client}",
            "TOLLHOUSE_HEALTH": f"{LOOPBACK}:{self.ports.health}",
            "TOLLHOUSE_TLS_DIR": str(self._tls),
            "TOLLHOUSE_AUDIT_FILE": str(self._folder.audit_file(namespace, connection)),
            "TOLLHOUSE_AUDIT_STDOUT": "false",
            "TOLLHOUSE_AUDIT_KEY_FILE": str(self._folder.audit_key),
            "TOLLHOUSE_MASK_KEY_FILE": str(self._folder.mask_key),
            "TOLLHOUSE_ACCESSORS": str(self._folder.state / "accessors"),
            "TOLLHOUSE_DRAIN_SECONDS": f"{DRAIN_SECONDS:g}",
        }


async def answers(port: int, path: str) -> bool:
    """Whether a GET of `path` on loopback answers 200."""
    try:
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        line = await asyncio.wait_for(reader.readline(), 2)
    except (OSError, TimeoutError, ValueError):
        return False
    finally:
        writer.close()
    return b" 200 " in line

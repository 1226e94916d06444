"""What `tollhouse up` does: keeps what runs in step with what the folder says."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from tollhouse_core.api.approval_request import ApprovalRequest
from tollhouse_core.api.connection import Connection
from tollhouse_operator.compiling import Key, kept_in_force
from tollhouse_operator.manifests.naming import client_port
from tollhouse_operator.standalone.compiled import Compiled, compile_files
from tollhouse_operator.standalone.databases import Databases
from tollhouse_operator.standalone.documents import Complaint, Files, read_folder, yaml_files
from tollhouse_operator.standalone.embedded import free_port
from tollhouse_operator.standalone.issuer import LocalIssuer
from tollhouse_operator.standalone.keys import ensure_keys, ensure_serving_certificate
from tollhouse_operator.standalone.layout import Folder, replace_file
from tollhouse_operator.standalone.proxies import Ports, Proxy, Tell
from tollhouse_operator.standalone.requests import RequestFolder
from tollhouse_operator.standalone.tending import Tending

POLL_SECONDS = 0.2
READY_SECONDS = 30.0
RENEW_SECONDS = 3600.0
_PRIVILEGED_BELOW, _MOVED_BY = 1024, 10000


class AlreadyRunning(Exception):
    """Another `tollhouse up` has this folder."""


class Supervisor:
    """Runs a folder. `tell` gets a line for people whenever something changed."""

    def __init__(self, root: Path, languages: Mapping[str, Any], tell: Tell) -> None:
        self.folder = Folder(root.resolve())
        self.compiled = Compiled()
        self.proxies: dict[Key, Proxy] = {}
        self._languages = languages
        self._tell = tell
        self._databases = Databases(self.folder)
        self._tending = Tending(RequestFolder(self.folder.approvals))
        self._stamps: object = None
        self._complaints: tuple[Complaint, ...] = ()
        self._lock = -1
        self._renew_at = 0.0
        self._running: object = None

    async def start(self) -> None:
        """Brings everything up. Raises AlreadyRunning, OSError, BadKeyPair, IssuerError."""
        self.folder.prepare()
        self._lock = _lock(self.folder)
        ensure_keys(self.folder, _now())
        LocalIssuer(self.folder.issuer)
        await self._look_at_files()
        # A proxy without a bundle waits for one, and there is no use in waiting with it.
        served = [proxy for proxy in self.proxies.values() if self.folder.bundle(*proxy.key).exists()]
        ready = await asyncio.gather(*(proxy.ready(READY_SECONDS) for proxy in served))
        for proxy, is_ready in zip(served, ready, strict=True):
            if not is_ready:
                self._tell(f"{proxy.key[1]}: not ready yet; see {self.folder.log(*proxy.key)}")
        self._write_running()

    async def run(self, stop: asyncio.Event) -> None:
        """Follows every change until `stop` is set."""
        while not stop.is_set():
            try:
                await self._look_at_files()
                self._renew_certificates()
                self._write_running()
                for request in await asyncio.to_thread(self._tending.look, _now()):
                    self._tell(_request_line(request))
            except OSError as error:
                self._tell(f"{error.filename or self.folder.root}: {error.strerror}; trying again")
            try:
                await asyncio.wait_for(stop.wait(), POLL_SECONDS)
            except TimeoutError:
                continue

    async def stop(self) -> None:
        """Ends everything that was started."""
        await asyncio.gather(*(proxy.stop() for proxy in self.proxies.values()))
        self.proxies.clear()
        await self._databases.stop()
        self.folder.running.unlink(missing_ok=True)
        if self._lock >= 0:
            os.close(self._lock)

    async def _look_at_files(self) -> None:
        stamps = _stamps(self.folder.root)
        if stamps == self._stamps:
            return
        self._stamps = stamps
        files = await asyncio.to_thread(read_folder, self.folder.root)
        compiled = await asyncio.to_thread(self._compile, files)
        troubles = await self._databases.ensure(compiled.connections)
        if self._databases.changed:
            compiled = await asyncio.to_thread(self._compile, files)
        self.compiled = compiled
        self._complain((*compiled.complaints, *troubles))
        for key in compiled.connections:
            self._put_bundle(key)
            await self._ensure_proxy(key)
        await self._remove_others()

    def _compile(self, files: Files) -> Compiled:
        return compile_files(files, self._languages, self._databases.adjust)

    def _complain(self, complaints: tuple[Complaint, ...]) -> None:
        for complaint in complaints:
            if complaint not in self._complaints:
                self._tell(f"problem: {complaint}")
        if self._complaints and not complaints:
            self._tell("all files are good again")
        self._complaints = complaints

    def _put_bundle(self, key: Key) -> None:
        outcome, path = self.compiled.bundles[key], self.folder.bundle(*key)
        before = path.read_text() if path.exists() else None
        if outcome.text is None:
            last = "the last good one stays in force" if before else "until then it refuses everything"
            self._tell(f"{key[1]}: no new bundle can be made of this; {last}")
            renewed = self._with_revocations(key, before) if before else None
            if renewed is not None:
                replace_file(path, renewed[1].encode())
                self._tell(f"{key[1]}: revocations in force, revision {renewed[0][:19]}")
        elif outcome.text != before:
            replace_file(path, outcome.text.encode())
            count = f"{outcome.policies} {'policy' if outcome.policies == 1 else 'policies'}"
            self._tell(f"{key[1]}: {count} in force, revision {outcome.revision[:19]}")

    def _with_revocations(self, key: Key, before: str) -> tuple[str, str] | None:
        """The last good bundle with what is revoked now. A file that cannot be read lifts nothing."""
        situation, spoiled = self.compiled.situations[key[0]], self.compiled.held_all
        return kept_in_force(before, situation, something_unread=spoiled)

    async def _ensure_proxy(self, key: Key) -> None:
        connection = self.compiled.connections[key]
        wanted = _preferred_port(connection)
        if key in self.proxies and self.proxies[key].ports.wanted != wanted:
            await self.proxies.pop(key).stop()
        if key in self.proxies or not self._databases.has(connection):
            return
        tls = ensure_serving_certificate(self.folder, *key, _now())
        proxy = Proxy(self.folder, key, tls, partial(self._ports, wanted), self._tell)
        self.proxies[key] = proxy
        shutil.rmtree(self.folder.reports(*key), ignore_errors=True)
        proxy.start()
        if proxy.ports.client != wanted:
            self._tell(f"{key[1]}: port {wanted} is taken, {proxy.ports.client} serves instead")

    def _ports(self, wanted: int) -> Ports:
        """Ports that nobody has; our own proxies may not listen yet."""
        taken = {port for one in self.proxies.values() for port in (one.ports.client, one.ports.health)}
        port = free_port(wanted)
        while port in taken:
            port = free_port(port + 1)
        return Ports(wanted, port, free_port())

    def _renew_certificates(self) -> None:
        """Proxies notice a new certificate by themselves."""
        now = asyncio.get_running_loop().time()
        if now < self._renew_at:
            return
        self._renew_at = now + RENEW_SECONDS
        for key in self.proxies:
            ensure_serving_certificate(self.folder, *key, _now())

    async def _remove_others(self) -> None:
        """What is no longer there goes; what merely cannot be read now stays as it is."""
        if self.compiled.held_all:
            return
        kept = {*self.compiled.connections, *self.compiled.held}
        for key in [key for key in self.proxies if key not in kept]:
            await self.proxies.pop(key).stop()
            self._tell(f"{key[1]}: removed")
        for path in (self.folder.state / "bundles").glob("*/*.json"):
            if (path.parent.name, path.stem) not in kept:
                path.unlink()
        await self._databases.keep(kept)

    def _write_running(self) -> None:
        connections = {
            "/".join(key): {"port": proxy.ports.client, "health": proxy.ports.health}
            for key, proxy in self.proxies.items()
        }
        content = {"pid": os.getpid(), "connections": connections}
        if content != self._running:
            self._running = content
            replace_file(self.folder.running, json.dumps(content, indent=2).encode())


def _preferred_port(connection: Connection) -> int:
    port = client_port(connection)
    return port if port >= _PRIVILEGED_BELOW else port + _MOVED_BY


def _stamps(root: Path) -> list[tuple[str, int, int]]:
    found = []
    for path in yaml_files(root):
        try:
            status = path.stat()
        except OSError:
            continue
        found.append((path.name, status.st_mtime_ns, status.st_size))
    return found


def _lock(folder: Folder) -> int:
    descriptor = os.open(folder.state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise AlreadyRunning(f"another `tollhouse up` runs {folder.root}; stop it first") from None
    return descriptor


def _request_line(request: ApprovalRequest) -> str:
    text = request.spec.operation.text
    shown = text if len(text) <= 60 else f"{text[:57]}..."
    message = f" ({request.status.message})" if request.status.message else ""
    return f"approval {request.name}: {request.status.phase.value}: {shown}{message}"


def _now() -> datetime:
    return datetime.now(UTC)

"""Bundles, reports and Secrets over files, and all four stores together."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from tollhouse_core.secret import Secret
from tollhouse_proxy.adapters.folder.approvals import FolderApprovals
from tollhouse_proxy.adapters.folder.files import changes, is_object_name, read_file, replace_file
from tollhouse_proxy.ports.stores import ProxyReport, StoreRefused, StoreUnavailable

_log = logging.getLogger("tollhouse.folder")


class FolderBundles:
    """BundleStore: one file, replaced by the supervisor."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def watch(self) -> AsyncIterator[str]:
        """See the port. A file that is gone or unreadable leaves the last bundle in force."""
        last: str | None = None
        async for _there in changes(self._path):
            try:
                content = await asyncio.to_thread(read_file, self._path)
                text = None if content is None else content.decode()
            except (OSError, UnicodeDecodeError) as error:
                _log.warning("%s cannot be read, the last bundle stays in force: %s", self._path, error)
                continue
            if text is not None and text != last:
                last = text
                yield text


class FolderReports:
    """ReportStore: one file for each instance."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, report: ProxyReport) -> None:
        """See the port. Raises StoreUnavailable."""
        content = json.dumps(asdict(report), default=dict).encode()
        try:
            await asyncio.to_thread(replace_file, self._path(report.instance), content)
        except OSError as error:
            raise StoreUnavailable(f"{self._folder}: {error.strerror}") from error

    async def remove(self, instance: str) -> None:
        """See the port."""
        try:
            await asyncio.to_thread(self._path(instance).unlink, missing_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"{self._folder}: {error.strerror}") from error

    def _path(self, instance: str) -> Path:
        if not is_object_name(instance):
            raise StoreRefused(f"{instance[:80]!r} cannot be an instance's name")
        return self._folder / f"{instance}.json"


class FolderSecrets:
    """SecretStore: files the supervisor made, and `kind: Secret` documents in the folder."""

    def __init__(self, folder: Path, namespace: str) -> None:
        self._folder = folder
        self._namespace = namespace

    async def read(self, name: str) -> Mapping[str, Secret]:
        """See the port; read anew each time, so that a rotated Secret is had at once."""
        try:
            return await asyncio.to_thread(self._read, name)
        except OSError as error:
            raise StoreUnavailable(f"{error.filename or self._folder}: {error.strerror}") from error

    def _read(self, name: str) -> Mapping[str, Secret]:
        if not is_object_name(name):
            raise StoreRefused(f"{name[:80]!r} cannot be the name of a Secret")
        for document in self._documents(name):
            metadata = document.get("metadata")
            if document.get("kind") != "Secret" or not isinstance(metadata, Mapping):
                continue
            if (metadata.get("namespace") or "default") == self._namespace and metadata.get("name") == name:
                return _values(document, name)
        raise StoreRefused(
            f"Secret {self._namespace}/{name} is missing: "
            f"expected a document of kind Secret in {self._folder}/*.yaml"
        )

    def _documents(self, name: str) -> Iterator[Mapping[str, object]]:
        made = self._folder / "state" / "secrets" / self._namespace / f"{name}.json"
        if made.exists():
            if made.stat().st_mode & 0o077:
                raise StoreRefused(f"{made} can be read by others: expected mode 0600")
            yield from _loaded(made)
        for pattern in ("*.yaml", "*.yml"):
            for path in sorted(self._folder.glob(pattern)):
                yield from _loaded(path)


def _loaded(path: Path) -> Iterator[Mapping[str, object]]:
    """The documents of a file that can be read; the supervisor complains about the others."""
    content = read_file(path)
    if content is None or b"Secret" not in content:
        return
    try:
        documents = list(yaml.safe_load_all(content))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
        return
    yield from (document for document in documents if isinstance(document, Mapping))


def _values(document: Mapping[str, object], name: str) -> Mapping[str, Secret]:
    values: dict[str, Secret] = {}
    data, plain = document.get("data"), document.get("stringData")
    for key, value in data.items() if isinstance(data, Mapping) else ():
        try:
            values[str(key)] = Secret(base64.b64decode(str(value), validate=True).decode())
        except (binascii.Error, UnicodeDecodeError):
            raise StoreRefused(f"Secret {name}: data.{key} is not base64 of UTF-8 text") from None
    for key, value in plain.items() if isinstance(plain, Mapping) else ():
        values[str(key)] = Secret(str(value))
    return values


@dataclass(frozen=True, slots=True)
class FolderStores:
    """The four stores of one proxy."""

    bundles: FolderBundles
    approvals: FolderApprovals
    reports: FolderReports
    secrets: FolderSecrets


def folder_stores(folder: Path, namespace: str, connection: str, instance: str) -> FolderStores:
    """The stores of one proxy of that Connection. Nothing is read or made before it is asked for.
    Raises StoreRefused for names that cannot be those of files."""
    for name in (namespace, connection, instance):
        if not is_object_name(name):
            raise StoreRefused(f"{name[:80]!r} cannot be the name of an object")
    state = folder / "state"
    return FolderStores(
        bundles=FolderBundles(state / "bundles" / namespace / f"{connection}.json"),
        approvals=FolderApprovals(state / "approvals" / namespace, namespace, connection),
        reports=FolderReports(state / "reports" / namespace / connection),
        secrets=FolderSecrets(folder, namespace),
    )

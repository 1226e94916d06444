"""ApprovalRequests as files, with the API server's manners.

Every write takes the folder's lock, compares `metadata.resourceVersion` and counts it up. Proxies
write the same files by the same rules (`tollhouse_proxy.adapters.folder.objects`).
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml

from tollhouse_core.api import InvalidObject, parse_object, to_document
from tollhouse_core.api.approval_request import ApprovalRequest
from tollhouse_operator.standalone.layout import replace_file

LOCK = ".lock"
_NAME = re.compile(r"[a-z0-9]([-.a-z0-9]*[a-z0-9])?", re.ASCII)

Change = Callable[[ApprovalRequest], ApprovalRequest]


class RequestFolder:
    """All requests below `state/approvals`, one folder for each namespace. Raises OSError."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def paths(self) -> Iterator[Path]:
        """Every request's file."""
        return self._root.glob("*/*.yaml")

    def read_all(self) -> list[ApprovalRequest]:
        """Every request that can be read, oldest first."""
        found = [request for path in self.paths() if (request := read_request(path)) is not None]
        return sorted(found, key=lambda one: (str(one.metadata.creation_timestamp or ""), one.name))

    def read(self, namespace: str, name: str) -> ApprovalRequest | None:
        """One request; None when it is not there."""
        if not _NAME.fullmatch(name) or not _NAME.fullmatch(namespace):
            return None
        return read_request(self._path(namespace, name))

    def change(self, namespace: str, name: str, change: Change) -> ApprovalRequest | None:
        """Writes what `change` makes of the request as it is now, nobody else writing meanwhile;
        returns it. None when the request is gone. What `change` raises goes through; a request
        that comes back the same is not written."""
        with self._locked(namespace):
            current = self.read(namespace, name)
            if current is None:
                return None
            changed = change(current)
            if changed == current:
                return current
            before = int(current.metadata.resource_version or "0")
            metadata = changed.metadata.model_copy(update={"resource_version": str(before + 1)})
            changed = changed.model_copy(update={"metadata": metadata})
            replace_file(self._path(namespace, name), dump_request(changed))
            return changed

    def remove(self, namespace: str, name: str) -> None:
        """Deletes a request."""
        with self._locked(namespace):
            self._path(namespace, name).unlink(missing_ok=True)

    def _path(self, namespace: str, name: str) -> Path:
        return self._root / namespace / f"{name}.yaml"

    @contextmanager
    def _locked(self, namespace: str) -> Iterator[None]:
        folder = self._root / namespace
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def read_request(path: Path) -> ApprovalRequest | None:
    """The request in a file; None when there is none in it."""
    try:
        document = yaml.safe_load(path.read_bytes())
        parsed = parse_object(document if isinstance(document, Mapping) else {})
    except (FileNotFoundError, yaml.YAMLError, InvalidObject, UnicodeDecodeError, RecursionError):
        return None
    return parsed if isinstance(parsed, ApprovalRequest) else None


def dump_request(request: ApprovalRequest) -> bytes:
    """A request as people read it."""
    document = to_document(request)
    document["metadata"] = {name: value for name, value in document["metadata"].items() if value}
    text: str = yaml.safe_dump(document, sort_keys=False, width=110)
    return text.encode()

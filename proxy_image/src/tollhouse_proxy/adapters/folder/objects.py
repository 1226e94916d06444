"""ApprovalRequests as files, with the API server's manners.

Every write takes the folder's lock, compares `metadata.resourceVersion` and counts it up. The
supervisor and the command line write the same files by the same rules
(`tollhouse_operator.standalone.objects`).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tollhouse_core.api import InvalidObject, parse_object, to_document
from tollhouse_core.api.approval_request import ApprovalRequest
from tollhouse_proxy.adapters.folder.files import is_object_name, read_file, replace_file

LOCK = ".lock"


class RequestFiles:
    """The ApprovalRequests of one namespace. All calls block for as long as the lock is held by
    others, which is a file's write. Raises OSError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, name: str) -> Path:
        """Where the request of that name is."""
        return self._folder / f"{name}.yaml"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else writes meanwhile."""
        self._folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def read(self, name: str) -> ApprovalRequest | None:
        """The request; None when it is not there or its file holds something else."""
        if not is_object_name(name):
            return None
        content = read_file(self.path(name))
        return None if content is None else parse_request(content)

    def read_all(self, containing: str) -> Iterator[ApprovalRequest]:
        """All requests whose files contain that text, in no order."""
        wanted = containing.encode()
        if not self._folder.is_dir():
            return
        for path in self._folder.glob("*.yaml"):
            content = read_file(path)
            if content is not None and wanted in content:
                request = parse_request(content)
                if request is not None:
                    yield request

    def write(self, request: ApprovalRequest) -> ApprovalRequest:
        """Writes with the next resourceVersion; the caller holds the lock and has compared."""
        before = int(request.metadata.resource_version or "0")
        metadata = request.metadata.model_copy(update={"resource_version": str(before + 1)})
        written = request.model_copy(update={"metadata": metadata})
        replace_file(self.path(request.name), dump_request(written))
        return written


def parse_request(content: bytes) -> ApprovalRequest | None:
    """The request in a file's content; None when it is none."""
    try:
        document = yaml.safe_load(content)
        parsed = parse_object(document if isinstance(document, Mapping) else {})
    except (yaml.YAMLError, InvalidObject, UnicodeDecodeError, RecursionError):
        return None
    return parsed if isinstance(parsed, ApprovalRequest) else None


def dump_request(request: ApprovalRequest) -> bytes:
    """A request as people read it."""
    document: dict[str, Any] = without_nothing(to_document(request))
    text: str = yaml.safe_dump(document, sort_keys=False, width=110)
    return text.encode()


def without_nothing(document: dict[str, Any]) -> dict[str, Any]:
    """The same without empty fields of the metadata."""
    metadata = {name: value for name, value in document["metadata"].items() if value}
    return {**document, "metadata": metadata}

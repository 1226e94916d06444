"""The local issuer of `tollhouse up`: its published keys are a file, for tokens of its own only.

It stands in for any issuer that the bundle trusts, so it exists only where a file was named when
the proxy was started (the folder mode), and only for key names that begin with its mark.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tollhouse_identity.fetch import MAX_DOCUMENT_BYTES
from tollhouse_identity.form import Refused, strict_json_object
from tollhouse_identity.keys import Jwk, keys_of

KEY_ID_PREFIX = "tollhouse-local-"
CLUSTER_ISSUER = "https://kubernetes.default.svc"
"""Whom its ServiceAccount tokens name as issuer where the provider names none."""


class LocalKeys:
    """The keys in `file`, read again when it changes."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen: tuple[int, int] | None = None
        self._keys: tuple[Jwk, ...] = ()

    def speaks_for(self, header: Mapping[str, object]) -> bool:
        """Whether this token says that the local issuer signed it."""
        key_id = header.get("kid")
        return isinstance(key_id, str) and key_id.startswith(KEY_ID_PREFIX)

    def keys(self) -> tuple[Jwk, ...]:
        """The keys now that bear the local mark; none while the file cannot be read."""
        try:
            stat = self._file.stat()
            if self._seen != (stat.st_mtime_ns, stat.st_size):
                with self._file.open("rb") as file:
                    document = strict_json_object(file.read(MAX_DOCUMENT_BYTES), "the file")
                self._keys = tuple(key for key in keys_of(document) if self.speaks_for(key))
                self._seen = (stat.st_mtime_ns, stat.st_size)
        except (OSError, ValueError, Refused):
            self._keys, self._seen = (), None
        return self._keys

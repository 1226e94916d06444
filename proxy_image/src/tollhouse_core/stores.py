"""Reading Secrets, and how a store says no: what proxies and the token endpoint ask of it alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from tollhouse_core.secret import Secret


class StoreUnavailable(Exception):
    """The store cannot answer now (API server away, folder unreadable). Worth trying again."""


class StoreRefused(Exception):
    """The store answered no (RBAC, admission). Trying again will not help. Bounded message."""


class SecretStore(Protocol):
    """Kubernetes Secrets (or their stand-in files) that the Connection names."""

    async def read(self, name: str) -> Mapping[str, Secret]:
        """All keys of one Secret. Raises StoreRefused when it is missing or not ours to read."""
        ...

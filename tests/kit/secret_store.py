"""A SecretStore in memory; what it holds may be changed and taken away while others read it."""

from __future__ import annotations

from collections.abc import Mapping

from tollhouse_core.secret import Secret
from tollhouse_proxy.ports.stores import StoreRefused, StoreUnavailable


class MemorySecrets:
    """Implements `tollhouse_proxy.ports.stores.SecretStore`. `away`: every read fails for now."""

    def __init__(self, secrets: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self.secrets = {name: dict(data) for name, data in (secrets or {}).items()}
        self.away = False

    async def read(self, name: str) -> Mapping[str, Secret]:
        """All keys of one Secret."""
        if self.away:
            raise StoreUnavailable("away")
        if name not in self.secrets:
            raise StoreRefused(f"no Secret {name}")
        return {key: Secret(value) for key, value in self.secrets[name].items()}

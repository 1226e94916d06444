"""The credential sources of one Connection: its own, and one for each of its roles."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from tollhouse_core.api.credentials import Credentials
from tollhouse_proxy.adapters.credentials.current import CurrentSource
from tollhouse_proxy.ports.credentials import CredentialSource, CredentialUnavailable, approval_source

OWN = ""
"""The Connection's own credentials."""


class RoleSources:
    """One `CurrentSource` for each role. `make` opens a source for a block of credentials."""

    def __init__(self, make: Callable[[Credentials], CredentialSource]) -> None:
        self._make = make
        self._sources: dict[str, CurrentSource] = {}
        self._in_force: dict[str, Credentials] = {}

    def of(self, role: str) -> CredentialSource:
        """Where a session of that role borrows. Raises CredentialUnavailable for one the Connection does not
        have (any more)."""
        if role not in self._in_force:
            words = f'of role "{role}"' if role else "of the connection"
            if role == approval_source(role[1:]):
                words = f"called {role[1:]}"
            raise CredentialUnavailable(f"backend credential unavailable: no source {words} is in force")
        return self._sources[role]

    async def use(self, own: Credentials, roles: Mapping[str, Credentials]) -> None:
        """From now on these. What has not changed goes on; what has, or is gone, lends no more."""
        wanted = {OWN: own, **roles}
        for role, credentials in wanted.items():
            if self._in_force.get(role) != credentials:
                await self._sources.setdefault(role, CurrentSource()).use(self._make(credentials))
                self._in_force[role] = credentials
        for role in self._in_force.keys() - wanted.keys():
            del self._in_force[role]
            self._sources[role].retire()

    async def close(self) -> None:
        """Gives back all that is lent."""
        await asyncio.gather(*(source.close() for source in self._sources.values()))

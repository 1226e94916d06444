"""Sources over the running OpenBao, closed at the end of each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from kit.secret_store import MemorySecrets
from tollhouse_core.api.credentials import Credentials
from tollhouse_proxy.adapters.clock import SystemClock
from tollhouse_proxy.adapters.credentials.factory import source_for
from tollhouse_proxy.adapters.credentials.settings import CredentialSettings
from tollhouse_proxy.ports.credentials import CredentialSource

MakeSource = Callable[..., CredentialSource]
QUICK = CredentialSettings(request_seconds=2.0, acquire_seconds=4.0, close_seconds=3.0)


@pytest.fixture
def secrets() -> MemorySecrets:
    return MemorySecrets()


@pytest.fixture
async def make_source(secrets: MemorySecrets) -> AsyncIterator[MakeSource]:
    made: list[CredentialSource] = []

    def make(settings: CredentialSettings = QUICK, **vault: Any) -> CredentialSource:
        source = source_for(Credentials.model_validate({"vault": vault}), secrets, settings, SystemClock())
        made.append(source)
        return source

    yield make
    for source in made:
        await source.close()

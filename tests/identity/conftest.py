"""The gate that tokens are shown to."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from kit.clock import SetClock
from kit.gate import Gate
from kit.issuer import issuing


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    async with issuing() as issuer:
        made = Gate(issuer, SetClock(), None)
        made.trust_oidc()
        yield made
        await made.prover.close()

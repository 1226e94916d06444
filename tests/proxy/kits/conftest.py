"""Both implementations of the kernel."""

from __future__ import annotations

import pytest

from kit import twins as kit_twins
from kit.twins import Twins


@pytest.fixture(params=kit_twins.ALL, ids=lambda one: str(one.name), scope="session")
def twins(request: pytest.FixtureRequest) -> Twins:
    """One implementation after the other."""
    found: Twins = request.param
    return found


@pytest.fixture(scope="session")
def both() -> tuple[Twins, Twins]:
    """The first is the oracle."""
    return kit_twins.ALL[0], kit_twins.ALL[-1]

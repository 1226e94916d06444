"""Two databases that differ in what is hidden, behind proxies, on the oldest and newest release at hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kit.postgres import Postgres
from kit.threat_world import Threats, threats

RELEASES = (15, 18)


@pytest.fixture(scope="session", params=RELEASES, ids=lambda release: f"postgres{release}")
def world(request: pytest.FixtureRequest) -> Iterator[Threats]:
    server = request.getfixturevalue(f"postgres{request.param}")
    assert isinstance(server, Postgres)
    with threats(server) as made:
        yield made

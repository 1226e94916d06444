"""Tollhouse installed from its chart on a control plane, its operator running as a process.

The operator uses its own ServiceAccount, so that the chart's rights are tried with everything else.
There is no kubelet: Deployments stay objects.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kit import control_plane as part
from real.operator.installed import Installed


@pytest.fixture(scope="session")
def plane() -> Iterator[part.ControlPlane]:
    """A control plane of these tests' own: the chart changes how the whole API server answers."""
    with part.running() as running:
        yield running


@pytest.fixture(scope="session")
def tollhouse(plane: part.ControlPlane) -> Iterator[Installed]:
    """Votes by admission policies."""
    with Installed(plane, votes="policies") as installed:
        yield installed


@pytest.fixture(scope="session")
def webhook_tollhouse() -> Iterator[Installed]:
    """Votes by the operator's webhook, as on older clusters; on an API server of its own."""
    with part.running() as plane, Installed(plane, votes="webhook") as installed:
        yield installed


@pytest.fixture(scope="session", params=["policies", "webhook"])
def admitting(request: pytest.FixtureRequest) -> Installed:
    """Tollhouse with votes in both ways."""
    name = "tollhouse" if request.param == "policies" else "webhook_tollhouse"
    found = request.getfixturevalue(name)
    assert isinstance(found, Installed)
    return found


@pytest.fixture
def shop(tollhouse: Installed) -> str:
    """A fresh namespace with a Connection and a policy, reconciled."""
    return tollhouse.shop()

"""What all pieces of work share: the cluster, the queues, and what was found out last."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tollhouse_core.api.identity_provider import IdentityProvider
from tollhouse_core.token_issuer import TokenIssuer
from tollhouse_operator.apply import Applier
from tollhouse_operator.authority import Authority
from tollhouse_operator.cluster import Cluster
from tollhouse_operator.compiling import BundleOutcome, Key, Known, PolicyOutcome
from tollhouse_operator.conditions import Reason
from tollhouse_operator.events import Teller
from tollhouse_operator.reports import Report
from tollhouse_operator.settings import Settings


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


def _nobody(_: Sequence[IdentityProvider]) -> None:
    """There is no token endpoint to be told."""


@dataclass(slots=True)
class Memory:
    """What was found out last. Losing it costs a second look, nothing else.

    in_force: the revision last seen in a Connection's bundle object. known: by namespace, see
    compile_namespace.
    """

    bundles: dict[Key, BundleOutcome] = field(default_factory=dict)
    in_force: dict[Key, str] = field(default_factory=dict)
    known: dict[str, Known] = field(default_factory=dict)
    policies: dict[Key, PolicyOutcome] = field(default_factory=dict)
    troubles: dict[Key, tuple[Reason, str]] = field(default_factory=dict)
    reports: dict[Key, tuple[Report, ...]] = field(default_factory=dict)

    def forget_connection(self, key: Key) -> None:
        """It is gone."""
        self.known.get(key[0], {}).pop(key[1], None)
        for table in (self.bundles, self.in_force, self.troubles, self.reports):
            table.pop(key, None)


@dataclass(slots=True)
class Desk:
    """Handed to every piece of work. `look_at_*` queue more of it.

    tell_of_providers: called with what a bundle is made of, before the bundle is there.
    """

    settings: Settings
    cluster: Cluster
    applier: Applier
    teller: Teller
    languages: Mapping[str, Any]
    look_at_status: Callable[[Key], None]
    look_at_policies: Callable[[str, float], None]
    authority: Authority | None = None
    tokens: TokenIssuer | None = None
    memory: Memory = field(default_factory=Memory)
    now: Callable[[], datetime] = utc_now
    tell_of_providers: Callable[[Sequence[IdentityProvider]], None] = _nobody

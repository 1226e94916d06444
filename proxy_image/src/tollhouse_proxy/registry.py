"""Which protocols this proxy speaks: protocol name to what makes its machines."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import uuid4

from tollhouse_core.clock import Clock
from tollhouse_core.policy.bundle import PolicyBundle
from tollhouse_proxy.exchange import MachineFactory, Target, TlsMode
from tollhouse_proxy.ports.judging import Gate
from tollhouse_proxy.protocols.postgres.cancel import CancelRegistry
from tollhouse_proxy.protocols.postgres.conversation import Surroundings
from tollhouse_proxy.protocols.postgres.factory import PostgresFactory
from tollhouse_proxy.protocols.postgres.served import Served
from tollhouse_proxy.protocols.postgres.shelf import CatalogShelf
from tollhouse_proxy.protocols.postgres.sql.masks import MaskKeys
from tollhouse_proxy.protocols.postgres.sql_dialect import sql_dialect


@dataclass(frozen=True, slots=True)
class Standing:
    """A bundle, and the certificates its backend is checked with (None: the machine's own)."""

    bundle: PolicyBundle
    ca_pem: str | None


@dataclass(frozen=True, slots=True)
class Foundation:
    """What every protocol's machines stand on. `standing` is None while nobody can be served."""

    standing: Callable[[], Standing | None]
    gate: Gate
    clock: Clock
    mask_keys: MaskKeys


def _postgres(foundation: Foundation) -> MachineFactory:
    def served() -> Served | None:
        standing = foundation.standing()
        return _served_postgres(standing) if standing else None

    return PostgresFactory(
        Surroundings(
            served=served,
            gate=foundation.gate,
            dialect=sql_dialect(foundation.mask_keys),
            clock=foundation.clock,
            shelf=CatalogShelf(),
            cancels=CancelRegistry(),
            noise=secrets.token_bytes,
            session_id=lambda: uuid4().hex,
        )
    )


def _served_postgres(standing: Standing) -> Served | None:
    connection = standing.bundle.connection
    target = connection.spec.postgres
    if target is None:
        return None
    return Served(
        namespace=connection.namespace,
        connection=connection.name,
        target=Target(target.host, target.port, TlsMode(target.tls.mode.value), standing.ca_pem),
        database=target.database,
        databases=target.databases,
        default_schema=target.default_schema,
        requires_tls=connection.spec.proxy.tls.mode.value == "Require",
        ends_with_token=connection.spec.session.after_token_expiry.value == "End",
        roles=frozenset(target.roles),
    )


PROTOCOLS: Mapping[str, Callable[[Foundation], MachineFactory]] = {"postgres": _postgres}

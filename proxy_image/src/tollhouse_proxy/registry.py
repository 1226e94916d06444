"""Which protocols this proxy speaks: protocol name to what makes its machines."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from tollhouse_core.api.targets import ClientAuth
from tollhouse_core.clock import Clock
from tollhouse_core.decision import Obligations
from tollhouse_core.operation import Operation
from tollhouse_core.policy.bundle import PolicyBundle
from tollhouse_core.policy.rules import Rule
from tollhouse_core.privileges import Excess
from tollhouse_proxy.exchange import MachineFactory, Target, TlsMode
from tollhouse_proxy.ports.aside import Aside
from tollhouse_proxy.ports.judging import Gate
from tollhouse_proxy.protocols.postgres.cancel import CancelRegistry
from tollhouse_proxy.protocols.postgres.conversation import Surroundings
from tollhouse_proxy.protocols.postgres.dialect import Dialect
from tollhouse_proxy.protocols.postgres.factory import PostgresFactory
from tollhouse_proxy.protocols.postgres.privileges import QUESTIONS, Rows, excess
from tollhouse_proxy.protocols.postgres.served import Asks, Served
from tollhouse_proxy.protocols.postgres.shelf import CatalogShelf
from tollhouse_proxy.protocols.postgres.sql.masks import MaskKeys
from tollhouse_proxy.protocols.postgres.sql.statement import (
    CannotRewrite,
    NotUnderstood,
    SessionSettings,
    Statement,
)
from tollhouse_proxy.protocols.postgres.sql_dialect import sql_dialect


@dataclass(frozen=True, slots=True)
class Standing:
    """A bundle, and the certificates its backend is checked with (None: the machine's own)."""

    bundle: PolicyBundle
    ca_pem: str | None


@dataclass(frozen=True, slots=True)
class Foundation:
    """What every protocol's machines stand on. `standing` is None while nobody can be served. `aside` does
    what would hold up the loop; None: it is done on the loop."""

    standing: Callable[[], Standing | None]
    gate: Gate
    clock: Clock
    mask_keys: MaskKeys
    aside: Aside | None = None


@dataclass(frozen=True, slots=True)
class Explained:
    """Machines that are watched: `operations()` are those they made of the statements they read, and
    `rewritten(operation, obligations)` is the text that would be sent for one. It raises ValueError, with
    words, where the obligations cannot be kept. `pieces` are the statements of a text, to be read each by
    itself; the text as it is where it cannot be told apart."""

    factory: MachineFactory
    operations: Callable[[], Sequence[Operation]]
    rewritten: Callable[[Operation, Obligations], str]
    pieces: Callable[[str], Sequence[str]]


def _postgres(foundation: Foundation) -> MachineFactory:
    return _postgres_machines(foundation, sql_dialect(foundation.mask_keys, foundation.aside))


def _postgres_machines(foundation: Foundation, dialect: Dialect) -> MachineFactory:
    def served() -> Served | None:
        standing = foundation.standing()
        return _served_postgres(standing) if standing else None

    return PostgresFactory(
        Surroundings(
            served=served,
            gate=foundation.gate,
            dialect=dialect,
            clock=foundation.clock,
            shelf=CatalogShelf(),
            cancels=CancelRegistry(),
            noise=secrets.token_bytes,
            session_id=lambda: uuid4().hex,
        )
    )


def _postgres_explained(foundation: Foundation) -> Explained:
    dialect = sql_dialect(foundation.mask_keys)
    seen: list[Statement] = []

    def understand(text: str, catalog: Any, settings: SessionSettings) -> tuple[Statement, ...]:
        statements = dialect.understand(text, catalog, settings)
        seen.extend(statements)
        return statements

    def rewritten(operation: Operation, obligations: Obligations) -> str:
        statement = next((one for one in seen if one.operation.says_what(operation)), None)
        if statement is None:
            return operation.text
        try:
            return dialect.rewrite(statement, obligations).text
        except CannotRewrite as error:
            raise ValueError(f"{error.message} {error.hint}".strip()) from None

    def pieces(text: str) -> Sequence[str]:
        try:
            return [piece for piece, _ in dialect.split(text)] or [text]
        except NotUnderstood:
            return [text]

    return Explained(
        factory=_postgres_machines(foundation, replace(dialect, understand=understand)),
        operations=lambda: [one.operation for one in seen],
        rewritten=rewritten,
        pieces=pieces,
    )


def _discovery(bundle: PolicyBundle) -> str:
    """Where clients learn to get a token: the document of the first OpenID Connect issuer here."""
    issuers = [one.spec.oidc.issuer for one in bundle.providers if one.spec.oidc is not None]
    return f"{issuers[0].rstrip('/')}/.well-known/openid-configuration" if issuers else ""


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
        asks=Asks(
            password=ClientAuth.PASSWORD in target.client_auth,
            bearer=ClientAuth.OAUTH_BEARER in target.client_auth,
            discovery=_discovery(standing.bundle),
        ),
        ends_with_token=connection.spec.session.after_token_expiry.value == "End",
        roles=frozenset(target.roles),
    )


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a backend's role may do: questions by name (each one statement), and what of the answers is more
    than rules need."""

    questions: Mapping[str, str]
    excess: Callable[[Mapping[str, Rows], Iterable[Rule]], tuple[Excess, ...]]


PROTOCOLS: Mapping[str, Callable[[Foundation], MachineFactory]] = {"postgres": _postgres}
EXPLAINED: Mapping[str, Callable[[Foundation], Explained]] = {"postgres": _postgres_explained}
INSPECTIONS: Mapping[str, Inspection] = {"postgres": Inspection(QUESTIONS, excess)}


def shown_keys() -> MaskKeys:
    """Keys for text that is shown to people and never sent: the real ones must not be seen."""
    return MaskKeys(namespace=b"x" * 32, connection=b"x" * 32)

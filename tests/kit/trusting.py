"""Bundles as far as proving an identity needs them: a Connection and its IdentityProviders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tollhouse_core.api import parse_object
from tollhouse_core.api.connection import Connection
from tollhouse_core.api.identity_provider import IdentityProvider
from tollhouse_core.token_issuer import TokenIssuer

API = "tollhouse.dev/v1alpha1"


@dataclass(frozen=True)
class Trust:
    """Stands for a PolicyBundle where only trust matters."""

    connection: Connection
    providers: Sequence[IdentityProvider]
    tokens: TokenIssuer | None = None


def connection(
    providers: Sequence[str] = (), audiences: Sequence[str] = ("tollhouse",), **spec: object
) -> Connection:
    """A Connection `shop/orders-db` to a PostgreSQL server, with credentials in a Secret."""
    document = {
        "apiVersion": API,
        "kind": "Connection",
        "metadata": {"name": "orders-db", "namespace": "shop"},
        "spec": {
            "postgres": {"host": "db", "database": "orders"},
            "credentials": {"secretRef": {"name": "orders-db"}},
            "identity": {"providers": list(providers), "audiences": list(audiences)},
            **spec,
        },
    }
    made = parse_object(document)
    assert isinstance(made, Connection)
    return made


def provider(name: str = "corp", **spec: Mapping[str, Any]) -> IdentityProvider:
    """An IdentityProvider: provider("corp", oidc={"issuer": ...})."""
    document = {
        "apiVersion": API,
        "kind": "IdentityProvider",
        "metadata": {"name": name},
        "spec": {kind: dict(block) for kind, block in spec.items()},
    }
    made = parse_object(document)
    assert isinstance(made, IdentityProvider)
    return made


def trust(*providers: IdentityProvider, audiences: Sequence[str] = ("tollhouse",)) -> Trust:
    """A Connection that names just these providers (none: the cluster's ServiceAccounts)."""
    return Trust(connection([one.name for one in providers], audiences), providers)

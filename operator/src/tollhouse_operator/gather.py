"""Reading what the operator decides on. Everything is read afresh: no cache can be out of date."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from tollhouse_core.api import InvalidObject, Problem, parse_object
from tollhouse_core.api.access_policy import AccessPolicy
from tollhouse_core.api.audit_sink import AuditSink
from tollhouse_core.api.connection import Connection
from tollhouse_core.api.identity_provider import IdentityProvider
from tollhouse_core.api.revocation import ClusterRevocation, Revocation
from tollhouse_core.token_issuer import TokenIssuer
from tollhouse_operator import resources
from tollhouse_operator.cluster import Cluster
from tollhouse_operator.manifests.naming import Manifest

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Read(Generic[T]):
    """Objects of one kind: (document, model) of the good ones, and the problems of the others."""

    good: tuple[tuple[Manifest, T], ...] = ()
    bad: tuple[tuple[Manifest, tuple[Problem, ...]], ...] = ()

    @property
    def models(self) -> tuple[T, ...]:
        """The good ones."""
        return tuple(model for _, model in self.good)


@dataclass(frozen=True, slots=True)
class Situation:
    """All of a namespace that bundles are made of, and the providers of the cluster."""

    connections: Read[Connection]
    policies: Read[AccessPolicy]
    sinks: Read[AuditSink]
    providers: Read[IdentityProvider]
    revocations: Read[Revocation] = Read()
    cluster_revocations: Read[ClusterRevocation] = Read()
    tokens: TokenIssuer | None = None

    @property
    def turned_out(self) -> tuple[Revocation | ClusterRevocation, ...]:
        """Every Revocation there is."""
        return (*self.revocations.models, *self.cluster_revocations.models)

    @property
    def unread_revocations(self) -> frozenset[str]:
        """Titles of those that are there and cannot be read."""
        bad = (*self.revocations.bad, *self.cluster_revocations.bad)
        return frozenset(_title(document) for document, _ in bad)


async def gather(cluster: Cluster, namespace: str, tokens: TokenIssuer | None = None) -> Situation:
    """`tokens`: our own token endpoint. Raises ClusterError."""
    connections, policies, sinks, providers, revocations, cluster_revocations = await asyncio.gather(
        cluster.list(resources.CONNECTIONS, namespace),
        cluster.list(resources.ACCESS_POLICIES, namespace),
        cluster.list(resources.AUDIT_SINKS, namespace),
        cluster.list(resources.IDENTITY_PROVIDERS),
        cluster.list(resources.REVOCATIONS, namespace),
        cluster.list(resources.CLUSTER_REVOCATIONS),
    )
    return Situation(
        read(connections, "Connection", Connection),
        read(policies, "AccessPolicy", AccessPolicy),
        read(sinks, "AuditSink", AuditSink),
        read(providers, "IdentityProvider", IdentityProvider),
        read(revocations, "Revocation", Revocation),
        read(cluster_revocations, "ClusterRevocation", ClusterRevocation),
        tokens,
    )


def _title(document: Manifest) -> str:
    metadata = document["metadata"]
    where = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{document['kind']} {where}{metadata['name']}"


def read(documents: Sequence[Manifest], kind: str, model: type[T]) -> Read[T]:
    """Parses each by itself. Objects that are being deleted do not count."""
    good: list[tuple[Manifest, T]] = []
    bad: list[tuple[Manifest, tuple[Problem, ...]]] = []
    for document in documents:
        if document["metadata"].get("deletionTimestamp"):
            continue
        # Items of a list come without these two.
        document.setdefault("apiVersion", f"{resources.GROUP}/{resources.VERSION}")
        document.setdefault("kind", kind)
        try:
            parsed = parse_object(desired(document))
        except InvalidObject as error:
            bad.append((document, error.problems))
            continue
        except Exception as error:
            # Our own fault, whatever was written. It must not take the other objects along.
            log.exception("%s %s could not be read", kind, document["metadata"]["name"])
            name = f"{kind} {document['metadata'].get('namespace', '')}/{document['metadata']['name']}"
            bad.append((document, (Problem("", f"could not be read ({type(error).__name__})", name),)))
            continue
        assert isinstance(parsed, model)
        good.append((document, parsed))
    return Read(tuple(good), tuple(bad))


def desired(document: Mapping[str, Any]) -> dict[str, Any]:
    """The object without its status: what an older operator left there must not make it invalid."""
    return {key: value for key, value in document.items() if key != "status"}

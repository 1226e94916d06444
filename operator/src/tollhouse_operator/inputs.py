"""What a Connection's bundle is made of, as versions: equal inputs make an equal bundle. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from tollhouse_core.api.connection import Connection
from tollhouse_core.api.meta import ObjectMeta
from tollhouse_core.policy.bundle import selects
from tollhouse_operator.gather import Situation
from tollhouse_operator.manifests.naming import Manifest

Inputs = tuple[object, ...]


def inputs_of(connection: Connection, situation: Situation) -> Inputs | None:
    """None where an object has no generation to tell its versions apart (files have none).

    Objects that cannot be read go in whatever they select: what they would select is not known.
    """
    good = (
        connection.metadata,
        *(one.metadata for one in situation.policies.models if selects(one, connection)),
        *(one.metadata for one in situation.providers.models),
        *(one.metadata for one in situation.sinks.models),
        *(one.metadata for one in situation.turned_out),
    )
    if any(not one.uid or one.generation is None for one in good):
        return None
    bad = (
        *situation.policies.bad,
        *situation.providers.bad,
        *situation.sinks.bad,
        *situation.revocations.bad,
        *situation.cluster_revocations.bad,
    )
    labels = tuple(sorted(connection.metadata.labels.items()))
    tokens = repr(situation.tokens)
    return (labels, tokens, *_versions(good), *_raw_versions(document for document, _ in bad))


def _versions(objects: Iterable[ObjectMeta]) -> tuple[object, ...]:
    return tuple((one.uid, one.generation) for one in objects)


def _raw_versions(documents: Iterable[Manifest]) -> tuple[object, ...]:
    return tuple((one["metadata"].get("uid"), one["metadata"].get("resourceVersion")) for one in documents)

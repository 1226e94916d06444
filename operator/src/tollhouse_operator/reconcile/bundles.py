"""Compiling the policies of a namespace into the bundle objects of its Connections.

This is the way of a policy edit to the proxies, so it does nothing else: one round of reading,
compiling, one write for each bundle that changed. Statuses follow behind.
"""

from __future__ import annotations

import asyncio
import logging

from tollhouse_core.api.connection import Connection
from tollhouse_operator import resources
from tollhouse_operator.apply import OwnedByAnother
from tollhouse_operator.cluster import Refused
from tollhouse_operator.compiling import BundleOutcome, Key, compile_namespace, kept_in_force
from tollhouse_operator.conditions import Reason
from tollhouse_operator.gather import Situation, gather
from tollhouse_operator.manifests.config_maps import BUNDLE_KEY, bundle_config_map
from tollhouse_operator.manifests.naming import REVISION_ANNOTATION, names_of
from tollhouse_operator.reconcile.desk import Desk

log = logging.getLogger(__name__)

STATUS_SOON_SECONDS = 0.05


async def reconcile_bundles(desk: Desk, namespace: str) -> None:
    """Raises ClusterError when the API server is away; the queue tries again."""
    situation = await gather(desk.cluster, namespace, desk.tokens)
    desk.tell_of_providers(situation.providers.models)
    known = desk.memory.known.setdefault(namespace, {})
    compiled = await asyncio.to_thread(compile_namespace, situation, desk.languages, known)
    await asyncio.gather(
        *(
            _publish(desk, connection, compiled.bundles[connection.name], situation)
            for connection in situation.connections.models
        )
    )
    _forget_policies(desk, namespace)
    for name, outcome in compiled.policies.items():
        desk.memory.policies[namespace, name] = outcome
    for connection in situation.connections.models:
        desk.look_at_status((namespace, connection.name))
    desk.look_at_policies(namespace, STATUS_SOON_SECONDS)


async def _publish(desk: Desk, connection: Connection, outcome: BundleOutcome, situation: Situation) -> None:
    key: Key = (connection.namespace, connection.name)
    desk.memory.bundles[key] = outcome
    if outcome.text is None:
        renewed = await _last_good(desk, connection, situation)
        if renewed is None:
            return
        revision, text = renewed
    else:
        revision, text = outcome.revision, outcome.text
    try:
        await desk.applier.apply(bundle_config_map(connection, revision, text))
    except OwnedByAnother as error:
        desk.memory.troubles[key] = (Reason.NAME_TAKEN, str(error))
        return
    except Refused as error:
        desk.memory.troubles[key] = (Reason.OBJECT_REFUSED, f"the bundle was refused: {error}")
        return
    if desk.memory.in_force.get(key) != revision:
        desk.memory.in_force[key] = revision
        log.info("%s: revision %s in force", connection.title, revision)


async def _last_good(desk: Desk, connection: Connection, situation: Situation) -> tuple[str, str] | None:
    """The bundle that stays in force, where it must learn of Revocations; None where it need not."""
    names = names_of(connection)
    found = await desk.cluster.find(resources.CONFIG_MAPS, names.namespace, names.bundle) or {}
    annotations = (found.get("metadata") or {}).get("annotations") or {}
    key: Key = (connection.namespace, connection.name)
    desk.memory.in_force[key] = str(annotations.get(REVISION_ANNOTATION, ""))
    text = (found.get("data") or {}).get(BUNDLE_KEY)
    return kept_in_force(text, situation) if isinstance(text, str) else None


def _forget_policies(desk: Desk, namespace: str) -> None:
    for key in [key for key in desk.memory.policies if key[0] == namespace]:
        del desk.memory.policies[key]

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
from tollhouse_operator.compiling import BundleOutcome, Key, compile_namespace
from tollhouse_operator.conditions import Reason
from tollhouse_operator.gather import gather
from tollhouse_operator.manifests.config_maps import bundle_config_map
from tollhouse_operator.manifests.naming import REVISION_ANNOTATION, names_of
from tollhouse_operator.reconcile.desk import Desk

log = logging.getLogger(__name__)

STATUS_SOON_SECONDS = 0.05


async def reconcile_bundles(desk: Desk, namespace: str) -> None:
    """Raises ClusterError when the API server is away; the queue tries again."""
    situation = await gather(desk.cluster, namespace)
    known = desk.memory.known.setdefault(namespace, {})
    compiled = await asyncio.to_thread(compile_namespace, situation, desk.languages, known)
    await asyncio.gather(
        *(
            _publish(desk, connection, compiled.bundles[connection.name])
            for connection in situation.connections.models
        )
    )
    _forget_policies(desk, namespace)
    for name, outcome in compiled.policies.items():
        desk.memory.policies[namespace, name] = outcome
    for connection in situation.connections.models:
        desk.look_at_status((namespace, connection.name))
    desk.look_at_policies(namespace, STATUS_SOON_SECONDS)


async def _publish(desk: Desk, connection: Connection, outcome: BundleOutcome) -> None:
    key: Key = (connection.namespace, connection.name)
    desk.memory.bundles[key] = outcome
    if outcome.text is None:
        if key not in desk.memory.in_force:
            desk.memory.in_force[key] = await _revision_in_force(desk, connection)
        return
    try:
        await desk.applier.apply(bundle_config_map(connection, outcome.revision, outcome.text))
    except OwnedByAnother as error:
        desk.memory.troubles[key] = (Reason.NAME_TAKEN, str(error))
        return
    except Refused as error:
        desk.memory.troubles[key] = (Reason.OBJECT_REFUSED, f"the bundle was refused: {error}")
        return
    if desk.memory.in_force.get(key) != outcome.revision:
        desk.memory.in_force[key] = outcome.revision
        log.info("%s: revision %s in force", connection.title, outcome.revision)


async def _revision_in_force(desk: Desk, connection: Connection) -> str:
    names = names_of(connection)
    found = await desk.cluster.find(resources.CONFIG_MAPS, names.namespace, names.bundle)
    annotations = ((found or {}).get("metadata") or {}).get("annotations") or {}
    return str(annotations.get(REVISION_ANNOTATION, ""))


def _forget_policies(desk: Desk, namespace: str) -> None:
    for key in [key for key in desk.memory.policies if key[0] == namespace]:
        del desk.memory.policies[key]

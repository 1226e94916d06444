"""The operator's pieces of work and what makes each of them run again."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from tollhouse_operator import resources
from tollhouse_operator.apply import Applier
from tollhouse_operator.cluster import Cluster, ClusterError
from tollhouse_operator.compiling import Key
from tollhouse_operator.events import Teller
from tollhouse_operator.reconcile.approvals import reconcile_approval
from tollhouse_operator.reconcile.bundles import reconcile_bundles
from tollhouse_operator.reconcile.connection_status import reconcile_connection_status
from tollhouse_operator.reconcile.desk import Desk, utc_now
from tollhouse_operator.reconcile.notifications import reconcile_notifications
from tollhouse_operator.reconcile.objects import reconcile_objects
from tollhouse_operator.reconcile.policy_status import reconcile_policy_statuses
from tollhouse_operator.reconcile.reviewers import reconcile_reviewers
from tollhouse_operator.reconcile.standing import reconcile_standing
from tollhouse_operator.settings import Settings
from tollhouse_operator.work import Work

log = logging.getLogger(__name__)

AGAIN_SECONDS = 2.0
DOUBT_EVERY = 10
"""Drift is heard of at once; once in so many rounds it is looked for, in case a watch missed it."""


class Engine:
    """Owns the queues. Handlers only ever say what should be looked at."""

    def __init__(
        self,
        settings: Settings,
        cluster: Cluster,
        languages: Mapping[str, Any],
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.settings = settings
        self.cluster = cluster
        self.bundles: Work[str] = Work("bundles of", self._bundles)
        self.objects: Work[Key] = Work("objects of", self._objects)
        self.statuses: Work[Key] = Work("status of", self._status)
        self.policies: Work[str] = Work("policy statuses of", self._policies)
        self.approvals: Work[Key] = Work("request", self._approval)
        # Receivers may be slow: nothing else waits for them.
        self.notifications: Work[Key] = Work("notifications of", self._notifications)
        self.standing: Work[str] = Work("standing of", self._standing)
        self.desk = Desk(
            settings=settings,
            cluster=cluster,
            applier=Applier(cluster),
            teller=Teller(cluster, settings.instance),
            languages=languages,
            look_at_status=self.statuses.add,
            look_at_policies=self.policies.add,
            now=now,
        )
        self._resync: asyncio.Task[None] | None = None

    @property
    def works(self) -> tuple[Work[Any], ...]:
        """All queues."""
        return (
            self.bundles,
            self.objects,
            self.statuses,
            self.policies,
            self.approvals,
            self.notifications,
            self.standing,
        )

    def start(self) -> None:
        """Begins to look at everything from time to time."""
        self._resync = asyncio.get_running_loop().create_task(self._look_at_all_forever(), name="resync")

    async def stop(self) -> None:
        """Ends all work and closes the connections."""
        if self._resync is not None:
            self._resync.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._resync
        for work in self.works:
            await work.close()
        await self.cluster.close()

    def watches(self, namespace: str) -> bool:
        """Whether that namespace is this operator's business."""
        wanted = self.settings.watch_namespaces
        return not wanted or namespace in wanted

    async def look_at_all(self) -> None:
        """Queues everything there is. Raises ClusterError."""
        for namespace in self._watched(None):
            for connection in await self.cluster.list(resources.CONNECTIONS, namespace):
                self.look_at_connection(_key(connection))
            for policy in await self.cluster.list(resources.ACCESS_POLICIES, namespace):
                self.bundles.add(_key(policy)[0])
            for request in await self.cluster.list(resources.APPROVAL_REQUESTS, namespace):
                self.look_at_request(_key(request))
        self.standing.add("all")

    def look_at_connection(self, key: Key) -> None:
        """A Connection is new, changed or gone."""
        self.bundles.add(key[0])
        self.objects.add(key)

    async def look_at_users(self, kind: str, name: str, namespace: str | None) -> None:
        """An IdentityProvider or AuditSink changed: looks at the Connections that name it, in the
        namespace (None: in all)."""
        for watched in self._watched(namespace):
            for connection in await self.cluster.list(resources.CONNECTIONS, watched):
                if name in _named(connection, kind):
                    self.look_at_connection(_key(connection))

    async def look_at_all_bundles(self) -> None:
        """Something changed that concerns every Connection."""
        for watched in self._watched(None):
            for connection in await self.cluster.list(resources.CONNECTIONS, watched):
                self.bundles.add(_key(connection)[0])

    async def look_at_requests(self, key: Key) -> None:
        """A proxy of that Connection is gone, perhaps with an operation that waited."""
        for request in await self.cluster.list(resources.APPROVAL_REQUESTS, key[0]):
            if request["spec"].get("connection") == key[1]:
                self.look_at_request(_key(request))

    def look_at_request(self, key: Key) -> None:
        """An ApprovalRequest is new, changed or gone."""
        self.approvals.add(key)
        self.notifications.add(key)

    def _watched(self, namespace: str | None) -> tuple[str | None, ...]:
        """What to list for `namespace` (None: all): never what this operator may not read."""
        if namespace is not None:
            return (namespace,) if self.watches(namespace) else ()
        return self.settings.watch_namespaces or (None,)

    async def _look_at_all_forever(self) -> None:
        for turn in itertools.count():
            wait = self.settings.resync_seconds
            if turn % DOUBT_EVERY == 0:
                self.desk.applier.doubt_all()
            try:
                await self.look_at_all()
            except ClusterError as error:
                # The API server is away, or our CRDs are not served yet.
                log.warning("looking at everything: %s", error)
                wait = min(wait, AGAIN_SECONDS)
            await asyncio.sleep(wait)

    async def _bundles(self, namespace: str) -> None:
        await reconcile_bundles(self.desk, namespace)

    async def _objects(self, key: Key) -> None:
        await reconcile_objects(self.desk, key)

    async def _status(self, key: Key) -> None:
        await reconcile_connection_status(self.desk, key)

    async def _policies(self, namespace: str) -> None:
        await reconcile_policy_statuses(self.desk, namespace)

    async def _approval(self, key: Key) -> float | None:
        return await reconcile_approval(self.desk, key)

    async def _notifications(self, key: Key) -> float | None:
        return await reconcile_notifications(self.desk, key)

    async def _standing(self, _: str) -> None:
        await reconcile_standing(self.desk)
        await reconcile_reviewers(self.desk)


def _named(connection: Mapping[str, Any], kind: str) -> Sequence[str]:
    """The names of that kind in a Connection as it was written, valid or not."""
    block, field = {"IdentityProvider": ("identity", "providers"), "AuditSink": ("audit", "sinks")}[kind]
    names = ((connection.get("spec") or {}).get(block) or {}).get(field) or ()
    return [str(name) for name in names]


def _key(document: Mapping[str, Any]) -> Key:
    metadata = document["metadata"]
    return str(metadata["namespace"]), str(metadata["name"])

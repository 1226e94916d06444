"""The one place that chooses between a cluster and a folder."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tollhouse_identity.discovery import ApiServer
from tollhouse_proxy.adapters.folder import folder_stores
from tollhouse_proxy.ports.stores import ApprovalStore, BundleStore, ReportStore, SecretStore
from tollhouse_proxy.settings import Settings, StoreKind


@dataclass(frozen=True, slots=True)
class Stores:
    """What a proxy reads and writes. `api_server` is None without a cluster."""

    bundles: BundleStore
    approvals: ApprovalStore
    reports: ReportStore
    secrets: SecretStore
    api_server: ApiServer | None
    close: Callable[[], Awaitable[None]]


def open_stores(settings: Settings) -> Stores:
    """The stores the settings ask for; nothing is read yet. Raises StoreRefused for bad names."""
    if settings.store is StoreKind.FOLDER:
        assert settings.folder is not None
        found = folder_stores(settings.folder, settings.namespace, settings.connection, settings.instance)
        return Stores(found.bundles, found.approvals, found.reports, found.secrets, None, _nothing)
    # Its client library is slow to load and large: a proxy of a folder does without.
    from tollhouse_proxy.adapters.kubernetes.factory import kubernetes_stores

    cluster = kubernetes_stores(
        settings.namespace, settings.connection, settings.instance, settings.kubeconfig
    )
    return Stores(
        cluster.bundles,
        cluster.approvals,
        cluster.reports,
        cluster.secrets,
        cluster.bundles.api,
        cluster.close,
    )


async def _nothing() -> None:
    return None

"""All stores of one proxy on one connection to the API server."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tollhouse_proxy.adapters.kubernetes.approvals import KubernetesApprovals
from tollhouse_proxy.adapters.kubernetes.bundles import KubernetesBundles
from tollhouse_proxy.adapters.kubernetes.client import Api
from tollhouse_proxy.adapters.kubernetes.reports import KubernetesReports
from tollhouse_proxy.adapters.kubernetes.secrets import KubernetesSecrets


class KubernetesStores(NamedTuple):
    """The four stores; `close` ends their connections."""

    bundles: KubernetesBundles
    approvals: KubernetesApprovals
    reports: KubernetesReports
    secrets: KubernetesSecrets

    async def close(self) -> None:
        """Closes the connections to the API server."""
        await self.bundles.api.close()


def kubernetes_stores(
    namespace: str, connection: str, instance: str, kubeconfig: str | Path | None = None
) -> KubernetesStores:
    """The stores of the proxy process `instance` of `connection` in `namespace`.

    kubeconfig: a path; None means the pod's own ServiceAccount. Nothing is opened before the first
    use, so the API server may be away when a proxy starts.
    """
    api = Api(instance, str(kubeconfig) if kubeconfig is not None else None)
    return KubernetesStores(
        KubernetesBundles(api, namespace, connection),
        KubernetesApprovals(api, namespace, connection),
        KubernetesReports(api, namespace, connection),
        KubernetesSecrets(api, namespace),
    )

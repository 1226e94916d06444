"""Reading objects over one kept connection: kubectl takes too long to be asked again and again."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any
from urllib.parse import urlsplit

from kit.control_plane import Cluster

_OURS = "/apis/tollhouse.dev/v1alpha1"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_COLLECTIONS = {
    "connection": (_OURS, "connections"),
    "accesspolicy": (_OURS, "accesspolicies"),
    "approvalrequest": (_OURS, "approvalrequests"),
    "revocation": (_OURS, "revocations"),
    "clusterrevocation": (_OURS, "clusterrevocations"),
    "configmap": ("/api/v1", "configmaps"),
    "secret": ("/api/v1", "secrets"),
    "service": ("/api/v1", "services"),
    "serviceaccount": ("/api/v1", "serviceaccounts"),
    "deployment": ("/apis/apps/v1", "deployments"),
    "namespace": ("/api/v1", "namespaces"),
    "role": (_RBAC, "roles"),
    "clusterrolebinding": (_RBAC, "clusterrolebindings"),
    "rolebinding": (_RBAC, "rolebindings"),
    "networkpolicy": ("/apis/networking.k8s.io/v1", "networkpolicies"),
    "poddisruptionbudget": ("/apis/policy/v1", "poddisruptionbudgets"),
}


class Looking:
    """`get` as the admin."""

    def __init__(self, cluster: Cluster) -> None:
        folder = cluster.authority.folder
        context = ssl.create_default_context(cafile=str(cluster.ca_file))
        context.load_cert_chain(folder / "person-admin.crt", folder / "person-admin.key")
        address = urlsplit(cluster.server)
        assert address.hostname is not None
        self._connection = http.client.HTTPSConnection(
            address.hostname, address.port, context=context, timeout=10
        )

    def get(self, kind: str, name: str, namespace: str) -> dict[str, Any] | None:
        """One object, None when there is none."""
        root, plural = _COLLECTIONS[kind]
        where = "" if kind.startswith("cluster") or kind == "namespace" else f"namespaces/{namespace}/"
        path = f"{root}/{where}{plural}/{name}"
        try:
            status, text = self._ask(path)
        except (http.client.RemoteDisconnected, ConnectionError, ssl.SSLEOFError):
            status, text = self._ask(path)  # it was another API server's; http.client connects anew
        if status == 404:
            return None
        assert status == 200, text
        return dict(json.loads(text))

    def _ask(self, path: str) -> tuple[int, bytes]:
        try:
            self._connection.request("GET", path)
            answer = self._connection.getresponse()
            return answer.status, answer.read()
        except (http.client.HTTPException, OSError):
            self._connection.close()
            raise

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

"""The API server with our CRDs, and the examples."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from kit.control_plane import ControlPlane

ROOT = Path(__file__).resolve().parents[3]
PLURALS = {
    "Connection": "connections",
    "AccessPolicy": "accesspolicies",
    "ApprovalRequest": "approvalrequests",
    "IdentityProvider": "identityproviders",
    "AuditSink": "auditsinks",
    "Revocation": "revocations",
    "ClusterRevocation": "clusterrevocations",
}


class ApiServer:
    """Asks the API server over one connection; `refusal` is what it says to a document."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        folder = plane.authority.folder
        context = ssl.create_default_context(cafile=str(plane.ca_file))
        context.load_cert_chain(folder / "person-admin.crt", folder / "person-admin.key")
        address = urlsplit(plane.server)
        self._connection = http.client.HTTPSConnection(
            str(address.hostname), address.port, context=context, timeout=20
        )

    def refusal(self, document: Mapping[str, Any]) -> str:
        """Why the API server would not create this object; "" if it would."""
        metadata = document.get("metadata", {})
        cluster = document["kind"] in {"IdentityProvider", "ClusterRevocation"}
        where = "" if cluster else f"namespaces/{metadata['namespace']}/"
        path = f"/apis/tollhouse.dev/v1alpha1/{where}{PLURALS[document['kind']]}"
        body = json.dumps(document, default=lambda moment: moment.isoformat())
        headers = {"Content-Type": "application/json"}
        self._connection.request("POST", f"{path}?dryRun=All&fieldValidation=Strict", body, headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status == 201:
            return ""
        return str(json.loads(text)["message"])

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="session")
def installed(control_plane: ControlPlane) -> ControlPlane:
    """The control plane with our CRDs."""
    control_plane.kubectl("apply", "-f", ROOT / "crds", check=True)
    crds = [f"crd/{plural}.tollhouse.dev" for plural in PLURALS.values()]
    control_plane.kubectl("wait", "--for=condition=Established", "--timeout=30s", *crds, check=True)
    if control_plane.get("namespace", "shop") is None:
        control_plane.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    return control_plane


@pytest.fixture
def api_server(installed: ControlPlane) -> Any:
    server = ApiServer(installed)
    yield server
    server.close()

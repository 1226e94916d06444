"""ApprovalRequests as a proxy makes them, and votes on them, on a real API server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from kit.asked import spec_of_request
from real.operator.callers import MERGE, Reply
from real.operator.installed import Installed


def collection(namespace: str) -> str:
    """The path of a namespace's requests."""
    return f"/apis/tollhouse.dev/v1alpha1/namespaces/{namespace}/approvalrequests"


def proxy(namespace: str, connection: str = "orders-db") -> str:
    """The user that a Connection's proxies are."""
    return f"system:serviceaccount:{namespace}:{connection}-proxy"


def at(**later: float) -> str:
    """A moment from now, as the API writes it."""
    moment = datetime.now(UTC) + timedelta(**later)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def request_of(namespace: str, **spec: Any) -> dict[str, Any]:
    """A request by agents/triage on orders-db, for one of the managers, open for 15 minutes."""
    return {
        "apiVersion": "tollhouse.dev/v1alpha1",
        "kind": "ApprovalRequest",
        "metadata": {"generateName": "orders-db-", "namespace": namespace},
        "spec": spec_of_request(at(minutes=15), **spec),
    }


def create(tollhouse: Installed, namespace: str, document: Mapping[str, Any], user: str) -> Reply:
    """Creates it in the name of `user` ("admin": nobody is impersonated)."""
    caller = tollhouse.person("admin", "" if user == "admin" else user)
    return caller.call("POST", collection(namespace), document)


def ask(tollhouse: Installed, namespace: str, **spec: Any) -> str:
    """A new request by its own proxy; its name."""
    made = create(tollhouse, namespace, request_of(namespace, **spec), proxy(namespace))
    assert made.passed, made.message
    return str(made.object["metadata"]["name"])


def patch(
    tollhouse: Installed,
    namespace: str,
    name: str,
    user: str,
    groups: Sequence[str],
    spec: Mapping[str, Any],
    dry: bool = False,
) -> Reply:
    """`user` of `groups` merge-patches `spec`."""
    caller = tollhouse.person("admin", user, groups)
    return caller.call("PATCH", f"{collection(namespace)}/{name}", {"spec": dict(spec)}, MERGE, dry)


def votes_are_taken(tollhouse: Installed, namespace: str) -> None:
    """Waits until the API server's policies know the type: it learns of new CRDs only now and then."""
    name = ask(tollhouse, namespace)
    vote = {"decision": "Approved"}
    tollhouse.until(
        lambda: patch(tollhouse, namespace, name, "alice", ["managers"], vote, dry=True).passed,
        "votes are taken",
        within=90,
    )


def status(tollhouse: Installed, namespace: str, name: str) -> dict[str, Any]:
    """The request's status."""
    return (tollhouse.get("approvalrequest", name, namespace) or {}).get("status") or {}


def phase(tollhouse: Installed, namespace: str, name: str) -> str:
    """Where the request stands."""
    return str(status(tollhouse, namespace, name).get("phase", "Pending"))


def votes(tollhouse: Installed, namespace: str, name: str) -> list[dict[str, Any]]:
    """What people said."""
    found = tollhouse.get("approvalrequest", name, namespace) or {}
    return list(found["spec"].get("votes") or [])

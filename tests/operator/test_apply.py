"""What counts as somebody else's doing, and whose objects are never taken over."""

from __future__ import annotations

from typing import Any

import pytest

from tollhouse_operator.apply import OwnedByAnother, foreign_managers, refuse_strangers, whole

OWNER = {"kind": "Connection", "name": "orders-db", "uid": "1", "controller": True}


def manifest(**more: Any) -> dict[str, Any]:
    metadata = {
        "name": "orders-db",
        "namespace": "shop",
        "labels": {"ours": "yes"},
        "ownerReferences": [OWNER],
    }
    return {"kind": "Deployment", "metadata": metadata, "spec": {"template": {"metadata": {}}}, **more}


def managed(manager: str, fields: dict[str, Any], subresource: str = "") -> dict[str, Any]:
    entry: dict[str, Any] = {"manager": manager, "fieldsV1": fields}
    if subresource:
        entry["subresource"] = subresource
    return entry


def seen(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"managedFields": list(entries)}}


SPEC: dict[str, Any] = {"f:spec": {"f:replicas": {}}}
RESTART: dict[str, Any] = {
    "f:spec": {
        "f:template": {"f:metadata": {"f:annotations": {".": {}, "f:kubectl.kubernetes.io/restartedAt": {}}}}
    }
}


@pytest.mark.parametrize(
    ("entry", "foreign"),
    [
        (managed("tollhouse-operator", SPEC), False),
        (managed("kubectl-edit", SPEC), True),
        (managed("kubectl-edit", {"f:metadata": {"f:labels": {"f:x": {}}}}), False),
        (managed("kubectl-edit", {"f:rules": {}}), True),
        (managed("kubectl-edit", {"f:data": {"f:bundle.json": {}}}), True),
        (managed("kube-controller-manager", {"f:status": {"f:replicas": {}}}, "status"), False),
        (managed("kubectl-rollout", RESTART), False),
        (managed("kubectl-rollout", {"f:spec": {**RESTART["f:spec"], "f:paused": {}}}), True),
    ],
)
def test_who_has_a_say_in_the_content(entry: dict[str, Any], foreign: bool) -> None:
    assert bool(foreign_managers(seen(managed("tollhouse-operator", SPEC), entry))) is foreign


def test_putting_back_keeps_a_restart_and_what_is_not_ours_to_judge() -> None:
    now = {
        "metadata": {
            "resourceVersion": "7",
            "labels": {"team": "a", "ours": "no"},
            "annotations": {"deployment.kubernetes.io/revision": "3"},
        },
        "spec": {
            "template": {
                "metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now", "spy": "yes"}}
            }
        },
    }
    body = whole(manifest(), now)
    assert body["metadata"]["resourceVersion"] == "7"
    assert body["metadata"]["labels"] == {"team": "a", "ours": "yes"}
    assert body["spec"]["template"]["metadata"]["annotations"] == {"kubectl.kubernetes.io/restartedAt": "now"}


def test_a_service_keeps_its_address() -> None:
    now = {
        "metadata": {"resourceVersion": "1"},
        "spec": {"clusterIP": "10.0.0.1", "externalIPs": ["192.0.2.1"]},
    }
    body = whole(manifest(kind="Service", spec={"ports": []}), now)
    assert body["spec"] == {"ports": [], "clusterIP": "10.0.0.1"}


@pytest.mark.parametrize(
    "metadata",
    [
        {"ownerReferences": [OWNER]},
        {"ownerReferences": [{**OWNER, "uid": "of-the-former-one"}]},
        {"labels": {"app.kubernetes.io/managed-by": "tollhouse-operator"}},
    ],
)
def test_what_is_ours_is_taken(metadata: dict[str, Any]) -> None:
    refuse_strangers({"metadata": {"name": "orders-db", **metadata}}, manifest())


@pytest.mark.parametrize(
    ("metadata", "holder"),
    [
        ({}, "nobody Tollhouse knows"),
        ({"labels": {"app.kubernetes.io/managed-by": "Helm"}}, "nobody Tollhouse knows"),
        ({"ownerReferences": [{**OWNER, "kind": "App", "uid": "2"}]}, "App orders-db"),
        ({"ownerReferences": [{**OWNER, "name": "other", "uid": "2"}]}, "Connection other"),
    ],
)
def test_what_belongs_to_others_is_left(metadata: dict[str, Any], holder: str) -> None:
    with pytest.raises(OwnedByAnother, match=f"belongs to {holder}"):
        refuse_strangers({"metadata": {"name": "orders-db", **metadata}}, manifest())

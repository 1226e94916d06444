"""Our CRDs on a real API server, as people meet them through kubectl."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from kit.control_plane import ControlPlane
from tollhouse_core.api import parse_object, to_document

EXAMPLES = Path(__file__).parent / "examples"
pytestmark = pytest.mark.apiserver


def example(name: str) -> dict[str, Any]:
    document = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8"))
    document["metadata"].pop("namespace", None)
    # Through our own types, so that times are text again.
    made = to_document(parse_object(document))
    made.pop("status", None)
    return made


@pytest.fixture
def here(installed: ControlPlane) -> str:
    return installed.namespace("api")


def patched(plane: ControlPlane, namespace: str, patch: dict[str, Any], *more: str) -> str:
    """What kubectl says when the approval request is patched; "" if it is taken."""
    done = plane.kubectl(
        "-n", namespace, "patch", "appr", "orders-db-x7k2p", "--type", "merge", "-p", json.dumps(patch), *more
    )
    return "" if done.returncode == 0 else done.stderr


@pytest.fixture
def request_(installed: ControlPlane, here: str) -> str:
    document = example("approval-request")
    for field in ("decision", "reason", "votes"):
        del document["spec"][field]
    installed.kubectl("-n", here, "create", "-f", "-", input=json.dumps(document), check=True)
    return here


CHANGES: list[tuple[str, Any]] = [
    ("connection", "other"),
    ("instance", "another-proxy"),
    ("instance", None),
    ("session", "s-1"),
    ("requester", {"name": "somebody"}),
    ("requester", {"onBehalfOf": None}),
    ("operation", {"text": "DELETE FROM public.orders"}),
    ("operation", {"digest": "sha256:ff"}),
    ("operation", {"parameters": ["8"]}),
    ("effect", {"rows": 2}),
    ("effect", None),
    ("policy", {"ruleHash": "sha256:ff"}),
    ("approvers", [{"group": "developers"}]),
    ("escalation", None),
    ("escalation", [{"after": "1s", "approvers": [{"group": "developers"}]}]),
    ("expiresAt", "2040-01-01T00:00:00Z"),
]


def test_nothing_of_a_request_can_be_changed_but_what_people_say(
    installed: ControlPlane, request_: str
) -> None:
    for field, value in CHANGES:
        said = patched(installed, request_, {"spec": {field: value}})
        assert f"spec.{field}: Invalid value" in said, (field, value, said)
        assert f"{field} cannot be changed; make your decision in spec.decision" in said


def test_a_decision_and_its_reason_and_votes_can_be_written(installed: ControlPlane, request_: str) -> None:
    assert patched(installed, request_, {"spec": {"decision": "Approved", "reason": "Ticket 4711"}}) == ""
    vote = {"by": "alice", "decision": "Approved", "at": "2030-01-01T00:00:00Z"}
    assert patched(installed, request_, {"spec": {"votes": [vote], "decision": None}}) == ""


def test_a_request_shows_what_people_need_to_decide(installed: ControlPlane, request_: str) -> None:
    status = {"status": {"phase": "Pending", "votes": "0/1"}}
    assert patched(installed, request_, status, "--subresource=status") == ""
    shown = installed.kubectl("-n", request_, "get", "appr", check=True).stdout.splitlines()
    head, line = shown[0].split(), shown[1]
    assert head == ["NAME", "CONNECTION", "REQUESTER", "OPERATION", "PHASE", "VOTES", "EXPIRES", "AGE"]
    for part in (
        "orders-db-x7k2p",
        "triage",
        "DELETE FROM public.orders",
        "Pending",
        "0/1",
        "2030-01-01T10:15:00Z",
    ):
        assert part in line


def test_a_connection_shows_how_far_its_proxies_are(installed: ControlPlane, here: str) -> None:
    installed.kubectl("-n", here, "create", "-f", "-", input=json.dumps(example("connection")), check=True)
    before = installed.kubectl("-n", here, "get", "conn", check=True).stdout.splitlines()
    assert before[0].split() == ["NAME", "PROTOCOL", "ENDPOINT", "READY", "POLICIES", "CURRENT", "AGE"]
    status = {
        "status": {
            "protocol": "postgres",
            "endpoint": "orders-db.shop.svc:5432",
            "policies": 3,
            "proxies": {"ready": 2, "current": 1},
            "conditions": [{"type": "Ready", "status": "True", "reason": "ProxiesCurrent", "message": ""}],
        }
    }
    installed.kubectl(
        "-n",
        here,
        "patch",
        "conn",
        "orders-db",
        "--subresource=status",
        "--type=merge",
        "-p",
        json.dumps(status),
        check=True,
    )
    line = installed.kubectl("-n", here, "get", "conn", check=True).stdout.splitlines()[1].split()
    assert line[:-1] == ["orders-db", "postgres", "orders-db.shop.svc:5432", "True", "3", "1"]


def test_the_api_server_fills_in_the_defaults_our_types_have(installed: ControlPlane, here: str) -> None:
    document = yaml.safe_load((EXAMPLES / "connection-secret.yaml").read_text(encoding="utf-8"))
    del document["metadata"]["namespace"]
    document["spec"]["proxy"] = {}
    installed.kubectl("-n", here, "create", "-f", "-", input=json.dumps(document), check=True)
    stored = installed.get("conn", "orders-db", here)
    assert stored is not None
    assert stored["spec"]["proxy"] == {"replicas": 2}
    assert stored["spec"]["postgres"]["port"] == 5432
    assert parse_object(stored).spec == parse_object(document).spec


def test_a_stored_object_reads_as_the_one_that_was_written(installed: ControlPlane, here: str) -> None:
    for name in ("access-policy", "access-policy-masks", "access-policy-other-protocols", "connection-kv"):
        document = example(name)
        installed.kubectl("-n", here, "create", "-f", "-", input=json.dumps(document), check=True)
        stored = installed.get(document["kind"], document["metadata"]["name"], here)
        assert stored is not None
        assert parse_object(stored).spec == parse_object(document).spec


def test_status_is_written_apart_from_the_spec(installed: ControlPlane, here: str) -> None:
    document = example("audit-sink-stdout")
    document["status"] = {"conditions": [{"type": "Ready", "status": "True"}]}
    installed.kubectl("-n", here, "create", "-f", "-", input=json.dumps(document), check=True)
    stored = installed.get("sink", "archive", here)
    assert stored is not None
    assert "status" not in stored


def test_two_rules_of_one_name_are_refused_on_update_too(installed: ControlPlane, here: str) -> None:
    document = example("access-policy-masks")
    installed.kubectl("-n", here, "create", "-f", "-", input=json.dumps(document), check=True)
    document["spec"]["rules"].append(copy.deepcopy(document["spec"]["rules"][0]))
    done = installed.kubectl("-n", here, "replace", "-f", "-", input=json.dumps(document))
    assert "Duplicate value" in done.stderr


def test_the_whole_family_is_listed_by_its_category(installed: ControlPlane, here: str) -> None:
    installed.kubectl("-n", here, "create", "-f", "-", input=json.dumps(example("connection")), check=True)
    installed.kubectl("-n", here, "create", "-f", "-", input=json.dumps(example("access-policy")), check=True)
    listed = installed.kubectl("-n", here, "get", "tollhouse", "-o", "name", check=True).stdout.split()
    assert "connection.tollhouse.dev/orders-db" in listed
    assert "accesspolicy.tollhouse.dev/support-agents" in listed


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("conn.spec.session.idleTimeout", "Absent: never."),
        ("apol.spec.rules.mask.with", "What is shown instead."),
        ("appr.spec.decision", "Write Approved or Denied here to vote"),
        ("idp.spec.oidc.claims.kubernetesUser", "Kubernetes user"),
        ("sink.spec.file.path", "Absolute path"),
    ],
)
def test_kubectl_explains_every_field(installed: ControlPlane, path: str, words: str) -> None:
    explained = installed.kubectl("explain", path, check=True).stdout
    assert words in " ".join(explained.split())


def test_the_largest_policy_the_schema_allows_is_judged_in_time(installed: ControlPlane, here: str) -> None:
    document = example("access-policy-masks")
    rule = document["spec"]["rules"][0]
    document["spec"]["rules"] = [{**rule, "name": f"rule-{number}"} for number in range(128)]
    installed.kubectl("-n", here, "create", "-f", "-", input=json.dumps(document), check=True)
    document["spec"]["rules"].append({**rule, "name": "one-more"})
    done = installed.kubectl("-n", here, "replace", "-f", "-", input=json.dumps(document))
    assert "must have at most 128 items" in done.stderr

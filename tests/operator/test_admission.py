"""Reviews by themselves: what is stored, what is refused, and in which words."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tollhouse_core.api import parse_object
from tollhouse_core.api.connection import Connection
from tollhouse_dialects import LANGUAGES
from tollhouse_operator.admission.answer import Answer, BadReview, Request, read_review, write_review
from tollhouse_operator.admission.review import review
from tollhouse_operator.admission.votes import judge_votes

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
OPERATOR = "system:serviceaccount:tollhouse-system:tollhouse-operator"


def connection(name: str = "orders-db", **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "tollhouse.dev/v1alpha1",
        "kind": "Connection",
        "metadata": {"name": name, "namespace": "shop", **metadata},
        "spec": {
            "postgres": {"host": "db", "database": "orders"},
            "credentials": {"secretRef": {"name": "login"}},
            "identity": {"providers": ["not-made-yet"]},
        },
    }


def policy(*rules: dict[str, Any], connections: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "apiVersion": "tollhouse.dev/v1alpha1",
        "kind": "AccessPolicy",
        "metadata": {"name": "p", "namespace": "shop"},
        "spec": {
            "connections": connections or {"names": ["orders-db"]},
            "subjects": [{"authenticated": {}}],
            "rules": list(rules),
        },
    }


def asked(new: dict[str, Any] | None, old: dict[str, Any] | None = None, user: str = "alice") -> Request:
    subject = new or old or {}
    return Request(
        uid="1",
        operation="UPDATE" if old else "CREATE",
        kind=str(subject.get("kind")),
        sub_resource="",
        namespace="shop",
        name="p",
        user=user,
        groups=("managers",),
        new=new,
        old=old,
    )


def known(*documents: dict[str, Any]) -> list[Connection]:
    parsed = [parse_object(document) for document in documents]
    return [one for one in parsed if isinstance(one, Connection)]


READ = {"name": "read", "allow": {"sql": {"access": ["Select"], "tables": ["orders"]}}}


def test_a_good_policy_passes() -> None:
    assert review(asked(policy(READ)), known(connection()), LANGUAGES) == Answer(True)


def test_a_policy_for_what_is_not_there_yet_passes_with_a_warning() -> None:
    answer = review(asked(policy(READ)), [], LANGUAGES)
    assert answer.allowed
    assert answer.warnings == ["selects no Connection of this namespace, so far"]


@pytest.mark.parametrize("connections", [[], known(connection())], ids=["before its Connection", "after"])
@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ({**READ, "when": "operation.nonsense"}, "spec.rules[1].when"),
        ({"name": "f", "filter": {"tables": ["orders"], "where": "a = = b"}}, "spec.rules[1].filter.where"),
        ({"name": "nothing"}, "spec.rules[1]"),
        ({**READ, "unknown": 1}, "spec.rules[1].unknown"),
    ],
)
def test_a_bad_rule_is_refused_with_its_path(
    connections: list[Connection], rule: dict[str, Any], path: str
) -> None:
    document = policy(READ, {**rule, "name": "second"})
    answer = review(asked(document), connections, LANGUAGES)
    assert not answer.allowed
    assert answer.message.startswith(f"AccessPolicy shop/p: {path}")


def test_a_rule_for_another_protocol_is_a_mistake_once_the_connection_is_known() -> None:
    document = policy({"name": "m", "allow": {"mcp": {"tools": ["*"]}}})
    assert review(asked(document), [], LANGUAGES).allowed
    refused = review(asked(document), known(connection()), LANGUAGES)
    assert "spec.rules[0].allow.mcp" in refused.message


def test_a_selector_that_no_supposed_labels_meet_is_no_mistake() -> None:
    selector = {"selector": {"matchExpressions": [{"key": "tier", "operator": "In", "values": ["gold"]}]}}
    assert review(asked(policy(READ, connections=selector)), [], LANGUAGES).allowed


def test_references_to_what_is_not_there_yet_are_no_mistake() -> None:
    assert review(asked(connection()), [], LANGUAGES).allowed


def test_an_unreadable_connection_is_refused() -> None:
    document = connection()
    document["spec"]["postgres"]["port"] = 0
    answer = review(asked(document), [], LANGUAGES)
    assert not answer.allowed
    assert "spec.postgres.port" in answer.message


def test_a_deletion_is_never_held_up() -> None:
    broken = policy({"name": "x"})
    broken["metadata"]["deletionTimestamp"] = "2026-05-01T00:00:00Z"
    assert review(asked(broken, old=broken), [], LANGUAGES).allowed
    assert review(asked(None, old=policy(READ)), [], LANGUAGES).allowed


def test_a_status_of_another_version_does_not_spoil_the_object() -> None:
    document = {**policy(READ), "status": {"fromTheFuture": 1}}
    assert review(asked(document), known(connection()), LANGUAGES).allowed


def test_a_review_is_read_and_answered() -> None:
    body = {
        "request": {
            "uid": "u-1",
            "operation": "UPDATE",
            "kind": {"kind": "AccessPolicy"},
            "namespace": "shop",
            "name": "p",
            "userInfo": {"username": "alice", "groups": ["managers"]},
            "object": {},
            "oldObject": None,
        }
    }
    read = read_review(json.dumps(body).encode())
    assert (read.user, read.groups, read.old) == ("alice", ("managers",), None)
    written = write_review(read.uid, Answer(True, patch=({"op": "remove", "path": "/x"},)))
    assert json.loads(base64.b64decode(written["response"]["patch"])) == [{"op": "remove", "path": "/x"}]
    refused = write_review(read.uid, Answer(False, "because"))["response"]
    assert (refused["allowed"], refused["status"]["message"]) == (False, "because")


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"request": {}}', b'{"request": {"uid": "1"}}'])
def test_what_is_no_review_is_no_review(body: bytes) -> None:
    with pytest.raises(BadReview):
        read_review(body)


def request(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "tollhouse.dev/v1alpha1",
        "kind": "ApprovalRequest",
        "metadata": {"name": "r", "namespace": "shop"},
        "spec": {
            "connection": "orders-db",
            "requester": {"name": "triage", "provider": "corp"},
            "operation": {"text": "DELETE FROM orders", "digest": "sha256:01"},
            "policy": {"name": "p", "rule": "r", "ruleHash": "sha256:02"},
            "approvers": [{"group": "managers"}],
            "expiresAt": "2026-05-01T12:15:00Z",
            **spec,
        },
    }


def test_the_webhook_stamps_a_vote() -> None:
    answer = judge_votes(asked(request(decision="Approved", reason="ok"), request()), OPERATOR, NOW)
    assert answer.allowed
    add, *removals = answer.patch
    assert add["path"] == "/spec/votes"
    (vote,) = add["value"]
    assert (vote["by"], vote["groups"], vote["decision"], vote["reason"]) == (
        "alice",
        ["managers"],
        "Approved",
        "ok",
    )
    assert [one["path"] for one in removals] == ["/spec/decision", "/spec/reason"]


def test_the_webhook_knows_the_time() -> None:
    late = datetime(2026, 5, 1, 13, tzinfo=UTC)
    answer = judge_votes(asked(request(decision="Approved"), request()), OPERATOR, late)
    assert not answer.allowed
    assert "too late" in answer.message


def test_a_change_without_a_vote_passes_unpatched() -> None:
    assert judge_votes(asked(request(), request()), OPERATOR, NOW) == Answer(True)


PROXY = "system:serviceaccount:shop:orders-db-proxy"


def on_status(new: dict[str, Any], old: dict[str, Any], user: str) -> Answer:
    return judge_votes(replace(asked(new, old, user), sub_resource="status"), OPERATOR, NOW)


def test_the_status_of_anothers_request_is_not_had_by_calling_it_ones_own() -> None:
    used = {**request(connection="billing-db"), "status": {"phase": "Used"}}
    answer = on_status(used, request(), "system:serviceaccount:shop:billing-db-proxy")
    assert not answer.allowed
    assert "is written by its proxy and the operator" in answer.message


@pytest.mark.parametrize("end", ["Denied", "Expired", "Used", "Withdrawn"])
@pytest.mark.parametrize("user", [PROXY, OPERATOR])
def test_a_request_that_has_ended_stays_so(end: str, user: str) -> None:
    ended = {**request(), "status": {"phase": end}}
    for phase in ({"phase": "Approved"}, {"phase": "Pending"}, {}):
        answer = on_status({**request(), "status": phase}, ended, user)
        assert answer.message == f"the request is {end}, and stays so: a new one must be asked for"
    assert on_status({**request(), "status": {"phase": end, "uses": 1}}, ended, user) == Answer(True)
    open_one = {**request(), "status": {"phase": "Approved"}}
    assert on_status(ended, open_one, user) == Answer(True)


@pytest.mark.parametrize(
    "metadata",
    [
        {"labels": {"tollhouse.dev/connection": "other"}},
        {"labels": {}},
        {"annotations": {"a": "b"}},
        {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "1"}]},
        {"finalizers": ["theirs/one", "mine/too"]},
    ],
)
def test_what_a_request_hangs_on_stays_as_its_proxy_made_it(metadata: dict[str, Any]) -> None:
    made, changed = request(), request(decision="Approved")
    made["metadata"] |= {"labels": {"tollhouse.dev/connection": "orders-db"}, "finalizers": ["theirs/one"]}
    changed["metadata"] = {**made["metadata"], **metadata}
    answer = judge_votes(asked(changed, made), OPERATOR, NOW)
    assert not answer.allowed
    assert answer.message.startswith("labels, annotations, owners and finalizers of a request stay")


def test_a_finalizer_may_be_taken_away() -> None:
    held = request()
    held["metadata"]["finalizers"] = ["foregroundDeletion"]
    assert judge_votes(asked(request(), held), OPERATOR, NOW) == Answer(True)

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import yaml

from tollhouse_core import masks
from tollhouse_core.api import API_OBJECTS, InvalidObject, parse_object, to_document
from tollhouse_core.api.access_policy import AccessPolicy
from tollhouse_core.api.approval_request import ApprovalRequest, Decision, Phase
from tollhouse_core.api.connection import Connection, ProxyTlsMode
from tollhouse_core.api.documents import parse_part
from tollhouse_core.api.identity_provider import IdentityProvider, OidcProvider
from tollhouse_core.api.meta import ObjectMeta
from tollhouse_core.api.selection import ConnectionSelection, LabelSelector
from tollhouse_core.api.targets import PostgresTarget

EXAMPLES = Path(__file__).parent / "examples"


def example(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8"))
    return document


def problems(document: Any) -> list[str]:
    with pytest.raises(InvalidObject) as refusal:
        parse_object(document)
    return [str(problem) for problem in refusal.value.problems]


def test_a_connection_knows_its_protocol_and_target() -> None:
    connection = parse_object(example("connection-secret"))
    assert isinstance(connection, Connection)
    assert connection.protocol == "postgres"
    assert isinstance(connection.target, PostgresTarget)
    assert connection.target.address == "orders.internal:5432"
    assert connection.target.default_schema == "public"
    assert connection.title == "Connection shop/orders-db"


@pytest.mark.parametrize("protocol", ["mysql", "mongodb", "ssh", "kubernetes", "http", "mcp"])
def test_a_connection_of_a_protocol_not_built_yet_is_read(protocol: str) -> None:
    connection = parse_object(example(f"connection-{protocol}"))
    assert isinstance(connection, Connection)
    assert connection.protocol == protocol
    assert connection.target.address


def test_what_is_not_said_has_its_default() -> None:
    connection = parse_object(example("connection-secret"))
    assert isinstance(connection, Connection)
    assert connection.spec.identity.providers == ()
    assert connection.spec.identity.audiences == ("tollhouse",)
    assert connection.spec.proxy.replicas == 2
    assert connection.spec.proxy.tls.mode is ProxyTlsMode.REQUIRE
    assert connection.spec.session.max_duration is None
    assert connection.spec.postgres is not None
    assert connection.spec.postgres.tls.mode == "VerifyFull"


def test_durations_are_numbers_of_seconds() -> None:
    connection = parse_object(example("connection"))
    assert isinstance(connection, Connection)
    assert connection.spec.session.max_duration is not None
    assert connection.spec.session.max_duration.seconds == 8 * 3600
    assert str(connection.spec.session.max_duration) == "8h"


def test_a_rule_knows_its_action_and_its_selector() -> None:
    policy = parse_object(example("access-policy"))
    assert isinstance(policy, AccessPolicy)
    rules = {rule.name: rule for rule in policy.spec.rules}
    assert rules["refunds-need-a-manager"].action == "requireApproval"
    assert rules["short-visits"].action == "session"
    deny = rules["never"].deny
    assert deny is not None
    assert deny.language == "sql"
    assert deny.selector == deny.sql
    assert rules["no-blind-updates"].except_[0].user == "root"


def test_masks_come_in_the_words_of_the_core() -> None:
    policy = parse_object(example("access-policy-masks"))
    assert isinstance(policy, AccessPolicy)
    written = [rule.mask.with_.mask for rule in policy.spec.rules if rule.mask]
    assert written == [
        masks.Nullify(),
        masks.Redact(""),
        masks.Token(masks.TokenScope.NAMESPACE),
        masks.Truncate(masks.TruncateTo.MONTH),
        masks.Bucket(0.5),
        masks.Nullify(),
    ]


def test_detectors_are_names_or_patterns() -> None:
    policy = parse_object(example("access-policy"))
    assert isinstance(policy, AccessPolicy)
    mask = policy.spec.rules[3].mask
    assert mask is not None
    assert mask.content is not None
    assert [one.detector for one in mask.content] == [
        masks.Detector(name=masks.DetectorName.PAYMENT_CARD),
        masks.Detector(pattern=r"EMP-\d{6}"),
    ]
    assert to_document(policy)["spec"]["rules"][3]["mask"]["content"] == [
        "PaymentCard",
        {"pattern": r"EMP-\d{6}"},
    ]


def test_an_approval_request_is_pending_until_somebody_says_otherwise() -> None:
    document = example("approval-request")
    del document["status"]
    request = parse_object(document)
    assert isinstance(request, ApprovalRequest)
    assert request.status.phase is Phase.PENDING
    assert request.spec.votes[0].decision is Decision.APPROVED
    assert "status" not in to_document(request)


def test_a_long_statement_has_a_short_line_for_lists() -> None:
    document = example("approval-request")
    request = parse_object(document)
    assert isinstance(request, ApprovalRequest)
    assert request.spec.operation.summary == "DELETE FROM public.orders WHERE id = $1"
    document["spec"]["operation"]["text"] = "SELECT\n  " + "a, " * 100
    request = parse_object(document)
    assert isinstance(request, ApprovalRequest)
    summary = request.spec.operation.summary
    assert (len(summary), summary[:12], summary[-3:]) == (80, "SELECT a, a,", "...")


def test_a_request_expires_on_a_whole_second() -> None:
    document = example("approval-request")
    document["spec"]["expiresAt"] = "2030-01-01T10:15:00.123456Z"
    assert to_document(parse_object(document))["spec"]["expiresAt"] == "2030-01-01T10:15:00Z"


def test_times_are_utc_here_and_rfc_3339_on_the_wire() -> None:
    document = example("approval-request")
    document["spec"]["expiresAt"] = "2030-01-01T12:00:00+02:00"
    request = parse_object(document)
    assert isinstance(request, ApprovalRequest)
    assert request.spec.expires_at == dt.datetime(2030, 1, 1, 10, tzinfo=dt.UTC)
    assert to_document(request)["spec"]["expiresAt"] == "2030-01-01T10:00:00Z"
    assert to_document(request)["spec"]["votes"][0]["at"] == "2030-01-01T10:01:00.250000Z"


def test_a_request_may_leave_its_name_to_be_generated() -> None:
    document = example("approval-request")
    document["metadata"] = {"generateName": "orders-db-", "namespace": "shop"}
    request = parse_object(document)
    assert request.name == ""
    assert to_document(request)["metadata"] == {"generateName": "orders-db-", "namespace": "shop"}


def test_an_object_without_any_name_is_refused() -> None:
    document = example("audit-sink-stdout")
    document["metadata"] = {"namespace": "shop"}
    assert problems(document) == ["AuditSink shop/: metadata.name: required, but missing"]


def test_a_namespace_not_said_is_default_and_a_provider_has_none() -> None:
    document = example("audit-sink-stdout")
    del document["metadata"]["namespace"]
    assert parse_object(document).namespace == "default"
    assert parse_object(example("identity-provider-oidc")).namespace == ""
    assert parse_object(example("identity-provider-oidc")).title == "IdentityProvider corp"


def test_what_kubernetes_adds_to_metadata_is_no_error() -> None:
    document = example("connection")
    document["metadata"] |= {"managedFields": [{"manager": "kubectl"}], "selfLink": "/x", "generation": 4}
    assert parse_object(document).metadata.generation == 4


def test_a_status_of_a_newer_version_is_read_as_far_as_it_is_known() -> None:
    document = example("connection")
    document["status"]["fromTheFuture"] = {"a": 1}
    document["status"]["conditions"][0]["severity"] = "Info"
    connection = parse_object(document)
    assert isinstance(connection, Connection)
    assert connection.status.policies == 3
    ready = connection.status.condition("Ready")
    assert ready is not None
    assert ready.status == "True"


def test_every_problem_is_told_at_once_in_the_order_of_the_document() -> None:
    document = example("access-policy")
    document["spec"]["subjects"] = []
    document["spec"]["rules"][1]["mask"]["with"] = {}
    document["spec"]["rules"][9]["limit"]["per"] = "soon"
    document["spec"]["rules"][11]["sesion"] = {}
    told = problems(document)
    assert [line.split(": ")[1] for line in told] == [
        "spec.subjects",
        "spec.rules[1].mask.with",
        "spec.rules[9].limit.per",
        "spec.rules[11].sesion",
    ]


def test_a_field_with_nothing_behind_it_is_not_an_absent_one() -> None:
    document = example("access-policy")
    document["spec"]["rules"][12]["when"] = None
    document["spec"]["rules"][3]["mask"]["columns"] = None
    assert problems(document) == [
        "AccessPolicy shop/support-agents: spec.rules[3].mask.columns: "
        "expected a value, found nothing; write one or take the field away",
        "AccessPolicy shop/support-agents: spec.rules[12].when: "
        "expected a value, found nothing; write one or take the field away",
    ]


def test_kubectl_may_leave_nothing_in_metadata_and_status() -> None:
    document = example("connection-secret")
    document["metadata"]["creationTimestamp"] = None
    document["status"] = {}
    assert parse_object(document).metadata.creation_timestamp is None


def test_an_unknown_field_far_from_any_known_one_lists_those() -> None:
    document = example("audit-sink-file")
    document["spec"]["file"]["zzz"] = 1
    assert problems(document) == ["AuditSink shop/archive: spec.file.zzz: unknown field; known here: path"]


def test_an_unknown_kind_asks_for_the_one_that_was_meant() -> None:
    told = problems({"apiVersion": "tollhouse.dev/v1alpha1", "kind": "AcessPolicy"})
    assert told[0].startswith("kind: expected one of Connection, ")
    assert told[0].endswith("found 'AcessPolicy'; did you mean AccessPolicy?")


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, "apiVersion: required, but missing; write tollhouse.dev/v1alpha1"),
        ({"apiVersion": "v1", "kind": "Secret"}, "apiVersion: expected tollhouse.dev/v1alpha1, found 'v1'"),
        ({"apiVersion": "tollhouse.dev/v1alpha1"}, "kind: required, but missing; expected one of Connection"),
        ({"apiVersion": "tollhouse.dev/v1alpha1", "kind": 7}, "found 7"),
        ({"apiVersion": "tollhouse.dev/v1alpha1", "kind": ["a"]}, "found ['a']"),
        ({"apiVersion": "tollhouse.dev/v1alpha1", "kind": [[["a"] * 10] * 10] * 10}, "found [[["),
        ("kind: Connection", "expected an object (a mapping), found text"),
        (None, "expected an object (a mapping), found nothing"),
        ([1], "expected an object (a mapping), found a list"),
        ({"apiVersion": "tollhouse.dev/v1alpha1", "kind": "Connection"}, "metadata: required, but missing"),
        (
            {"apiVersion": "tollhouse.dev/v1alpha1", "kind": "Connection", "metadata": 3},
            "metadata: expected an object",
        ),
    ],
)
def test_what_is_no_object_of_ours_is_refused_in_words(document: Any, words: str) -> None:
    assert words in problems(document)[0]


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def laughing(levels: int) -> Any:
    value: Any = ["ha"] * 10
    for _ in range(levels):
        value = [value] * 10
    return value


def itself() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (nested(5000), "nested no deeper than 64 levels"),
        (laughing(9), "at most 200000 values"),
        (itself(), "nested no deeper than 64 levels"),
        ({1: 2}, "expected text as a field's name, found 1; put it in quotes"),
        (float("nan"), "expected a finite number"),
        (float("inf"), "expected a finite number"),
        ({"a", "b"}, "expected plain YAML or JSON values, found set"),
        (b"bytes", "expected plain YAML or JSON values, found bytes"),
        ("\ud800", "valid Unicode"),
        (10**5000, "fits in 64 bits"),
    ],
    ids=["deep", "many", "cyclic", "key", "nan", "infinite", "set", "bytes", "surrogate", "huge"],
)
def test_hostile_values_are_refused_in_words(value: Any, words: str) -> None:
    document = example("connection-secret")
    document["spec"]["proxy"] = {"replicas": value}
    told = problems(document)
    assert words in told[0]
    assert told[0].startswith("Connection shop/orders-db: spec")
    assert len(told[0]) < 1000


def test_a_long_wrong_value_is_not_repeated_in_full() -> None:
    document = example("connection-secret")
    document["spec"]["session"] = {"maxDuration": "x" * 100_000}
    assert len(problems(document)[0]) < 400


def test_control_characters_of_a_wrong_value_are_escaped() -> None:
    document = example("connection-secret")
    document["spec"]["postgres"]["host"] = "a\x1b[31m b\u202e"
    assert "\x1b" not in problems(document)[0]
    assert "\u202e" not in problems(document)[0]


def test_odd_names_of_fields_are_quoted_in_paths() -> None:
    document = example("connection-secret")
    document["metadata"]["labels"] = {"app.kubernetes.io/name": 7}
    document["spec"]["a\x1bb"] = 1
    told = problems(document)
    assert "metadata.labels['app.kubernetes.io/name']: expected text; found 7; put it in quotes" in told[0]
    assert "spec['a\\x1bb']: unknown field" in told[1]


@pytest.mark.parametrize("place", ["name", "namespace"])
def test_hostile_names_stay_out_of_messages(place: str) -> None:
    for name in ("\x1b[31m", laughing(9), {"a": 1}, "n" * 10_000):
        document = example("connection-secret")
        document["metadata"][place] = name
        document["spec"] = {}
        for line in problems(document):
            assert "\x1b" not in line
            assert len(line) < 700


def test_no_more_than_fifty_problems_are_told() -> None:
    document = example("access-policy")
    document["spec"]["subjects"] = [{}] * 100
    assert len(problems(document)) == 50


def test_a_part_is_read_with_paths_of_its_own() -> None:
    with pytest.raises(InvalidObject) as refusal:
        parse_part(OidcProvider, {"issuer": "http://far.example"}, "IdentityProvider corp")
    assert str(refusal.value.problems[0]).startswith("IdentityProvider corp: issuer: expected an https URL")


def test_objects_are_made_in_the_program_by_their_python_names() -> None:
    spec = parse_object(example("identity-provider-oidc")).spec
    made = IdentityProvider.model_validate({"metadata": ObjectMeta(name="corp"), "spec": spec})
    assert made == parse_object(example("identity-provider-oidc"))


def test_objects_are_immutable() -> None:
    connection = parse_object(example("connection"))
    with pytest.raises(ValueError, match="frozen"):
        connection.spec = connection.spec


@pytest.mark.parametrize(
    ("selection", "labels", "selected"),
    [
        ({"names": ["orders-db"]}, {}, True),
        ({"names": ["other"]}, {"tier": "prod"}, False),
        ({"selector": {}}, {}, True),
        ({"selector": {"matchLabels": {"tier": "prod"}}}, {"tier": "prod", "a": "b"}, True),
        ({"selector": {"matchLabels": {"tier": "prod"}}}, {"tier": "test"}, False),
        (
            {"selector": {"matchExpressions": [{"key": "t", "operator": "In", "values": ["x"]}]}},
            {"t": "x"},
            True,
        ),
        ({"selector": {"matchExpressions": [{"key": "t", "operator": "In", "values": ["x"]}]}}, {}, False),
        ({"selector": {"matchExpressions": [{"key": "t", "operator": "NotIn", "values": ["x"]}]}}, {}, True),
        (
            {"selector": {"matchExpressions": [{"key": "t", "operator": "NotIn", "values": ["x"]}]}},
            {"t": "x"},
            False,
        ),
        ({"selector": {"matchExpressions": [{"key": "t", "operator": "Exists"}]}}, {"t": ""}, True),
        ({"selector": {"matchExpressions": [{"key": "t", "operator": "Exists"}]}}, {}, False),
        ({"selector": {"matchExpressions": [{"key": "t", "operator": "DoesNotExist"}]}}, {}, True),
        ({"selector": {"matchExpressions": [{"key": "t", "operator": "DoesNotExist"}]}}, {"t": "x"}, False),
    ],
)
def test_a_policy_selects_connections_as_kubernetes_selects(
    selection: dict[str, Any], labels: dict[str, str], selected: bool
) -> None:
    assert parse_part(ConnectionSelection, selection).matches("orders-db", labels) is selected


def test_every_kind_is_known_by_its_name() -> None:
    assert {kind: model.__name__ for kind, model in API_OBJECTS.items()} == {
        kind: kind for kind in API_OBJECTS
    }


def test_an_empty_selector_is_not_an_absent_one() -> None:
    assert LabelSelector().matches({"any": "thing"})

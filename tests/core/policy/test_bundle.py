"""Bundles: content-addressed, whole or not at all, the same wherever they are made."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kit.policies import bundle_of, connection_of, identity_of, operation_of, policy_of, problems_of, table
from tollhouse_core.api import parse_object
from tollhouse_core.api.access_policy import AccessPolicy
from tollhouse_core.api.audit_sink import AuditSink
from tollhouse_core.api.connection import Connection
from tollhouse_core.api.identity_provider import IdentityProvider
from tollhouse_core.policy.bundle import BadBundle, PolicyBundle, build_bundle
from tollhouse_core.token_issuer import TokenIssuer
from tollhouse_dialects import LANGUAGES

READ = "[{name: read, allow: {sql: {access: [Select], tables: [orders]}}}]"
DENY = "[{name: never, deny: {sql: {commands: ['DROP *']}}}]"


def changed(policy: AccessPolicy, **metadata: Any) -> AccessPolicy:
    return policy.model_copy(update={"metadata": policy.metadata.model_copy(update=metadata)})


def provider_of(name: str = "corp", **spec: Any) -> IdentityProvider:
    document = {
        "apiVersion": "tollhouse.dev/v1alpha1",
        "kind": "IdentityProvider",
        "metadata": {"name": name},
        "spec": spec or {"oidc": {"issuer": "https://login.example"}},
    }
    parsed = parse_object(document)
    assert isinstance(parsed, IdentityProvider)
    return parsed


def sink_of(name: str = "archive", namespace: str = "shop") -> AuditSink:
    document = {
        "apiVersion": "tollhouse.dev/v1alpha1",
        "kind": "AuditSink",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"stdout": {}},
    }
    parsed = parse_object(document)
    assert isinstance(parsed, AuditSink)
    return parsed


def test_a_bundle_survives_its_json_with_the_same_revision() -> None:
    bundle = bundle_of(READ, DENY)
    again = PolicyBundle.from_json(bundle.to_json(), LANGUAGES)
    assert again.revision == bundle.revision
    assert again.to_json() == bundle.to_json()
    assert again.rules == bundle.rules


def test_the_order_of_policies_and_rules_does_not_change_the_revision() -> None:
    one, other = policy_of(READ, name="a"), policy_of(DENY, name="b")
    assert bundle_of(one, other).revision == bundle_of(other, one).revision
    rules = yaml.safe_load(READ) + yaml.safe_load(DENY)
    assert bundle_of(policy_of(rules)).revision == bundle_of(policy_of(rules[::-1])).revision


def test_metadata_and_status_do_not_change_the_revision() -> None:
    policy = policy_of(READ)
    touched = changed(policy, labels={"x": "y"}, resource_version="77", generation=3, uid="u")
    assert bundle_of(touched).revision == bundle_of(policy).revision


def test_more_replicas_are_not_another_policy_but_another_target_is() -> None:
    before = bundle_of(READ).revision
    assert bundle_of(READ, connection=connection_of("proxy: {replicas: 9}")).revision == before
    assert bundle_of(READ, connection=connection_of("session: {maxDuration: 5m}")).revision != before


def test_any_change_of_a_rule_changes_the_revision() -> None:
    assert bundle_of(READ).revision != bundle_of(READ.replace("orders", "order")).revision


def test_a_policy_is_in_the_bundle_by_name_or_label_and_in_its_own_namespace_alone() -> None:
    connection = connection_of(labels={"tier": "prod"})
    by_label = policy_of(READ, connections={"selector": {"matchLabels": {"tier": "prod"}}})
    elsewhere = policy_of(READ, connections={"names": ["other-db"]})
    assert bundle_of(by_label, connection=connection).rules
    assert not bundle_of(by_label).rules
    assert not bundle_of(elsewhere).rules
    assert not bundle_of(changed(policy_of(READ), namespace="other")).rules


def test_how_a_policy_was_selected_does_not_change_the_revision() -> None:
    connection = connection_of(labels={"tier": "prod"})
    by_label = policy_of(READ, connections={"selector": {"matchLabels": {"tier": "prod"}}})
    assert (
        bundle_of(by_label, connection=connection).revision == bundle_of(READ, connection=connection).revision
    )


def test_one_bad_policy_means_no_bundle_and_all_its_problems() -> None:
    bad = """
    - {name: a, when: operatoin.x, allow: {sql: {access: [Select], tables: ["a b", "x.y.z"]}}}
    - {name: b, filter: {tables: [orders], where: "a = "}}
    """
    result = build_bundle(connection_of(), [policy_of(READ, name="good"), policy_of(bad)], [], [], LANGUAGES)
    assert result.bundle is None
    assert [problem.path for problem in result.problems] == [
        "spec.rules[0].when",
        "spec.rules[0].allow.sql.tables[0]",
        "spec.rules[0].allow.sql.tables[1]",
        "spec.rules[1].filter.where",
    ]
    assert {problem.object for problem in result.problems} == {"AccessPolicy shop/agents"}


@pytest.mark.parametrize(
    ("rules", "path", "words"),
    [
        (
            "[{when: operatoin.x, limit: {queries: 1, per: 1m}}]",
            "spec.rules[0].when",
            'unknown name "operatoin"',
        ),
        (
            "[{when: operation.hasWhere, session: {maxDuration: 1m}}]",
            "spec.rules[0].when",
            "knows no operation",
        ),
        ("[{allow: {ssh: {commands: [ls]}}}]", "spec.rules[0].allow.ssh", "selector sql, not ssh"),
        ("[{deny: {sql: {commands: [DORP TABLE]}}}]", "spec.rules[0].deny.sql.commands[0]", "DROP TABLE?"),
        (
            "[{mask: {columns: [email], with: {nullify: {}}}}]",
            "spec.rules[0].mask.columns[0]",
            "table.column",
        ),
        (
            "[{mask: {content: [{pattern: '('}], with: {nullify: {}}}}]",
            "spec.rules[0].mask.content[0].pattern",
            "RE2",
        ),
        (
            "[{mask: {content: [{pattern: 'a*'}], with: {nullify: {}}}}]",
            "spec.rules[0].mask.content[0].pattern",
            "empty",
        ),
        ("[{mask: {content: [Email], with: {bucket: {}}}}]", "spec.rules[0].mask.with", "whole values"),
        ("[{filter: {tables: ['\"x'], where: 'true'}}]", "spec.rules[0].filter.tables[0]", "does not end"),
        (
            "[{requireApproval: {sql: {commands: [VACUUM]}, approvers: [{group: g}], expiresAfter: 1m, "
            "escalation: [{after: 1m, approvers: [{group: h}]}]}}]",
            "spec.rules[0].requireApproval.escalation[0].after",
            "has ended by then",
        ),
    ],
)
def test_a_problem_has_its_path_and_says_what_to_do(rules: str, path: str, words: str) -> None:
    (problem,) = problems_of(rules)
    assert problem.path == path
    assert words in problem.message


def test_a_protocol_that_is_not_built_yet_is_a_problem_of_the_connection() -> None:
    document = {
        "apiVersion": "tollhouse.dev/v1alpha1",
        "kind": "Connection",
        "metadata": {"name": "box", "namespace": "shop"},
        "spec": {
            "ssh": {"host": "box.internal", "hostKeys": ["ssh-ed25519 AAAA"]},
            "credentials": {"secretRef": {"name": "box"}},
        },
    }
    connection = parse_object(document)
    assert isinstance(connection, Connection)
    (problem,) = build_bundle(connection, [], [], [], LANGUAGES).problems
    assert problem.path == "spec.ssh"
    assert "ssh is not built yet" in problem.message


def test_a_provider_or_sink_that_does_not_exist_is_a_problem() -> None:
    connection = connection_of("identity: {providers: [corp]}\naudit: {sinks: [archive]}")
    missing = build_bundle(connection, [], [], [sink_of(namespace="other")], LANGUAGES)
    assert [problem.path for problem in missing.problems] == [
        "spec.identity.providers[0]",
        "spec.audit.sinks[0]",
    ]
    assert [problem.message for problem in missing.problems] == [
        "there is no IdentityProvider corp",
        "there is no AuditSink archive in namespace shop",
    ]
    found = build_bundle(connection, [], [provider_of(), provider_of("b")], [sink_of()], LANGUAGES).bundle
    assert found is not None
    assert [provider.name for provider in found.providers] == ["corp"]
    assert [sink.name for sink in found.sinks] == ["archive"]
    again = PolicyBundle.from_json(found.to_json(), LANGUAGES)
    assert (again.revision, again.providers[0].spec, again.sinks[0].spec) == (
        found.revision,
        found.providers[0].spec,
        found.sinks[0].spec,
    )


TOKENS = TokenIssuer("https://tokens.example", ({"kty": "EC", "kid": "one"},))


@pytest.mark.parametrize(
    "spec",
    [
        {"tollhouse": {"subjects": ["corp"]}},
        {"saml": {"metadataRef": {"secret": "people", "key": "metadata.xml"}}},
    ],
)
def test_the_keys_of_the_token_endpoint_are_in_a_bundle_whose_providers_take_its_tokens(
    spec: dict[str, Any],
) -> None:
    connection = connection_of("identity: {providers: [corp]}")
    taking = [provider_of(**spec)]
    bundle = build_bundle(connection, [], taking, [], LANGUAGES, tokens=TOKENS).bundle
    assert bundle is not None
    assert PolicyBundle.from_json(bundle.to_json(), LANGUAGES).tokens == TOKENS
    other = build_bundle(connection, [], [provider_of()], [], LANGUAGES, tokens=TOKENS).bundle
    assert other is not None
    assert "tokens" not in json.loads(other.to_json())
    (problem,) = build_bundle(connection, [], taking, [], LANGUAGES).problems
    assert problem.path == "spec.identity.providers"
    assert "there is none here" in problem.message


def test_the_token_endpoint_is_not_taken_for_any_oidc_issuer() -> None:
    connection = connection_of("identity: {providers: [corp]}")
    hiding = provider_of(oidc={"issuer": "https://tokens.example"})
    (problem,) = build_bundle(connection, [], [hiding], [], LANGUAGES, tokens=TOKENS).problems
    assert "make it `tollhouse`" in problem.message


def test_a_rules_hash_is_its_own() -> None:
    def hashes(bundle: PolicyBundle) -> dict[str, str]:
        return {rule.head.ref.rule: rule.head.ref.hash for rule in bundle.rules}

    alone = hashes(bundle_of(READ))
    beside = hashes(bundle_of(policy_of(yaml.safe_load(READ) + yaml.safe_load(DENY))))
    edited = hashes(bundle_of(READ.replace("orders", "order")))
    assert alone["read"] == beside["read"] != edited["read"]
    assert alone["read"] != hashes(bundle_of(policy_of(READ, name="other")))["read"]


def test_identities_that_share_a_name_do_not_share_rules() -> None:
    bundle = bundle_of(policy_of(READ, subjects=[{"group": "support", "provider": "corp"}]))
    assert bundle.applicable(identity_of("a", "support")).allows
    assert not bundle.applicable(identity_of("a")).allows
    assert not bundle.applicable(identity_of("a", "support", provider="other")).allows


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"format":2}',
        '{"format":1}',
        '{"format":1,"connection":{},"policies":[],"providers":[],"sinks":[]}',
        "[" * 100_000,
    ],
)
def test_a_text_that_is_no_bundle_is_refused_in_words(text: str) -> None:
    with pytest.raises(BadBundle) as bad:
        PolicyBundle.from_json(text, LANGUAGES)
    assert 0 < len(str(bad.value)) <= 1000


def test_a_bundle_with_a_rule_that_does_not_compile_is_refused() -> None:
    text = bundle_of(READ).to_json().replace('"orders"]', '"or ders"]')
    with pytest.raises(BadBundle, match=r"spec\.rules\[0\]\.allow\.sql\.tables\[0\]"):
        PolicyBundle.from_json(text, LANGUAGES)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["format", "connection", "policies", "providers", "sinks", "kind", "spec"]),
                inner,
            )
        ),
        max_leaves=10,
    )
)
def test_no_json_document_raises_anything_but_bad_bundle(document: object) -> None:
    if isinstance(document, dict):
        document["format"] = 1
    with pytest.raises(BadBundle):
        PolicyBundle.from_json(json.dumps(document), LANGUAGES)


def test_a_bundle_stays_the_same_while_it_is_used() -> None:
    bundle = bundle_of(READ)
    text = bundle.to_json()
    for number in range(3000):
        identity = identity_of(f"user-{number}")
        assert bundle.applicable(identity).meeting(operation_of(table("Select", "orders")).accesses[0]).opens
    assert bundle.to_json() == text
    assert len(bundle._views) <= 1024


def test_a_sink_that_no_proxy_can_open_is_a_problem_and_not_passed_over() -> None:
    document = {
        "apiVersion": "tollhouse.dev/v1alpha1",
        "kind": "AuditSink",
        "metadata": {"name": "archive", "namespace": "shop"},
        "spec": {"otlp": {"endpoint": "https://collector.example"}},
    }
    sink = parse_object(document)
    assert isinstance(sink, AuditSink)
    connection = connection_of("audit: {sinks: [archive]}")
    result = build_bundle(connection, [], [], [sink], LANGUAGES)
    assert result.bundle is None
    (problem,) = result.problems
    assert problem.path == "spec.audit.sinks[0]"
    assert problem.message == "AuditSink archive: otlp is not built yet; use stdout or file"

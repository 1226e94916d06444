"""A namespace's bundles: trouble stays with the Connection it belongs to."""

from __future__ import annotations

from typing import Any

import pytest

from tollhouse_core.api.access_policy import AccessPolicy
from tollhouse_core.api.audit_sink import AuditSink
from tollhouse_core.api.connection import Connection
from tollhouse_core.api.identity_provider import IdentityProvider
from tollhouse_core.policy.bundle import build_bundle
from tollhouse_dialects import LANGUAGES
from tollhouse_operator import compiling
from tollhouse_operator.compiling import compile_namespace
from tollhouse_operator.gather import Situation, read


def document(kind: str, name: str, spec: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name, "namespace": "shop", **metadata}, "spec": spec}


def connection(name: str, **spec: Any) -> dict[str, Any]:
    target = {"postgres": {"host": "db", "database": "d"}, "credentials": {"secretRef": {"name": "login"}}}
    return document("Connection", name, {**target, **spec})


def policy(name: str, *connections: str, when: str | None = None) -> dict[str, Any]:
    rule: dict[str, Any] = {"name": "read", "allow": {"sql": {"access": ["Select"], "tables": [name]}}}
    if when is not None:
        rule["when"] = when
    selection = {"names": list(connections)}
    return document(
        "AccessPolicy",
        name,
        {"connections": selection, "subjects": [{"authenticated": {}}], "rules": [rule]},
    )


def situation(
    connections: list[dict[str, Any]],
    policies: list[dict[str, Any]],
    sinks: list[dict[str, Any]] | None = None,
) -> Situation:
    return Situation(
        read(connections, "Connection", Connection),
        read(policies, "AccessPolicy", AccessPolicy),
        read(sinks or [], "AuditSink", AuditSink),
        read([], "IdentityProvider", IdentityProvider),
    )


def test_each_connection_gets_the_policies_that_select_it() -> None:
    made = compile_namespace(
        situation([connection("a"), connection("b")], [policy("p", "a"), policy("q", "a", "b")]), LANGUAGES
    )
    assert made.bundles["a"].policies == 2
    assert made.bundles["b"].policies == 1
    assert '"p"' not in (made.bundles["b"].text or "")
    assert made.policies["q"].connections == 2


def test_a_policy_that_does_not_compile_holds_back_what_it_selects_and_nothing_else() -> None:
    made = compile_namespace(
        situation(
            [connection("a"), connection("b")], [policy("bad", "a", when="nonsense"), policy("q", "a", "b")]
        ),
        LANGUAGES,
    )
    assert made.bundles["a"].text is None
    assert made.bundles["b"].text is not None
    assert [problem.path for problem in made.policies["bad"].problems] == ["spec.rules[0].when"]
    assert made.policies["q"].problems == ()


def test_a_policy_that_cannot_be_read_holds_back_what_it_names() -> None:
    broken = policy("broken", "a")
    broken["spec"]["rules"][0]["nonsense"] = 1
    made = compile_namespace(situation([connection("a"), connection("b")], [broken]), LANGUAGES)
    assert made.bundles["a"].text is None
    assert made.bundles["b"].text is not None
    assert made.policies["broken"].problems


def test_a_policy_of_which_nothing_can_be_read_may_be_for_anyone() -> None:
    broken = document("AccessPolicy", "broken", {"connections": "all of them"})
    made = compile_namespace(situation([connection("a"), connection("b")], [broken]), LANGUAGES)
    assert made.bundles["a"].text is None
    assert made.bundles["b"].text is None


def test_a_policy_that_is_being_deleted_is_gone() -> None:
    leaving = policy("leaving", "a")
    leaving["metadata"]["deletionTimestamp"] = "2026-05-01T00:00:00Z"
    made = compile_namespace(situation([connection("a")], [leaving]), LANGUAGES)
    assert made.bundles["a"].policies == 0


def test_an_unreadable_sink_holds_back_the_connections_that_name_it() -> None:
    sink = document("AuditSink", "archive", {"nonsense": {}})
    named = connection("a", audit={"sinks": ["archive"]})
    made = compile_namespace(situation([named, connection("b")], [], [sink]), LANGUAGES)
    assert made.bundles["a"].text is None
    assert "AuditSink shop/archive" in str(made.bundles["a"].problems[0])
    assert made.bundles["b"].text is not None


def test_a_bundle_that_no_object_can_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "LARGEST_BUNDLE_BYTES", 10)
    made = compile_namespace(situation([connection("a")], []), LANGUAGES)
    assert made.bundles["a"].text is None
    assert "one object of the API server holds 10" in made.bundles["a"].problems[0].message


def test_a_fault_of_our_own_stays_with_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(one: Connection, *rest: Any) -> Any:
        if one.name == "a":
            raise RecursionError("deep")
        return build_bundle(one, *rest)

    monkeypatch.setattr(compiling, "build_bundle", faulty)
    made = compile_namespace(situation([connection("a"), connection("b")], []), LANGUAGES)
    assert "RecursionError" in made.bundles["a"].problems[0].message
    assert made.bundles["b"].text is not None


def versioned(one: dict[str, Any], generation: int) -> dict[str, Any]:
    metadata = {
        **one["metadata"],
        "uid": f"{one['kind']}-{one['metadata']['name']}",
        "generation": generation,
    }
    return {**one, "metadata": metadata}


def test_only_what_an_edit_touches_is_compiled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []

    def counting(one: Connection, *rest: Any) -> Any:
        compiled.append(one.name)
        return build_bundle(one, *rest)

    monkeypatch.setattr(compiling, "build_bundle", counting)
    known: compiling.Known = {}

    def compile_now(generation: int, labels: dict[str, str] | None = None) -> compiling.Compiled:
        compiled.clear()
        other = versioned(connection("b"), 1)
        other["metadata"]["labels"] = labels or {}
        policies = [
            versioned(policy("p", "a", when=f"{generation} > 0"), generation),
            versioned(policy("q", "b"), 1),
        ]
        now = situation([versioned(connection("a"), 1), other], policies)
        return compile_namespace(now, LANGUAGES, known)

    first = compile_now(1)
    assert compiled == ["a", "b"]
    assert compile_now(1) == first
    assert compiled == []
    second = compile_now(2)
    assert compiled == ["a"]
    assert second.bundles["a"].revision != first.bundles["a"].revision
    assert second.bundles["b"] is first.bundles["b"]
    compile_now(2, {"tier": "gold"})
    assert compiled == ["b"]


def test_without_versions_everything_is_compiled_each_time() -> None:
    known: compiling.Known = {}
    compile_namespace(situation([connection("a")], [policy("p", "a")]), LANGUAGES, known)
    assert known == {}


def test_equal_objects_make_equal_revisions() -> None:
    one = compile_namespace(situation([connection("a")], [policy("p", "a"), policy("q", "a")]), LANGUAGES)
    two = compile_namespace(situation([connection("a")], [policy("q", "a"), policy("p", "a")]), LANGUAGES)
    assert one.bundles["a"].revision == two.bundles["a"].revision

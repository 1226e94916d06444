"""Who has been turned out, and who only looks like it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from kit.policies import NOON, agent_of, bundle_of, connection_of, identity_of
from tollhouse_core.api import parse_object
from tollhouse_core.api.revocation import ClusterRevocation, Revocation
from tollhouse_core.identity import Identity, OnBehalfOf
from tollhouse_core.policy.bundle import (
    BadBundle,
    PolicyBundle,
    build_bundle,
    revision_of,
    with_revocations,
)
from tollhouse_core.policy.revocations import revocations_of
from tollhouse_core.policy.sessions import turned_out
from tollhouse_dialects import LANGUAGES

READ = "[{allow: {sql: {access: [Select], tables: [orders]}}}]"
ISSUED = NOON.timestamp() - 60
ANN = replace(identity_of("ann", "staff", iat=ISSUED), token_id="t-1")
TRIAGE = replace(agent_of("agents/triage"), on_behalf_of=OnBehalfOf("ann", ("staff",)))


def revocation(
    *entries: dict[str, Any], name: str = "out", namespace: str = "shop", **spec: Any
) -> Revocation:
    document = {
        "apiVersion": "tollhouse.dev/v1alpha1",
        "kind": "Revocation",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"revoke": list(entries), **spec},
    }
    parsed = parse_object(document)
    assert isinstance(parsed, Revocation)
    return parsed


def of_the_cluster(*entries: dict[str, Any]) -> ClusterRevocation:
    document = {
        "apiVersion": "tollhouse.dev/v1alpha1",
        "kind": "ClusterRevocation",
        "metadata": {"name": "everywhere"},
        "spec": {"revoke": list(entries)},
    }
    parsed = parse_object(document)
    assert isinstance(parsed, ClusterRevocation)
    return parsed


def minute(minutes: int) -> str:
    return (NOON + timedelta(minutes=minutes)).isoformat()


@pytest.mark.parametrize(
    ("entry", "identity", "out"),
    [
        ({"user": "ann"}, ANN, True),
        ({"user": "ann", "provider": "corp"}, ANN, True),
        ({"user": "ann", "provider": "other"}, ANN, False),
        ({"user": "Ann"}, ANN, False),
        ({"user": "staff"}, ANN, False),
        ({"group": "staff"}, ANN, True),
        ({"group": "staff", "provider": "other"}, ANN, False),
        ({"group": "ann"}, ANN, False),
        ({"tokenId": "t-1"}, ANN, True),
        ({"tokenId": "t-1", "provider": "corp"}, ANN, True),
        ({"tokenId": "t-1", "provider": "other"}, ANN, False),
        ({"tokenId": "t-2"}, ANN, False),
        ({"user": "ann", "issuedBefore": minute(0)}, ANN, True),
        ({"user": "ann", "issuedBefore": minute(-1)}, ANN, False),
        ({"user": "ann", "issuedBefore": minute(-2)}, ANN, False),
        ({"user": "ann", "issuedBefore": minute(-2)}, replace(ANN, claims={}), True),
        ({"user": "ann", "issuedBefore": minute(-2)}, replace(ANN, claims={"iat": True}), True),
        ({"serviceAccount": {"namespace": "agents", "name": "triage"}}, TRIAGE, True),
        ({"serviceAccount": {"namespace": "other", "name": "triage"}}, TRIAGE, False),
        ({"user": "system:serviceaccount:agents:triage"}, TRIAGE, True),
        ({"user": "ann"}, TRIAGE, True),
        ({"group": "staff"}, TRIAGE, True),
        ({"user": "bob"}, TRIAGE, False),
    ],
    ids=str,
)
def test_an_entry_is_about_whom_it_names_and_nobody_else(
    entry: dict[str, Any], identity: Identity, out: bool
) -> None:
    assert bool(revocations_of([revocation(entry)]).why(identity, NOON)) is out


def test_the_words_name_the_object_and_its_reason() -> None:
    made = revocations_of([revocation({"user": "ann"}, reason="laptop stolen")])
    assert made.why(ANN, NOON) == "access was revoked by Revocation shop/out: laptop stolen"
    assert revocations_of([revocation({"user": "ann"})]).why(ANN, NOON).endswith("shop/out")


def test_a_revocation_ends_when_it_says() -> None:
    made = revocations_of([revocation({"user": "ann"}, expiresAt=minute(5))])
    assert made.why(ANN, NOON + timedelta(minutes=5, microseconds=-1))
    assert not made.why(ANN, NOON + timedelta(minutes=5))


def test_one_that_has_ended_hides_no_other() -> None:
    ended = revocation({"user": "ann"}, name="a", expiresAt=minute(-5))
    assert revocations_of([ended, revocation({"user": "ann"}, name="b")]).why(ANN, NOON)


def bundled(*objects: Revocation | ClusterRevocation) -> PolicyBundle:
    policies = bundle_of(READ).policies
    result = build_bundle(connection_of(), policies, [], [], LANGUAGES, objects)
    assert result.bundle is not None
    return result.bundle


def test_a_bundle_holds_those_of_its_namespace_and_of_the_cluster() -> None:
    here, elsewhere = revocation({"user": "ann"}), revocation({"user": "bob"}, namespace="other")
    bundle = bundled(here, elsewhere, of_the_cluster({"group": "contractors"}))
    assert turned_out(bundle, ANN, NOON)
    assert not turned_out(bundle, identity_of("bob"), NOON)
    assert turned_out(bundle, identity_of("carl", "contractors"), NOON).endswith(
        "ClusterRevocation everywhere"
    )


def test_a_bundle_read_from_its_text_turns_out_the_same_people() -> None:
    bundle = bundled(revocation({"user": "ann"}), of_the_cluster({"group": "contractors"}))
    again = PolicyBundle.from_json(bundle.to_json(), LANGUAGES)
    assert again.revision == bundle.revision
    assert turned_out(again, ANN, NOON)
    assert (
        bundled(of_the_cluster({"group": "contractors"}), revocation({"user": "ann"})).revision
        == bundle.revision
    )


def test_every_revocation_is_a_new_revision() -> None:
    assert len({bundled().revision, bundled(revocation({"user": "ann"})).revision}) == 2


def test_a_bundle_of_an_operator_that_knew_no_revocations_is_read() -> None:
    document = json.loads(bundled().to_json())
    del document["revocations"]
    assert not turned_out(PolicyBundle.from_json(json.dumps(document), LANGUAGES), ANN, NOON)


def test_the_last_good_bundle_learns_who_is_turned_out_and_who_is_let_in_again() -> None:
    text = with_revocations(bundled().to_json(), [revocation({"user": "ann"})], ())
    with_ann = PolicyBundle.from_json(text, LANGUAGES)
    assert turned_out(with_ann, ANN, NOON)
    assert with_ann.revision == revision_of(text) == bundled(revocation({"user": "ann"})).revision
    assert with_revocations(text, [], ()) == bundled().to_json()


def test_a_revocation_that_cannot_be_read_now_stays_as_it_was() -> None:
    text = bundled(revocation({"user": "ann"}), revocation({"user": "bob"}, name="bob")).to_json()
    kept = PolicyBundle.from_json(with_revocations(text, [], {"Revocation shop/out"}), LANGUAGES)
    assert turned_out(kept, ANN, NOON)
    assert not turned_out(kept, identity_of("bob"), NOON)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"connection": 1}', "[" * 100000])
def test_what_is_no_bundle_takes_no_revocations(text: str) -> None:
    with pytest.raises(BadBundle):
        with_revocations(text, [], ())

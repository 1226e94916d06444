"""Revocations at the door and in open sessions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kit.guard_world import READ_ORDERS, START, TRIAGE, World, policy_document, revocation_document, session
from tollhouse_core.decision import Refusal
from tollhouse_proxy.ports.judging import SessionNotAllowed

POLICY = policy_document(READ_ORDERS)
WORDS = "access was revoked by Revocation shop/out: laptop stolen"


def test_who_is_revoked_gets_no_session_and_is_told_why() -> None:
    world = World(POLICY, revocation_document({"user": "triage"}, reason="laptop stolen"))
    with pytest.raises(SessionNotAllowed) as found:
        world.open()
    assert (found.value.refused.refusal, found.value.refused.message) == (Refusal.DENIED, WORDS)
    assert world.sink.kinds() == ["SessionRefused"]
    assert world.sink.events[0].data["reason"] == WORDS


def test_an_open_session_is_lost_with_the_words_of_the_revocation() -> None:
    world = World(POLICY)
    judge = world.open()
    assert judge.lost == ""
    world.apply(POLICY, revocation_document({"user": "triage"}, reason="laptop stolen"))
    assert judge.lost == WORDS


def test_a_session_of_somebody_else_goes_on() -> None:
    world = World(POLICY)
    judge = world.open()
    world.apply(POLICY, revocation_document({"user": "mallory"}))
    assert judge.lost == ""


def test_one_token_is_revoked_and_the_next_one_is_good() -> None:
    world = World(POLICY)
    stolen = world.gate.open(session(replace(TRIAGE, token_id="t-1")))
    world.apply(POLICY, revocation_document({"tokenId": "t-1"}))
    assert stolen.lost
    assert world.gate.open(session(replace(TRIAGE, token_id="t-2"), number=2)).lost == ""


def test_tokens_issued_before_a_moment_are_revoked_and_later_ones_are_good() -> None:
    moment = START.timestamp()
    entry = {"user": "triage", "issuedBefore": START.isoformat()}
    world = World(POLICY)
    older = world.gate.open(session(replace(TRIAGE, claims={"iat": moment - 1})))
    world.apply(POLICY, revocation_document(entry))
    assert older.lost
    assert world.gate.open(session(replace(TRIAGE, claims={"iat": moment}), number=2)).lost == ""


def test_a_revocation_of_the_cluster_is_named_as_one() -> None:
    world = World(POLICY, revocation_document({"group": "support-agents"}, kind="ClusterRevocation"))
    with pytest.raises(SessionNotAllowed, match="ClusterRevocation out"):
        world.open()


def test_a_revocation_that_has_ended_keeps_nobody_out() -> None:
    world = World(POLICY, revocation_document({"user": "triage"}, expiresAt="2030-01-01T12:00:10Z"))
    with pytest.raises(SessionNotAllowed):
        world.open()
    world.clock.forward(10)
    assert world.open().lost == ""

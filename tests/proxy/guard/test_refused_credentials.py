"""A credential that the backend did not accept is counted and in the audit, and no word of it is."""

from __future__ import annotations

from kit.guard_world import READ_ORDERS, World, policy_document


def test_each_refusal_is_an_event_of_the_session_and_counted() -> None:
    world = World(policy_document(READ_ORDERS))
    judge = world.open()
    judge.credential_refused("28P01", fetched_anew=False)
    judge.credential_refused("28P01", fetched_anew=True)
    assert world.sink.kinds() == ["SessionOpened", "CredentialRefused", "CredentialRefused"]
    assert [event.data for event in world.sink.events[1:]] == [
        {"code": "28P01", "fetchedAnew": False},
        {"code": "28P01", "fetchedAnew": True},
    ]
    assert world.house.counters.credentials_refused == 2


def test_an_audit_that_cannot_be_written_does_not_break_the_log_in() -> None:
    world = World(policy_document(READ_ORDERS))
    judge = world.open()
    world.sink.broken = True
    judge.credential_refused("28P01", fetched_anew=False)
    assert world.house.counters.credentials_refused == 1

"""Trails as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from tollhouse_core.audit.chain import Chain
from tollhouse_core.audit.event import Event, EventKind
from tollhouse_core.audit.line import Line
from tollhouse_core.audit.timeline import readable, replay, sessions, visible

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def trail(*events: tuple[EventKind, Mapping[str, object]], session: str = "s-1") -> list[Line]:
    chain = Chain("w")
    sealed = [
        chain.seal(Event(kind, session, number, START + timedelta(seconds=number), data))
        for number, (kind, data) in enumerate(events)
    ]
    return list(readable([b"not a line\n", *sealed]))


OPENED = (
    EventKind.SESSION_OPENED,
    {
        "connection": "orders-db",
        "namespace": "shop",
        "identity": {"name": "triage", "provider": "corp", "onBehalfOf": {"name": "ann"}},
        "address": "10.0.0.1:5000",
    },
)
DECIDED = (
    EventKind.OPERATION_DECIDED,
    {
        "operation": 1,
        "action": "DELETE",
        "text": "DELETE FROM orders\nWHERE id = $1",
        "parameters": ["7", None],
        "decision": "deny",
        "policy": "support",
        "rule": "never",
        "message": "ask first",
        "observed": [{"policy": "p", "rule": "r", "mode": "Shadow", "would": "deny"}],
    },
)
COMPLETED = (
    EventKind.OPERATION_COMPLETED,
    {"operation": 1, "outcome": "Completed", "tag": "SELECT 3", "rows": 3, "bytes": 9},
)
CLOSED = (EventKind.SESSION_CLOSED, {"reason": "client left"})


def test_a_listing_tells_who_did_how_much() -> None:
    (summary,) = sessions(trail(OPENED, DECIDED, COMPLETED, CLOSED))
    assert (summary.connection, summary.identity, summary.on_behalf_of) == ("shop/orders-db", "triage", "ann")
    assert (summary.operations, summary.rows, summary.reason) == ({"deny": 1}, 3, "client left")
    assert summary.started == START
    assert summary.ended == START + timedelta(seconds=3)


def test_a_session_still_running_has_no_end() -> None:
    (summary,) = sessions(trail(OPENED))
    assert summary.ended is None


def test_a_replay_shows_statement_parameters_and_the_rule_that_decided() -> None:
    moments = list(replay(trail(OPENED, DECIDED, COMPLETED, CLOSED), "s-1"))
    assert [moment.offset_seconds for moment in moments] == [0, 1, 2, 3]
    assert moments[0].title == "triage (corp) opens a session on behalf of ann"
    assert moments[1].lines == (
        "DELETE FROM orders WHERE id = $1",
        "parameters: '7', NULL",
        "-> deny by support/never: ask first",
        "   Shadow: p/r would deny",
    )
    assert moments[2].lines == ("SELECT 3, 3 rows out, 9 bytes, 0 ms",)


def test_a_replay_of_another_session_is_empty() -> None:
    assert list(replay(trail(OPENED), "s-2")) == []


def test_nothing_a_client_wrote_moves_the_terminal() -> None:
    moments = list(
        replay(trail((EventKind.OPERATION_DECIDED, {"text": "SELECT '\x1b[2J\u202e\u00e9'"})), "s-1")
    )
    assert moments[0].lines[0] == "SELECT '\\x1b[2J\\u202e\\xe9'"
    assert visible("a\tb\x07") == "a b\\x07"

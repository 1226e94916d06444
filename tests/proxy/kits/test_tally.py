"""What is written down of every statement; nothing moves for an event that was not taken."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tollhouse_core.audit.event import PLACE, Event, EventKind, Form
from tollhouse_proxy.kits import kernel, tally

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
DECIDED = Form(EventKind.OPERATION_DECIDED, (("operation", PLACE), ("text", PLACE)))
ENDED = Form(EventKind.OPERATION_COMPLETED, (("operation", PLACE), ("rows", PLACE), ("durationMs", PLACE)))
EVENT = Event(EventKind.SESSION_OPENED, "s", 0, NOON)


class Unavailable(Exception):
    pass


@pytest.fixture(params=[tally, kernel], ids=["python", "kernel"])
def kit(request: pytest.FixtureRequest) -> object:
    return request.param


def intake(kit: object, most: int = 100) -> tuple[tally.Intake, list[str]]:
    woken: list[str] = []
    made: tally.Intake = kit.Intake(most, Unavailable, lambda: woken.append("woken"))  # type: ignore[attr-defined]
    return made, woken


def test_events_stand_in_the_queue_in_their_order(kit: object) -> None:
    queue, woken = intake(kit)
    book = kit.Tally("s", queue.accept, lambda: NOON)  # type: ignore[attr-defined]
    first = book.begin(DECIDED, ("select 1",), "kept", 1.0)
    second = book.begin(DECIDED, ("select 2",), "kept", 2.0)
    assert book.running == {1: ("kept", 1.0), 2: ("kept", 2.0)}
    assert book.end(ENDED, second, (7,), 2.0012346)
    assert book.end(ENDED, first, (0,), 0.5), "a clock that went back"
    assert list(queue.queue) == [
        (DECIDED, "s", 0, NOON, (1, "select 1")),
        (DECIDED, "s", 1, NOON, (2, "select 2")),
        (ENDED, "s", 2, NOON, (2, 7, 1.235)),
        (ENDED, "s", 3, NOON, (1, 0, 0.0)),
    ]
    assert (queue.accepted, book.sequence, book.operation, book.running, woken) == (4, 4, 3, {}, [])


def test_one_that_sleeps_is_woken(kit: object) -> None:
    queue, woken = intake(kit)
    queue.idle = True
    queue.accept(EVENT)
    assert woken == ["woken"]


@pytest.mark.parametrize("why", ["failed", "closed", "full"])
def test_nothing_moves_for_an_event_that_is_not_taken(kit: object, why: str) -> None:
    queue, _ = intake(kit, most=1)
    book = kit.Tally("s", queue.accept, lambda: NOON)  # type: ignore[attr-defined]
    number = book.begin(DECIDED, ("select 1",), "kept", 1.0)
    words = {"failed": "the disk is full", "closed": "the audit is closed", "full": "behind by 1 events"}[why]
    queue.failure = "the disk is full" if why == "failed" else ""
    queue.closed = why == "closed"
    with pytest.raises(Unavailable, match=words):
        book.begin(DECIDED, ("select 2",), "kept", 1.0)
    assert (book.sequence, book.operation, list(book.running)) == (1, 2, [1])
    with pytest.raises(Unavailable, match=words):
        book.end(ENDED, number, (1,), 1.0)
    assert (book.sequence, queue.accepted, len(queue.queue)) == (1, 1, 1)


def test_what_has_ended_does_not_end_again(kit: object) -> None:
    queue, _ = intake(kit)
    book = kit.Tally("s", queue.accept, lambda: NOON)  # type: ignore[attr-defined]
    number = book.begin(DECIDED, (), None, 1.0)
    assert book.end(ENDED, number, (1,), 1.0)
    assert not book.end(ENDED, number, (1,), 1.0)
    assert queue.accepted == 2


def test_any_sink_may_take_the_events(kit: object) -> None:
    taken: list[object] = []
    book = kit.Tally("s", taken.append, lambda: NOON)  # type: ignore[attr-defined]
    book.begin(DECIDED, ("x",), None, 1.0)
    assert taken == [(DECIDED, "s", 0, NOON, (1, "x"))]


@given(begun=some.floats(0, 1e6), spent=some.floats(-1, 1e6))
def test_both_measure_the_same_time(begun: float, spent: float) -> None:
    found = []
    for kit in (tally, kernel):
        taken: list[object] = []
        book = kit.Tally("s", taken.append, lambda: NOON)
        book.begin(DECIDED, (), None, begun)
        book.end(ENDED, 1, (), begun + spent)
        found.append(taken[1][4][1])  # type: ignore[index]
    assert found[0] == found[1] == pytest.approx(max(spent, 0) * 1000, abs=0.002)

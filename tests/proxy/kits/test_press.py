"""The compiled press makes the very lines that the chain's readable way makes."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some

from kit import twins
from tollhouse_core.audit.chain import LINES_BETWEEN_SIGNATURES, PRESSED_AT_ONCE, Chain, Signer
from tollhouse_core.audit.event import PLACE, Brief, Event, EventKind, Form
from tollhouse_proxy.kits import kernel

ENCODE = msgspec.json.Encoder().encode
SIGNER = Signer("k1", lambda message: message[-64:].ljust(64, b"."))
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)

awkward = some.text(some.sampled_from('"\\/\b\f\n\r\t\0\x1f\x7f%bé€\U0001f600\ud800a'), max_size=8)
plain_values = some.one_of(
    some.text(max_size=8),
    awkward,
    some.integers(),
    some.none(),
    some.booleans(),
    some.floats(allow_nan=False, allow_infinity=False),
)
values = plain_values | some.lists(plain_values, max_size=3) | some.tuples(plain_values, plain_values)
kinds = some.sampled_from(
    [EventKind.OPERATION_DECIDED, EventKind.OPERATION_COMPLETED, EventKind.SESSION_CLOSED]
)
forms = some.builds(
    lambda kind, fields: Form(kind, tuple(fields.items())),
    kinds,
    some.dictionaries(awkward, some.just(PLACE) | values, max_size=4),
)
moments = some.datetimes(timezones=some.sampled_from([UTC, timezone(timedelta(hours=2))]))
numbers = some.integers(0, 2**40)


@some.composite
def events(draw: some.DrawFn) -> list[Event | Brief]:
    known = draw(some.lists(forms, min_size=1, max_size=3))
    made: list[Event | Brief] = []
    for _ in range(draw(some.integers(1, 8))):
        session = draw(some.sampled_from(["a", "b", 'quo"ted', "é\n"]))
        if draw(some.integers(0, 9)) == 0:
            data = {"reason": draw(values)}
            made.append(Event(draw(kinds), session, draw(numbers), draw(moments), data))
            continue
        form = draw(some.sampled_from(known))
        own = tuple(draw(values) for _, value in form.fields if value is PLACE)
        made.append((form, session, draw(numbers), draw(moments), own))
    return made


def plain(session: str, number: int, text: str = "select 1") -> Brief:
    return (FORM, session, number, NOON, (number, text, ("x", None), 0.25))


FORM = Form(
    EventKind.OPERATION_DECIDED,
    (("operation", PLACE), ("text", PLACE), ("100%", "é%b"), ("parameters", PLACE), ("durationMs", PLACE)),
)


def both() -> tuple[Chain, Chain]:
    return Chain("w%b/é", ENCODE, SIGNER), Chain("w%b/é", ENCODE, SIGNER, kernel.press)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(batches=some.lists(events(), min_size=1, max_size=2))
@example(batches=[[plain("s", 0, "\ud800"), plain("s", 1), plain("s", 2)]])
@example(batches=[[(FORM, "s", 0, NOON, (2**63, -(2**63), (), 1e300))] * 3])
@example(batches=[[(FORM, "s", 0, NOON, (2**64, "", [], True))] * 3])
def test_it_makes_the_lines_that_the_readable_way_makes(batches: list[list[Event | Brief]]) -> None:
    readable, pressed = both()
    for batch in batches:
        assert pressed.seal_all(copy.copy(batch)) == readable.seal_all(copy.copy(batch))


def test_signed_lines_stand_where_they_would() -> None:
    readable, pressed = both()
    batch: list[Event | Brief] = [
        plain(f"s{number % 3}", number) for number in range(2 * LINES_BETWEEN_SIGNATURES + 3)
    ]
    lines = pressed.seal_all(list(batch))
    assert lines == readable.seal_all(list(batch))
    assert lines.count(b'"signature"') == 2


def test_plain_briefs_are_pressed_and_the_rest_is_left() -> None:
    """Otherwise nothing would show that the press does anything."""
    if kernel.press is None:
        assert not twins.MUST_BE_COMPILED
        return
    chain = Chain("w", ENCODE)
    chain.seal(plain("s", 0))  # lays out the form, begins the session
    heads = {"s": "0" * 64}
    batch: list[Event | Brief] = [plain("s", number) for number in range(1, 4)]
    stopped, lines, line, _ = kernel.press(batch, 0, 3, ENCODE, b"", heads, 1, "1" * 64)
    assert (stopped, line, lines.count(b"\n")) == (3, 4, 3)
    for left in (plain("other", 0), Event(EventKind.SESSION_OPENED, "s", 0, NOON), plain("s", 2**70)):
        assert kernel.press([*batch, left], 0, 4, ENCODE, b"", heads, 4, "1" * 64)[0] == 3
    other = msgspec.json.Encoder().encode
    assert kernel.press(batch, 0, 3, other, b"", heads, 1, "1" * 64)[0] == 0, "laid out for another encoder"


def test_the_press_lets_other_threads_in_between() -> None:
    """One call makes no more lines than PRESSED_AT_ONCE."""
    calls: list[tuple[int, int]] = []

    def counting(*given: object) -> tuple[int, bytes, int, str]:
        at, until = int(given[1]), int(given[2])  # type: ignore[call-overload]
        calls.append((at, until))
        return until, b"", int(given[6]) + until - at, ""  # type: ignore[call-overload]

    Chain("w", ENCODE, None, counting).seal_all([plain("s", number) for number in range(500)])
    assert max(until - at for at, until in calls) == PRESSED_AT_ONCE


def test_a_part_that_is_none_is_refused() -> None:
    if kernel.press is None:
        assert not twins.MUST_BE_COMPILED
        return
    with pytest.raises(ValueError, match="not a part"):
        kernel.press([plain("s", 0)], 1, 0, ENCODE, b"", {}, 0, "")
    with pytest.raises(ValueError, match="not a part"):
        kernel.press([plain("s", 0)], 0, 2, ENCODE, b"", {}, 0, "")


@pytest.mark.parametrize("first", range(LINES_BETWEEN_SIGNATURES - 2, LINES_BETWEEN_SIGNATURES + 2))
def test_a_batch_may_end_right_before_the_line_that_is_signed(first: int) -> None:
    """What is queued is written as it comes: a batch ends anywhere."""
    readable, pressed = both()
    batch: list[Event | Brief] = [plain("a", number) for number in range(first + 3)]
    for part in (batch[:first], batch[first:]):
        assert pressed.seal_all(list(part)) == readable.seal_all(list(part))

"""Moving windows: exact for small amounts, never too low for large ones, bounded in memory."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollhouse_core.decision import Limit, LimitUnit, Mode, RuleRef
from tollhouse_core.policy.limits import EXACT, SLOTS, LimitBook

KEY = ("corp", "triage")


def limit_of(
    amount: int, per: float = 60.0, unit: LimitUnit = LimitUnit.QUERIES, mode: Mode = Mode.ENFORCE
) -> Limit:
    return Limit(unit, amount, per, RuleRef("agents", "pace"), mode)


def test_the_sixty_first_query_of_a_minute_is_refused_until_the_first_has_left() -> None:
    book = LimitBook()
    for second in range(60):
        assert book.take(KEY, limit_of(60), 1, second / 2) is None
    assert book.take(KEY, limit_of(60), 1, 30.0) == pytest.approx(30.0)
    assert book.take(KEY, limit_of(60), 1, 59.9) == pytest.approx(0.1)
    assert book.take(KEY, limit_of(60), 1, 60.0) is None


def test_what_a_limit_refused_is_not_counted_so_waiting_helps() -> None:
    book = LimitBook()
    assert book.take(KEY, limit_of(1), 1, 0.0) is None
    for moment in (10.0, 20.0, 30.0):
        assert book.take(KEY, limit_of(1), 1, moment) == pytest.approx(60.0 - moment)
    assert book.take(KEY, limit_of(1), 1, 60.0) is None


def test_windows_of_two_identities_units_and_modes_are_apart() -> None:
    book = LimitBook()
    assert book.take(KEY, limit_of(1), 1, 0.0) is None
    assert book.take(("corp", "other"), limit_of(1), 1, 0.0) is None
    assert book.take(KEY, limit_of(1, unit=LimitUnit.ROWS), 1, 0.0) is None
    assert book.take(KEY, limit_of(1, mode=Mode.SHADOW), 1, 0.0) is None
    assert book.take(KEY, limit_of(1), 1, 0.0) is not None


def test_an_edited_amount_does_not_start_the_count_anew() -> None:
    book = LimitBook()
    for _ in range(5):
        assert book.take(KEY, limit_of(10), 1, 0.0) is None
    assert book.take(KEY, limit_of(5), 1, 1.0) is not None
    assert book.take(KEY, limit_of(1_000_000), 999_995, 1.0) is None
    assert book.take(KEY, limit_of(1_000_000), 1, 1.0) is not None


def test_an_amount_that_never_fits_is_told_the_whole_window() -> None:
    book = LimitBook()
    assert book.take(KEY, limit_of(10), 11, 0.0) == 60.0
    assert book.take(KEY, limit_of(10), 10, 0.0) is None
    assert LimitBook().take(KEY, limit_of(0), 1, 0.0) == 60.0
    assert LimitBook().take(KEY, limit_of(0), 0, 0.0) == 60.0


def test_an_amount_of_nothing_asks_whether_anything_is_left_and_counts_nothing() -> None:
    book = LimitBook()
    for _ in range(3):
        assert book.take(KEY, limit_of(1), 0, 0.0) is None
    assert book.take(KEY, limit_of(1), 1, 1.0) is None
    assert book.take(KEY, limit_of(1), 0, 2.0) == pytest.approx(59.0)


def test_a_large_limit_keeps_a_bounded_number_of_slots() -> None:
    book = LimitBook()
    limit = limit_of(10**9, per=86400.0, unit=LimitUnit.BYTES)
    for step in range(100_000):
        assert book.take(KEY, limit, 1000, float(step)) is None
    (window,) = book._windows.values()
    assert len(window) <= SLOTS + 2


def test_idle_windows_are_forgotten_and_used_ones_are_not() -> None:
    book = LimitBook(max_windows=10)
    for number in range(100):
        assert book.take(("corp", str(number)), limit_of(5, per=1.0), 1, float(number * 2)) is None
    assert len(book) <= 10


def test_when_all_windows_are_in_use_a_new_identity_waits_and_no_count_is_lost() -> None:
    book = LimitBook(max_windows=2)
    assert book.take("a", limit_of(1), 1, 0.0) is None
    assert book.take("b", limit_of(1), 1, 0.0) is None
    assert book.take("c", limit_of(1), 1, 0.0) is not None
    assert book.take("a", limit_of(1), 1, 0.0) is not None
    assert book.take("c", limit_of(1), 1, 61.0) is None


Steps = st.lists(st.tuples(st.floats(0, 20, allow_nan=False), st.integers(0, 40)), min_size=1, max_size=120)


@given(Steps, st.integers(1, 100))
def test_small_limits_agree_with_counting_every_moment(steps: list[tuple[float, int]], amount: int) -> None:
    book, held, now = LimitBook(), deque[tuple[float, int]](), 0.0
    limit = limit_of(amount)
    for wait, taken in steps:
        now += wait
        while held and held[0][0] + 60.0 <= now:
            held.popleft()
        fits = sum(size for _, size in held) + max(taken, 1) <= amount
        assert (book.take(KEY, limit, taken, now) is None) == fits
        if fits and taken:
            held.append((now, taken))


@given(Steps, st.integers(EXACT + 1, 400))
def test_large_limits_never_let_more_pass_than_the_amount(
    steps: list[tuple[float, int]], amount: int
) -> None:
    book, passed, now = LimitBook(), list[tuple[float, int]](), 0.0
    for wait, taken in steps:
        now += wait
        if book.take(KEY, limit_of(amount), taken, now) is None:
            passed.append((now, taken))
        assert sum(size for moment, size in passed if moment + 60.0 > now) <= amount


@given(Steps, st.integers(1, 400))
def test_who_waits_as_told_gets_through(steps: list[tuple[float, int]], amount: int) -> None:
    book, now = LimitBook(), 0.0
    limit = limit_of(amount)
    for wait, taken in steps:
        now += wait
        retry = book.take(KEY, limit, taken, now)
        if retry is not None and taken <= amount:
            assert 0 <= retry <= 60.0 * (1 + 1 / SLOTS)
            now += retry + 1e-6
            assert book.take(KEY, limit, taken, now) is None

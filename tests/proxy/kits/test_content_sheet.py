"""What rows are told of the masks that are laid on them: where to look, and what a find becomes."""

from __future__ import annotations

import pytest

from tollhouse_core.masks import (
    Bucket,
    Detector,
    DetectorName,
    Mask,
    Nullify,
    Partial,
    Redact,
    Token,
    Truncate,
)
from tollhouse_proxy.kits.content import ContentScanner
from tollhouse_proxy.kits.content_finders import MOST_PLACES
from tollhouse_proxy.kits.content_sheet import sheet_of
from tollhouse_proxy.kits.rows import Sheet

EMAIL, CARD = Detector(DetectorName.EMAIL), Detector(DetectorName.PAYMENT_CARD)


def own(*patterns: str) -> list[Detector]:
    return [Detector(pattern=one) for one in patterns]


def sheet(*detectors: Detector, mask: Mask | None = None) -> Sheet:
    return sheet_of([ContentScanner(detectors, mask or Redact("-"))])


@pytest.mark.parametrize(
    ("mask", "fixed", "partial"),
    [
        (Redact("[ü]"), "[ü]".encode(), None),
        (Redact("\ud800"), b"\xed\xa0\x80", None),
        (Partial(2, 3, "é"), None, (2, 3, "é".encode())),
        (Nullify(), b"", None),
        (Truncate(), b"", None),
        (Bucket(10), b"", None),
        (Token(), None, None),
    ],
)
def test_what_every_find_becomes_is_said_where_it_is_always_the_same(
    mask: Mask, fixed: bytes | None, partial: tuple[int, int, bytes] | None
) -> None:
    made = sheet(EMAIL, mask=mask)
    assert (made.fixed, made.partial) == (fixed, partial)


def test_nothing_is_said_of_what_finds_become_where_several_masks_are_laid_on_one_another() -> None:
    made = sheet_of([ContentScanner([EMAIL], Redact("a")), ContentScanner([CARD], Partial(1, 1))])
    assert (made.fixed, made.partial) == (None, None)
    assert made.detectors == 1 | 2


def test_named_detectors_are_counted_once_and_own_ones_stand_apart() -> None:
    made = sheet(EMAIL, CARD, EMAIL, *own("x+"))
    assert made.detectors == 1 | 2
    assert made.every(b"= a@b.co xx") == [(2, 8), (9, 11)]
    assert made.own is not None
    assert made.own(b"= a@b.co xx") == [(9, 11)]
    assert sheet(EMAIL).own is None


@pytest.mark.parametrize(
    ("patterns", "data", "places"),
    [
        (["b"], b"a", []),
        (["b"], b"abab", [(1, 2), (3, 4)]),
        (["ab", "bc"], b"abc-ab", [(0, 3), (4, 6)]),
        (["ab", "cd"], b"abcd.cd", [(0, 4), (5, 7)]),
        (["abcd", "b"], b"abcd", [(0, 4)]),
        (["d", "a"], b"a..d", [(0, 1), (3, 4)]),
        ([r"\bb$"], b"ab bc", [(1, 2), (3, 4)]),
    ],
)
def test_places_are_sorted_and_never_meet_one_another(
    patterns: list[str], data: bytes, places: list[tuple[int, int]]
) -> None:
    made = sheet(*own(*patterns))
    assert made.every(data) == places
    assert made.own is not None
    assert made.own(data) == places
    assert made.detectors == 0


def test_it_may_be_anywhere_where_a_pattern_cannot_be_seen_through_or_points_at_too_much() -> None:
    assert sheet(EMAIL, *own(r"\Qx\E")).every(b"") is None
    many = sheet(*own("x"))
    assert many.every(b"x." * MOST_PLACES) == [(2 * at, 2 * at + 1) for at in range(MOST_PLACES)]
    assert many.every(b"x." * (MOST_PLACES + 1)) is None


def test_without_detectors_there_is_nowhere_to_look() -> None:
    made = sheet_of([])
    assert made.every(b"a@b.co") == []
    assert (made.own, made.detectors, made.fixed, made.partial) == (None, 0, None, None)

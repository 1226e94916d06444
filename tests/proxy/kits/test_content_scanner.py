"""What a scanner asks of the kernel and of its finders, its bounds, and how it travels."""

from __future__ import annotations

import pickle

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
from tollhouse_proxy.kits import content, content_json, kernel
from tollhouse_proxy.kits.content import ContentScanner
from tollhouse_proxy.kits.content_finders import (
    BITS,
    MOST_PLACES,
    BadPattern,
    Span,
    TooMany,
    finder,
    knows_edges,
    loose_places,
    places,
)
from tollhouse_proxy.protocols.postgres.sql.masks import token_of

EMAIL, CARD, OWN = Detector(DetectorName.EMAIL), Detector(DetectorName.PAYMENT_CARD), Detector(pattern="x+")
TEXT = "a@b.co 4111111111111111 xx"


def kernel_says(monkeypatch: pytest.MonkeyPatch, spans: list[Span], left: int) -> list[int]:
    """Lets the kernel answer so; gives what it will have been asked for."""
    asked: list[int] = []

    def answer(_: bytes, detectors: int) -> tuple[list[Span], int]:
        asked.append(detectors)
        return [*spans], left

    monkeypatch.setattr(kernel, "content_spans", answer)
    return asked


def test_the_kernel_is_asked_for_each_detector_it_knows_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = kernel_says(monkeypatch, [], 0)
    ContentScanner([EMAIL, OWN, CARD, EMAIL], Redact("-")).scan(TEXT)
    ContentScanner([OWN], Redact("-")).scan(TEXT)
    assert asked == [BITS[DetectorName.EMAIL] | BITS[DetectorName.PAYMENT_CARD], 0]


@pytest.mark.parametrize(
    ("left", "shown"),
    [
        ([], "[] 4111111111111111 []"),
        ([DetectorName.EMAIL], "[] 4111111111111111 []"),
        ([DetectorName.PAYMENT_CARD], "[] [] []"),
    ],
)
def test_finders_are_asked_for_what_the_kernel_leaves_and_for_own_patterns(
    left: list[DetectorName], shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel_says(monkeypatch, [(0, 6)], sum(BITS[name] for name in left))
    assert ContentScanner([EMAIL, CARD, OWN], Redact("[]")).scan(TEXT) == shown


def test_the_bounds_of_a_value_are_what_its_masking_was_measured_with() -> None:
    assert content.LARGEST == 16 * 2**20
    assert MOST_PLACES == 10_000
    assert content_json.MOST_ATOMS == 100_000


@pytest.mark.parametrize(
    ("mask", "shown"),
    [
        (Redact("ü"), "ü!"),
        (Partial(1, 2, "é"), "aéééco!"),
        (Partial(2, 4), "******!"),
        (Partial(2, 3), "a@*.co!"),
        (Partial(0, 0), "******!"),
        (Partial(3, 0), "a@b***!"),
        (Nullify(), "!"),
        (Token(), f"{token_of('a@b.co', b'k' * 32)}!"),
        (Truncate(), "!"),
        (Bucket(10), "!"),
    ],
)
def test_a_find_becomes_what_the_mask_makes_of_it(mask: Mask, shown: str) -> None:
    assert ContentScanner([EMAIL], mask, b"k" * 32).scan("a@b.co!") == shown


def test_a_token_without_a_key_is_none() -> None:
    assert ContentScanner([EMAIL], Token()).scan("a@b.co!") == "!"


@pytest.mark.parametrize(
    ("mask", "shown"),
    [(Redact("ü"), "ü"), (Partial(1, 2, "é"), "é" * 8), (Nullify(), ""),
     (Token(), token_of("a@b.co!", b"k" * 32))],
)  # fmt: skip
def test_a_value_that_is_too_large_tells_no_more_than_its_mask_does(
    mask: Mask, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "LARGEST", 6)
    assert ContentScanner([EMAIL], mask, b"k" * 32).scan("a@b.co!") == shown
    assert ContentScanner([EMAIL], Redact("-")).scan("a@b.co") == "-"


def test_a_scanner_travels_to_another_process_with_its_key() -> None:
    scanner = ContentScanner([EMAIL, OWN], Token(), b"k" * 32)
    sent = pickle.loads(pickle.dumps(scanner))
    assert sent == scanner
    assert sent.scan(TEXT) == scanner.scan(TEXT) != TEXT


def test_scanners_are_equal_by_what_they_look_for_and_not_by_what_they_have_seen() -> None:
    used = ContentScanner([EMAIL], Redact())
    used.scan_json('["a@b.co"]')
    assert used == ContentScanner([EMAIL], Redact())
    assert used != ContentScanner([CARD], Redact())
    assert repr(used) == repr(ContentScanner([EMAIL], Redact()))


def test_a_pattern_that_is_none_is_said_at_once_and_with_what_is_wrong() -> None:
    with pytest.raises(BadPattern) as caught:
        ContentScanner([EMAIL, Detector(pattern="a(b")], Redact())
    assert str(caught.value) == "pattern 'a(b' is not valid RE2: missing ): a(b"


@pytest.mark.parametrize(
    ("pattern", "knows"),
    [
        ("a$", True), ("^a", True), (r"\Aa", True), (r"a\z", True), (r"a\Z", True), ("[^a]", False),
        ("[^a]^", True), (r"\ba\b", False), ("a", False), (None, False),
    ],
)  # fmt: skip
def test_a_pattern_that_asks_for_the_edges_of_a_text_is_known(pattern: str | None, knows: bool) -> None:
    assert knows_edges(Detector(pattern=pattern) if pattern else EMAIL) is knows


def test_where_a_detector_points_is_where_its_pattern_is_and_not_yet_what_it_finds() -> None:
    text = b"DE89 = 4111111111111112 xbx"
    iban, own = Detector(DetectorName.IBAN), Detector(pattern=r"\bx")
    assert list(places(iban)(text)) == [(0, 4)]
    assert list(finder(iban)(text)) == []
    assert list(places(CARD)(text)) == [(7, 23)]
    assert list(finder(CARD)(text)) == []
    assert list(places(own)(text)) == list(finder(own)(text)) == [(24, 25)]
    loose = loose_places(own)
    assert loose is not None
    assert list(loose(text)) == [(24, 25), (26, 27)]
    for named in (iban, CARD):
        loose = loose_places(named)
        assert loose is not None
        assert list(loose(text)) == list(places(named)(text))
    assert loose_places(Detector(pattern=r"\Qa\E")) is None


def test_places_are_counted_up_to_the_bound() -> None:
    found = finder(OWN)
    assert len(list(found(b"x " * MOST_PLACES))) == MOST_PLACES
    with pytest.raises(TooMany):
        list(found(b"x " * (MOST_PLACES + 1)))

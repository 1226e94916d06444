"""All that is found in a value at once is what each detector's finder finds by itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollhouse_core.masks import Detector, DetectorName, Redact
from tollhouse_proxy.kits import kernel
from tollhouse_proxy.kits.content import ContentScanner
from tollhouse_proxy.kits.content_finders import BITS, MOST_PLACES, content_spans, finder

EVERY = sum(BITS.values())
PIECES = (
    "4111 1111 1111 1111",
    "4111111111111112",
    "a@b.co",
    "@",
    "DE89370400440532013000",
    "DE89",
    "NO9386011117947",
    "+49 30 1234567",
    "(555) 123-4567",
    "AKIAIOSFODNN7EXAMPLE",
    "-----BEGIN PRIVATE KEY-----",
    "eyJ",
    "eyJhbGciOiJIUzI1.eyJzdWIiOiIx",
    "eyJzdWIiOiIxMjM0NTY3.",
    "ghp_",
    "-----END PRIVATE KEY-----",
    "\u00a0",
    "é",
    " ",
    "-",
    ".",
    "7",
    "x",
    "\ud800",
    "\0",
)


def apart(data: bytes, bits: int) -> list[tuple[int, int]]:
    return sorted(span for name, bit in BITS.items() if bit & bits for span in finder(Detector(name))(data))


@given(st.lists(st.sampled_from(PIECES), max_size=40), st.integers(0, EVERY))
def test_what_is_found_at_once_is_what_each_finder_finds(pieces: list[str], bits: int) -> None:
    data = "".join(pieces).encode("utf-8", "surrogatepass")
    spans, left = kernel.content_spans(data, bits)
    assert left & ~bits == 0
    assert sorted(spans) == apart(data, bits & ~left)
    assert content_spans(data, bits) == ([], bits)


def test_nothing_of_a_text_of_ascii_is_left_to_python_by_the_compiled_kernel() -> None:
    data = b"a@b.co 4111 1111 1111 1111 DE89370400440532013000 +49 30 1234567 AKIAIOSFODNN7EXAMPLE" * 500
    spans, left = kernel.content_spans(data, EVERY)
    assert left == (0 if kernel.COMPILED else EVERY)
    assert sorted(spans) == apart(data, EVERY & ~left)


@pytest.mark.parametrize(
    ("name", "piece", "found"),
    [
        (DetectorName.PAYMENT_CARD, "4111 1111 1111 1111x", "[x]x"),
        (DetectorName.PAYMENT_CARD, "4111 1111 1111 1112x", None),
        (DetectorName.EMAIL, "a@b.co ", "[x] "),
        (DetectorName.PHONE, "+49 30 1234567 x", "[x] x"),
        (DetectorName.IBAN, "DE89 ", None),
        (DetectorName.PRIVATE_KEY, "-----BEGIN PRIVATE KEY----------END PRIVATE KEY-----", "[x]"),
        (DetectorName.ACCESS_KEY, "AKIAIOSFODNN7EXAMPLE ", "[x] "),
        (DetectorName.ACCESS_KEY, "eyJhbGciOiJIU.eyJzdWIiOi.abcde ", "[x] "),
    ],
)
def test_a_value_that_points_at_one_place_too_many_is_masked_as_a_whole(
    name: DetectorName, piece: str, found: str | None
) -> None:
    scanner = ContentScanner([Detector(name)], Redact("[x]"))
    assert scanner.scan(piece * MOST_PLACES) == (found or piece) * MOST_PLACES
    assert scanner.scan(piece * (MOST_PLACES + 1)) == "[x]"


TOKEN = "eyJ" + "a" * 10 + "." + "b" * 10 + "." + "c" * 5


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (TOKEN, "[x]"),
        (f"x{TOKEN}-_9 .", "x[x] ."),
        (f"eyJ.{TOKEN}.d", "eyJ.[x].d"),
        (f"eyJ{TOKEN}", "[x]"),
        (f"eyJ{'a' * 10}.{TOKEN}", "[x].ccccc"),
        (f"{'b' * 20}.{TOKEN}", f"{'b' * 20}.[x]"),
        (TOKEN.replace("ccccc", "cccc"), None),
        (TOKEN.replace("aaaaaaaaaa.", "aaaaaaaaa."), None),
        (TOKEN.replace("bbbbbbbbbb.", "bbbbbbbbb."), None),
        (TOKEN.replace("bbbbbbbbbb.", "bbbbbbbbbb"), None),
        (TOKEN.replace("eyJ", "eyj"), None),
        (f"ghp_{'g' * 36}{TOKEN}", "[x]"),
        (f"{TOKEN} AKIAIOSFODNN7EXAMPLE{TOKEN}", "[x] [x][x]"),
    ],
)
def test_a_web_token_is_three_parts_between_full_stops(text: str, shown: str | None) -> None:
    scanner = ContentScanner([Detector(DetectorName.ACCESS_KEY)], Redact("[x]"))
    assert scanner.scan(text) == (shown or text)
    assert scanner.scan(f"é {text} é") == f"é {shown or text} é"
    assert scanner.scan_json(f'["{text}"]') == f'["{shown or text}"]'

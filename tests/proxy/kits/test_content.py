"""What content detectors find, what they leave, and that they stay linear."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollhouse_core.masks import Detector, DetectorName, Nullify, Partial, Redact, Token
from tollhouse_proxy.kits.content import LARGEST, BadPattern, ContentScanner
from tollhouse_proxy.kits.content_finders import loosened

ALL = tuple(Detector(name) for name in DetectorName)


def scanner(*names: str) -> ContentScanner:
    return ContentScanner([Detector(DetectorName(name)) for name in names] or ALL, Redact("[x]"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("card 4111 1111 1111 1111.", "card [x]."),
        ("4111-1111-1111-1111", "[x]"),
        ("1234 4111111111111111", "1234 [x]"),
        ("5555.5555.5555.4444 378282246310005", "[x]"),
        ("4111 1111 1111 1112", "4111 1111 1111 1112"),
        ("a.b+c@example.co.uk and é@ü.de", "[x] and [x]"),
        ("DE89 3704 0044 0532 0130 00 and more", "[x] and more"),
        ("call +49 30 1234567 now", "call [x] now"),
        ("(555) 123-4567", "[x]"),
        ("key AKIAIOSFODNN7EXAMPLE", "key [x]"),
        ("-----BEGIN EC PRIVATE KEY-----\nx\n-----END EC PRIVATE KEY-----\n", "[x]\n"),
        ("-----BEGIN PRIVATE KEY-----\ncut off", "[x]"),
        ("2026-11-21 10:48:11.685059+00", "2026-11-21 10:48:11.685059+00"),
        ("00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000001"),
        ("192.168.100.200 1700000000000", "192.168.100.200 1700000000000"),
    ],
)
def test_what_is_found_is_masked_and_the_rest_stays(text: str, shown: str) -> None:
    assert scanner().scan(text) == shown


def test_an_iban_must_prove_itself() -> None:
    assert scanner("IBAN").scan("DE88 3704 0044 0532 0130 00") == "DE88 3704 0044 0532 0130 00"


def test_each_mask_has_its_own_look() -> None:
    card = [Detector(DetectorName.PAYMENT_CARD)]
    text = "4111111111111111"
    assert ContentScanner(card, Partial(0, 4)).scan(text) == "************1111"
    assert ContentScanner(card, Nullify()).scan(text) == ""
    token = ContentScanner(card, Token(), b"k" * 32).scan(text)
    assert token.startswith("tok_")
    assert token != ContentScanner(card, Token(), b"j" * 32).scan(text)
    assert "kkkk" not in repr(ContentScanner(card, Token(), b"k" * 32))


def test_an_own_pattern_is_re2() -> None:
    assert ContentScanner([Detector(pattern=r"EMP-\d{6}")], Redact("-")).scan("EMP-123456!") == "-!"
    with pytest.raises(BadPattern, match="not valid RE2"):
        ContentScanner([Detector(pattern="(?=x)")], Redact())


def test_json_stays_json() -> None:
    document = (
        '{"card": 4111111111111111, "t": "\\u0034111-1111-1111-1111 \\"q\\"", "n": [1.5, null], "a@b.co": 1}'
    )
    made = json.loads(scanner().scan_json(document))
    assert made == {"card": "[x]", "t": '[x] "q"', "n": [1.5, None], "[x]": 1}


@given(st.text())
def test_text_without_digits_and_signs_is_left_alone(text: str) -> None:
    plain = "".join(char for char in text if char not in "0123456789@-+_.")
    assert scanner().scan(plain) in (plain, plain)


@pytest.mark.parametrize("text", ["a@b.co " * 10_001, "4111111111111111 x" * 10_001, "DE89 " * 10_001])
def test_a_value_with_too_many_places_to_look_at_is_masked_as_a_whole(text: str) -> None:
    assert scanner().scan(text) == "[x]"
    assert scanner().scan_json(json.dumps([text])) == '"[x]"'
    assert ContentScanner(ALL, Partial(2, 2)).scan(text) == "********"


def test_as_many_places_as_may_be_looked_at_are_masked_one_by_one() -> None:
    assert scanner("Email").scan("a@b.co " * 10_000) == "[x] " * 10_000


def test_a_value_larger_than_what_is_scanned_is_masked_as_a_whole() -> None:
    assert scanner().scan(" " * LARGEST) == " " * LARGEST
    assert scanner().scan(" " * (LARGEST + 1)) == "[x]"
    assert scanner().scan("\u00e9" * (LARGEST // 2 + 1)) == "[x]"
    assert scanner().scan_json(" " * LARGEST + "1") == '"[x]"'


def test_a_long_row_of_digits_is_not_looked_at_digit_by_digit() -> None:
    assert scanner("PaymentCard").scan("x" + "4 " * 1_000_000) == "x[x] "


@given(
    st.recursive(
        st.none()
        | st.integers()
        | st.text()
        | st.sampled_from(
            ["a@b.co", "4111111111111111", 4111111111111111, 'q"a@b.co', "a\n+491234567890", "\\a@b.co"]
        ),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    st.booleans(),
)
def test_a_document_is_masked_like_each_of_its_strings(document: object, escaped: bool) -> None:
    looking = scanner()

    def masked(value: object) -> object:
        if isinstance(value, str):
            return looking.scan(value)
        if isinstance(value, int):
            shown = looking.scan(str(value))
            return value if shown == str(value) else shown
        if isinstance(value, list):
            return [masked(one) for one in value]
        return value

    text = json.dumps(document, ensure_ascii=escaped)
    made = json.loads(looking.scan_json(text), object_pairs_hook=list)
    pairs = json.loads(text, object_pairs_hook=lambda found: [list(pair) for pair in found])
    assert json.loads(json.dumps(made)) == masked(pairs)


def test_a_pattern_that_knows_edges_is_asked_of_each_string() -> None:
    own = ContentScanner([Detector(pattern="^EMP[^x]$")], Redact("-"))
    assert own.scan_json('["EMP1", "xEMP1", "EMP1"]') == '["-", "xEMP1", "-"]'


def test_a_document_of_very_many_strings_is_masked_as_a_whole_for_a_pattern_that_knows_edges() -> None:
    own = ContentScanner([Detector(pattern="^EMP[0-9]$")], Redact("-"))
    assert own.scan_json(json.dumps(["x"] * 10_000)) == json.dumps(["x"] * 10_000)
    assert own.scan_json(json.dumps(["x"] * 10_001)) == '"-"'


def test_what_is_written_as_an_escape_is_found_beside_characters_json_does_not_allow() -> None:
    assert scanner().scan_json('["\t\\u0034111 1111 1111 1111"]') == '["\\t[x]"]'


def test_what_is_empty_is_no_find() -> None:
    own = ContentScanner([Detector(pattern="x*")], Redact("-"))
    assert own.scan("axxb") == "a-b"


def test_finds_that_overlap_are_masked_once_and_those_that_touch_each_for_itself() -> None:
    def shown(*patterns: str) -> str:
        return ContentScanner([Detector(pattern=one) for one in patterns], Redact("-")).scan("0abcd1")

    assert shown("abc", "bcd") == "0-1"
    assert shown("abcd", "bc") == "0-1"
    assert shown("ab", "cd") == "0--1"


def test_a_partial_mask_keeps_both_ends_only_of_what_is_longer() -> None:
    own = ContentScanner([Detector(pattern="[a-zé]+")], Partial(2, 3, "#"))
    assert own.scan("abcdé 1 abcdéf") == "##### 1 ab#déf"


def test_a_document_with_escapes_and_very_many_values_is_masked_as_a_whole() -> None:
    as_many_as_may_be = json.dumps(["a\n", *[1] * 99_999])
    assert scanner().scan_json(as_many_as_may_be) == as_many_as_may_be
    assert scanner().scan_json(json.dumps(["a\n", *[1] * 100_000])) == '"[x]"'


def test_places_are_counted_over_all_detectors_of_a_document() -> None:
    def document(count: int) -> str:
        return json.dumps(["a\n", *["a@b.co"] * count, *["+491234567890"] * 5000])

    looking = scanner("Email", "Phone")
    assert looking.scan_json(document(5001)) == '"[x]"'
    assert looking.scan_json(document(2000)).count('"[x]"') == 7000


@pytest.mark.parametrize(
    ("pattern", "loose"),
    [
        (r"^a\b[\b^$]\.$", r"(?:)a(?:)[\b^$]\.(?:)"), (r"\Aa\z", "(?:)a(?:)"), ("[]^]a", "[]^]a"),
        (r"[[:alpha:]$]\\b", r"[[:alpha:]$]\\b"), (r"\Q^\E", None),
    ],
)  # fmt: skip
def test_a_pattern_is_asked_of_whole_rows_without_its_edges_or_not_at_all(
    pattern: str, loose: str | None
) -> None:
    assert loosened(pattern) == loose

"""Which strings and numbers a document has, and which of them are scanned."""

from __future__ import annotations

import json
import re

import pytest

from tollhouse_core.masks import Detector, DetectorName, Partial, Redact
from tollhouse_proxy.kits import content, content_json
from tollhouse_proxy.kits.content import ContentScanner
from tollhouse_proxy.kits.content_finders import Span, TooMany
from tollhouse_proxy.kits.content_json import atoms, said, suspects

EMAIL, CARD = Detector(DetectorName.EMAIL), Detector(DetectorName.PAYMENT_CARD)


def shown(document: str, spans: list[Span]) -> list[str]:
    return [document.encode()[start:end].decode() for start, end in spans]


@pytest.mark.parametrize(
    ("document", "wanted"),
    [
        ("", []),
        ("{}[]null true", []),
        ('{"a": 1, "ü": [-2.5e+3, 0]}', ['"a"', "1", '"ü"', "-2.5e+3", "0"]),
        (r'["\"", "\\", "a\\\"b"]', [r'"\""', r'"\\"', r'"a\\\"b"']),
        ('["1", "", "x', ['"1"', '""', '"x']),
        ('"a\nb"', ['"a\nb"']),
        ('"a\\\nb" 1', ['"a\\\nb"', "1"]),
        ('"cut off \\', ['"cut off \\']),
    ],
)
def test_strings_and_numbers_are_found_where_they_stand(document: str, wanted: list[str]) -> None:
    assert shown(document, atoms(document.encode())) == wanted


@pytest.mark.parametrize(
    ("atom", "wanted"),
    [
        ('"a"', "a"), ("-1.50", "-1.50"), (r'"\u0041\n\\"', "A\n\\"), ('"a\tb"', "a\tb"),
        (r'"\x"', r"\x"), (r'"\ud800"', "\ud800"), ('""', ""), ('"cut', "cut"), (r'"\x cut', r"\x cut"),
    ],
)  # fmt: skip
def test_what_an_atom_says_is_what_its_escapes_mean(atom: str, wanted: str) -> None:
    assert said(atom) == wanted


def pointing(document: str, word: bytes) -> list[str]:
    """The atoms that are chosen where `word` is what may be something."""
    return shown(
        document,
        suspects(document.encode(), lambda data: [one.span() for one in re.finditer(word, data)]),
    )


@pytest.mark.parametrize(
    ("document", "word", "wanted"),
    [
        ('["xy", "a", 17, "b17", "yx"]', b"x", ['"xy"', '"yx"']),
        ('["xy", "a", 17, "b17", "yx"]', b"17", ["17", '"b17"']),
        ('["xy", "a", 17, "b17", "yx"]', b"z", []),
        (r'["\u0078", "\\x", "\n"]', b"x", [r'"\u0078"', r'"\\x"']),
        (r'["\u0078\u0078", "\u0078", "ü", 1, "\u0031"]', b"1", ["1", r'"\u0031"']),
        (r'["\u00fc", "x", "a"]', b"x", ['"x"']),
        ('["a", "b", "c", "d"]', b'b".*c', ['"b"', '"c"']),
        ("[1, 2, 3]", b"2", ["2"]),
        ("[1, 2, 3]", b"3", ["3"]),
        ('["x", "xx"]', b"x", ['"x"', '"xx"']),
    ],
)
def test_an_atom_is_scanned_where_something_may_be_in_what_it_says(
    document: str, word: bytes, wanted: list[str]
) -> None:
    assert pointing(document, word) == wanted


def test_a_document_without_atoms_has_none_to_scan() -> None:
    assert pointing("{}", b"") == []
    anything = ContentScanner([Detector(pattern="x*")], Redact("-"))
    assert anything.scan_json("{}") == "{}"
    assert anything.scan_json('["x", "y"]') == '["-", "y"]'


def test_more_atoms_than_are_looked_at_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content_json, "MOST_ATOMS", 3)
    assert len(atoms(b"[1, 2, 3]")) == 3
    with pytest.raises(TooMany):
        atoms(b"[1, 2, 3, 4]")
    scanner = ContentScanner([EMAIL], Redact("é"))
    assert scanner.scan_json("[1, 2, 3, 4]") == "[1, 2, 3, 4]", "nothing may be in it"
    assert scanner.scan_json('["\\n", 2, 3, 4]') == '"é"'


def test_more_atoms_than_may_be_scanned_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content_json, "MOST_PLACES", 2)
    assert pointing("[1, 12, 3, 2]", b"2") == ["12", "2"]
    with pytest.raises(TooMany):
        pointing("[2, 12, 3, 2]", b"2")


def test_a_document_that_is_too_large_is_masked_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "LARGEST", 10)
    scanner = ContentScanner([EMAIL], Redact("é"))
    assert scanner.scan_json('["a@b.co"]') == '["é"]'
    assert scanner.scan_json('["aa@b.co"]') == '"é"'
    assert ContentScanner([EMAIL], Partial(1, 1)).scan_json('["aa@b.co"]') == '"********"'


def test_a_pattern_that_knows_edges_has_every_string_scanned_as_long_as_they_are_few(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(content, "MOST_PLACES", 2)
    scanner = ContentScanner([EMAIL, Detector(pattern="^x")], Redact("-"))
    assert scanner.scan_json('["xa", "ax"]') == '["-a", "ax"]'
    assert scanner.scan_json('["xa", "ax", 1]') == '"-"'


@pytest.mark.parametrize("document", ['{"a": [1, "\\n"]}', '["DE89", "4111"]', "[1]", "", '["\\u0061@"]'])
def test_a_document_in_which_nothing_is_found_is_the_same_object(document: str) -> None:
    scanner = ContentScanner([CARD, EMAIL, Detector(DetectorName.IBAN)], Redact("-"))
    assert scanner.scan_json(document) is document


def test_what_is_masked_is_written_as_it_is_and_all_around_it_stays() -> None:
    scanner = ContentScanner([CARD, EMAIL], Redact('é"'))
    document = '{ "ü" :[4111111111111111 , "\\ud83d a@b.co ü", "\\u00e9"] }'
    masked = scanner.scan_json(document)
    assert masked == '{ "ü" :["é\\"" , "\ud83d é\\" ü", "\\u00e9"] }'


def test_a_document_of_a_string_is_scanned_in_what_it_says() -> None:
    scanner = ContentScanner([EMAIL], Redact("-"))
    assert json.loads(scanner.scan_json(r'"a\u0040b.co"')) == "-"
    assert scanner.scan_json(r'"\x a@b.co"') == r'"\\x -"'


def test_what_is_cut_off_is_scanned_as_far_as_it_goes() -> None:
    scanner = ContentScanner([EMAIL], Redact("-"))
    assert scanner.scan_json('["x", "a@b.co') == '["x", "-"'
    assert scanner.scan_json('["x", "a@b.co\\') == '["x", "-\\\\"'

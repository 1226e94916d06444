"""Texts under one key have one parse tree but for their constants; the rest is declined."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from fuzz.campaign import Campaign
from fuzz.template import Target
from hypothesis import given
from hypothesis import strategies as st

from kit.twins import Twins

BIG = 2**63


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("SELECT a FROM t WHERE b = 5;", b"SELECT a FROM t WHERE b = \x01;"),
        ("select 'it''s', '', 'é'", b"select \x05, \x05, \x05"),
        ("select 1.5 , .5,(.25)", b"select \x04 , \x04,(\x04)"),
        ("select -1, a -1, a<-1, a-1.5", b"select -\x01, a -\x01, a<-\x01, a-\x04"),
        (f"select {2**31 - 1}, {2**31 + 1}, {BIG - 1}, {BIG + 1}", b"select \x01, \x02, \x02, \x03"),
        ("select '1'::int, date 'x', interval '1' day", b"select \x05::int, date \x05, interval \x05 day"),
        ('select "a1", t1.c2 from t order by 1', b'select "a1", t1.c2 from t order by \x01'),
        ("select $1, x + $12 limit 3", b"select $1, x + $12 limit \x01"),
        ("select a[1], a[1:2], f(1)", b"select a[\x01], a[\x01:\x01], f(\x01)"),
        ("  (values (0,'a')) ; ; ", b"  (values (\x01,\x05)) ; ; "),
        ("select 'a' as x, 'b'", b"select \x05 as x, \x05"),
        ("select x::float, 'a;--b'", b"select x::float, \x05"),
        ("table t", b"table t"),
    ],
)
def test_constants_become_marks_of_their_sort_and_nothing_else_changes(
    twins: Twins, text: str, key: bytes
) -> None:
    made = twins.template(text.encode())
    assert made is not None
    assert made[0] == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ; ",
        "begin",
        "set a = 1",
        "copy t to stdout",
        "explain select 1",
        "select 1; select 2",
        "select 1 -- x",
        "select 1 /* x */",
        "select 1 */ 2",
        "select '\\'",
        'select "\\"',
        "select 1\0",
        "select '\0'",
        "select $$a$$",
        "select $a$b$a$",
        "select a$1",
        "select $1a",
        "select $1.5",
        "select $0",
        "select e'a'",
        "select E'a'",
        "select N'a'",
        "select b'1'",
        "select x'1f'",
        "select U&'a'",
        'select U&"a"',
        "select a &'b'",
        "select 'a''b''",
        "select 'a",
        'select "a',
        'select ""',
        'select "a\x01"',
        "select 'a' 'b'",
        "select 'a'\n'b'",
        "select 'a'b",
        "select 'a'1",
        "select 'a'\"b\"",
        "select 1'a'",
        'select"a"',
        "select 1a",
        "select 1 from t where a in(1)or 2e5",
        "select 1e5",
        "select 1.5e-3",
        "select 0x1f",
        "select 0b1",
        "select 1_000",
        "select 1.",
        "select 1.a",
        "select 1..2",
        "select 1.5.5",
        "select a.5",
        "select (a).5",
        "select a[1].5",
        "select . 5, a..5",
        "select 007",
        "select 00",
        "select 01.5",
        "select 2147483648",
        f"select {BIG}",
        "select 1::float(3)",
        "select 1::FLOAT ( 3 )",
        "select 'a' uescape '!'",
        "select 1\x0b",
        "select 1\x7f",
        "select '{}'".format("x" * (64 * 1024)),
    ],
)
def test_what_may_be_read_in_two_ways_is_declined(twins: Twins, text: str) -> None:
    assert twins.template(text.encode()) is None


@pytest.mark.parametrize(
    "text", [b"select '\xff'", b"select \xc3", b"select '\xed\xa0\x80'", b"select '\xc0\x80'"]
)
def test_bytes_that_are_no_utf8_are_declined(twins: Twins, text: bytes) -> None:
    assert twins.template(text) is None


def test_spans_are_where_the_constants_stand(twins: Twins) -> None:
    text = "insert into é values (10, 'ü''', 1.25)".encode()
    made = twins.template(text)
    assert made is not None
    assert [text[begin:end] for begin, end in made[1]] == [b"10", "'ü'''".encode(), b"1.25"]


_WORDS = """
    select SELECT values float FLOAT uescape a é "b" "" ' '' 'a' 'b''c' E'd' & && ( ) [ ] , . : :: ; - -- +
    / * /* */ < = $1 $2a $$ 1 12 0 00 1.5 .5 1. 2147483647 2147483648 9223372036854775808 1e5 \\
"""
_PIECES = st.sampled_from([*_WORDS.split(), " ", "  ", "\n", "\t", "\x0b", "\0", "\x01", "\x7f", "9" * 20])


@given(st.lists(_PIECES, max_size=12), st.booleans())
def test_a_key_with_its_constants_put_back_is_the_text(twins: Twins, pieces: list[str], blanks: bool) -> None:
    text = ("select " + (" " if blanks else "").join(pieces)).encode()
    made = twins.template(text)
    if made is None:
        return
    key, spans = made
    parts, at = [], 0
    for begin, end in spans:
        parts.append(text[at:begin])
        at = end
    assert key == b"".join(
        [part + mark for part, mark in zip([*parts, text[at:]], [*_marks(key), b""], strict=True)]
    )
    assert not any(byte in text[end : end + 1] for _, end in spans for byte in b"'")


def _marks(key: bytes) -> list[bytes]:
    return [bytes([byte]) for byte in key if byte in b"\x01\x02\x03\x04\x05"]


@given(st.lists(_PIECES, max_size=12), st.binary(max_size=6))
def test_both_twins_give_the_same_template(
    both: tuple[Twins, Twins], pieces: list[str], noise: bytes
) -> None:
    for text in ("select " + "".join(pieces), "select " + " ".join(pieces)):
        for data in (text.encode(), text.encode() + noise):
            assert both[0].template(data) == both[1].template(data)


def test_statements_grown_by_the_fuzzer_keep_their_promise() -> None:
    campaign, target, rng = Campaign(Path("unused")), Target(), random.Random(20261121)
    for _ in range(200):
        target.step(rng, campaign)
    assert campaign.inputs > 200
    assert campaign.findings == 0

"""Binary forms, read as words; what real servers send is tried in tests/real/threats/test_content.py."""

from __future__ import annotations

from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollhouse_proxy.protocols.postgres import binary_words


def sized(value: bytes | None) -> bytes:
    return pack("!i", -1) if value is None else pack("!i", len(value)) + value


def array(kind: int, *values: bytes | None) -> bytes:
    head = pack("!iiIii", 1, int(None in values), kind, len(values), 1)
    return head + b"".join(map(sized, values))


def record(*values: tuple[int, bytes | None]) -> bytes:
    return pack("!i", len(values)) + b"".join(pack("!I", kind) + sized(value) for kind, value in values)


EIGHT = pack("!q", 4111111111111111)
DATE = pack("!i", 9000)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (array(20, EIGHT, None), ["4111111111111111"]),
        (array(701, pack("!d", 4111111111111111.0)), ["4111111111111111"]),
        (record((23, pack("!i", 7)), (25, b"word")), ["7", "word"]),
        (record((1082, DATE), (16, None)), ["2024-08-22"]),
        (b"\x02" + sized(EIGHT) + sized(pack("!q", 5)), ["4111111111111111", "5"]),
        (b"\x08" + sized(EIGHT), ["4111111111111111"]),
        (b"\x01", []),
        (pack("!i", 1) + sized(b"\x12" + sized(EIGHT)), ["4111111111111111"]),
        (array(20, EIGHT)[:-1], []),
        (array(20, EIGHT) + b"x", []),
        (b"", []),
    ],
)
def test_parts_are_read_by_their_types(value: bytes, words: list[str]) -> None:
    assert list(binary_words.parts(value)) == words


def test_parts_of_parts_are_read() -> None:
    within = array(2249, record((1016, array(20, EIGHT)), (20, EIGHT)))
    assert list(binary_words.parts(within)).count("4111111111111111") == 2


@pytest.mark.parametrize(
    ("value", "words"),
    [(4111111111111111.0, "4111111111111111"), (-0.5, "-0.5"), (1e300, "1e+300"), (5.0, "5")],
)
def test_a_whole_float_is_all_its_digits(value: float, words: str) -> None:
    assert binary_words.floating(pack("!d", value)) == words


def test_an_integer_of_four_bytes_may_have_no_sign() -> None:
    assert binary_words.integer(pack("!i", -5)) == "-5 4294967291"
    assert binary_words.integer(b"abc") == ""


def test_days_and_moments_beyond_the_calendar_have_no_words() -> None:
    assert binary_words.day(pack("!i", 2**31 - 1)) == binary_words.moment(pack("!q", 2**63 - 1)) == ""
    assert binary_words.moment(pack("!q", 1_000_000)) == "2000-01-01 00:00:01"


@given(st.binary(max_size=200))
def test_no_bytes_are_more_than_can_be_read(value: bytes) -> None:
    for words in (
        binary_words.integer, binary_words.floating, binary_words.numeric,
        binary_words.day, binary_words.moment, binary_words.uuid,
    ):  # fmt: skip
        assert isinstance(words(value), str)
    assert sum(map(len, binary_words.parts(value))) <= 12 * len(value)

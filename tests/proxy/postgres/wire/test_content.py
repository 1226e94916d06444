"""Masking content in rows of every format; positions and edits."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollhouse_proxy.kits.rows import Sheet
from tollhouse_proxy.protocols.postgres.content import mask_copies, mask_rows, plan
from tollhouse_proxy.protocols.postgres.spelling import positions, spelled
from tollhouse_proxy.protocols.postgres.sql.statement import Edit
from tollhouse_proxy.protocols.postgres.wire.backend import DataRow, Field
from tollhouse_proxy.protocols.postgres.wire.errors import ProtocolError


class Hush:
    """Finds the word `secret` and the number 4111."""

    sheet = Sheet(every=lambda _: None, own=lambda _: None)

    def scan(self, text: str) -> str:
        return text.replace("secret", "******").replace("4111", "****")

    scan_json = scan


def mask_row(message: bytes, ways: tuple[int, ...], scanner: Hush) -> bytes:
    made = mask_rows(message, 0, len(message), ways, scanner)[1]
    return message if made is None else made


def mask_copy(message: bytes, scanner: Hush, form: int) -> bytes:
    made = mask_copies(message, 0, len(message), scanner, form)[1]
    return message if made is None else made


def column(kind: int, form: int = 0) -> Field:
    return Field(b"c", 0, 0, kind, -1, -1, form)


def masked(kind: int, form: int, value: bytes) -> bytes | None:
    ways = plan((column(kind, form),), ())
    row = DataRow.parse(mask_row(DataRow((value,)).encode(), ways, Hush())[5:])
    return row.values[0]


@pytest.mark.parametrize(
    ("kind", "form", "value", "wanted"),
    [
        (25, 0, b"a secret", b"a ******"),
        (25, 1, b"a secret", b"a ******"),
        (114, 1, b'{"a":"secret"}', b'{"a":"******"}'),
        (3802, 0, b'{"a":"secret"}', b'{"a":"******"}'),
        (3802, 1, b'\x01{"a":"secret"}', b'\x01{"a":"******"}'),
        (20, 0, b"4111", None),
        (20, 1, struct.pack("!q", 4111), None),
        (20, 1, struct.pack("!q", 5), struct.pack("!q", 5)),
        (1700, 0, b"4111.50", None),
        (1700, 1, struct.pack("!hhhhh", 1, 0, 0, 0, 4111), None),
        (23, 1, struct.pack("!i", 7), struct.pack("!i", 7)),
        (1009, 0, b"{a,secret}", b"{a,******}"),
        (1009, 1, b"..secret..", None),
        (1009, 1, b"..plain...", b"..plain..."),
    ],
)
def test_a_value_is_masked_in_place_or_becomes_null(
    kind: int, form: int, value: bytes, wanted: bytes | None
) -> None:
    assert masked(kind, form, value) == wanted


def test_null_stays_null_and_lengths_follow() -> None:
    ways = plan((column(25), column(25), column(23, 1)), ())
    row = DataRow((None, "säcret secret".encode(), b"\0\0\0\x07"))
    found = mask_row(row.encode(), ways, Hush())
    assert DataRow.parse(found[5:]) == DataRow((None, "säcret ******".encode(), b"\0\0\0\x07"))


def test_formats_of_bind_overrule_the_description_before_it() -> None:
    columns = (column(25), column(3802))
    assert plan(columns, (1,)) == plan((column(25, 1), column(3802, 1)), ())
    assert plan(columns, (0, 1)) == plan((column(25), column(3802, 1)), ())


@pytest.mark.parametrize(
    "message",
    [
        DataRow((b"a", b"b")).encode(),
        b"D\0\0\0\x0a\0\x01\xff\xff\xff\xfe",
        b"D\0\0\0\x0b\0\x01\0\0\0\x09a",
        b"D\0\0\0\x0c\0\x01\0\0\0\x01ab",
        DataRow((b"\xff",)).encode(),
    ],
)
def test_a_row_that_is_not_what_was_described_is_refused(message: bytes) -> None:
    with pytest.raises(ProtocolError):
        mask_row(message, plan((column(25),), ()), Hush())


def test_copied_lines_and_binary_rows_are_masked() -> None:
    assert mask_copy(b"d\0\0\0\x0esecret\tab\n", Hush(), 0) == b"d\0\0\0\x0e******\tab\n"
    head = b"PGCOPY\n\xff\r\n\0" + b"\0" * 8
    row = b"\0\x02" + struct.pack("!i", 6) + b"secret" + struct.pack("!i", 2) + b"ok"
    message = b"d" + struct.pack("!i", 4 + len(head) + len(row)) + head + row
    found = mask_copy(message, Hush(), 1)
    assert found[5:] == head + b"\0\x02\xff\xff\xff\xff" + struct.pack("!i", 2) + b"ok"
    assert mask_copy(b"d\0\0\0\x06\xff\xff", Hush(), 1) == b"d\0\0\0\x06\xff\xff"


@given(
    text=st.text("abcdef ", min_size=1, max_size=30),
    cuts=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 4), st.text("XYZ", max_size=6)), max_size=4),
)
def test_positions_outside_replacements_come_back_exactly(
    text: str, cuts: list[tuple[int, int, str]]
) -> None:
    edits: list[Edit] = []
    for start, length, words in sorted(cuts):
        begin = max(start, edits[-1].end if edits else 0)
        if begin + length <= len(text):
            edits.append(Edit(begin, begin + length, words))
    sent = spelled(text, edits)
    back = positions(edits) or (lambda at: at)
    kept = [at for at in range(len(text)) if not any(edit.start <= at < edit.end for edit in edits)]
    found = [at for at, char in enumerate(sent) if char not in "XYZ"]
    assert [back(at + 1) - 1 for at in found] == kept

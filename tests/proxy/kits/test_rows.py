"""Runs of rows with their content masked: one result from every implementation, or one error."""

from __future__ import annotations

import random
from pathlib import Path
from struct import pack

import pytest
from fuzz.campaign import Campaign
from fuzz.twins import Target

from kit.twins import Twins
from tollhouse_core.masks import Detector, DetectorName, Mask, Partial, Redact, Token
from tollhouse_proxy.kits.content import ContentScanner
from tollhouse_proxy.kits.content_finders import BITS, loosened
from tollhouse_proxy.kits.content_sheet import sheet_of
from tollhouse_proxy.kits.rows import LARGEST, RowError, Sheet, Way
from tollhouse_proxy.protocols.postgres.content import mask_value
from tollhouse_proxy.protocols.postgres.sql_dialect import Scanners

ALL = tuple(Detector(name) for name in DetectorName)


def row(*values: bytes | None) -> bytes:
    body = pack("!H", len(values)) + b"".join(
        b"\xff\xff\xff\xff" if one is None else pack("!i", len(one)) + one for one in values
    )
    return b"D" + pack("!i", len(body) + 4) + body


def line(text: bytes) -> bytes:
    return b"d" + pack("!i", len(text) + 4) + text


def masked(
    twins: Twins, data: bytes, ways: tuple[int, ...] | None, *detectors: Detector, mask: Mask | None = None
) -> bytes | None:
    each = [ContentScanner(detectors or ALL, mask or Redact("[x]"), b"k" * 32)]
    scanners = Scanners(each, sheet_of(each))
    return twins.mask_rows(
        data, 0, len(data), ways, scanners.sheet, lambda value, way: mask_value(value, way, scanners)
    )


def test_rows_in_which_nothing_is_found_go_as_they_are(twins: Twins) -> None:
    data = row(b"1", b"plain", None, "ümlaut".encode()) * 3 + row(b"", b"4111111111111112", b"a@b", b"+1")
    assert masked(twins, data, (Way.NUMBER_TEXT, Way.TEXT, Way.TEXT, Way.TEXT)) is None


def test_finds_are_masked_and_lengths_follow(twins: Twins) -> None:
    ways = (Way.NUMBER_TEXT, Way.TEXT, Way.TEXT)
    data = (
        row(b"1", b"x", None)
        + row(b"4111111111111111", b"to a@b.co, +49 30 1234567!", None)
        + row(b"2", b"", b"")
    )
    assert masked(twins, data, ways) == row(b"1", b"x", None) + row(None, b"to [x], [x]!", None) + row(
        b"2", b"", b""
    )
    kept = masked(twins, data, ways, mask=Partial(1, 2, "é"))
    assert kept == row(b"1", b"x", None) + row(None, "to aéééco, +ééééééééééé67!".encode(), None) + row(
        b"2", b"", b""
    )


def test_a_partial_mask_counts_characters_and_never_cuts_one(twins: Twins) -> None:
    key = "-----BEGIN PRIVATE KEY-----\nüñ😀 ".encode()
    kept = masked(twins, line(key), None, Detector(DetectorName.PRIVATE_KEY), mask=Partial(5, 2, "#"))
    assert kept == line(b"-----" + b"#" * 25 + "😀 ".encode())


def test_what_only_python_knows_is_asked_for(twins: Twins) -> None:
    token = masked(twins, row(b"a@b.co"), (Way.TEXT,), mask=Token())
    assert token is not None
    assert token.startswith(row(b"tok_" + b"0" * 32)[:15])
    key = b"-----BEGIN PRIVATE KEY-----\nx"
    document = b'{"a": "4111 1111 1111 1111"}'
    made = masked(twins, row(key, document, b"\x01" + document), (Way.TEXT, Way.JSON, Way.JSONB_BINARY))
    assert made == row(b"[x]", b'{"a": "[x]"}', b'\x01{"a": "[x]"}')
    assert masked(twins, row("4111\u00a01111\u00a01111\u00a01111".encode()), (Way.TEXT,)) == row(b"[x]")
    assert masked(twins, row("ü@é.de".encode()), (Way.TEXT,)) == row(b"[x]")


def test_own_patterns_are_found_beside_the_others_and_in_every_format(twins: Twins) -> None:
    own = Detector(pattern=r"\bEMP-\d{3}\b")
    data = row(b"EMP-123", b"xEMP-123", b"a@b.co") + row(b"n", b"EMP-1234", b"EMP-555 EMP-666")
    made = masked(twins, data, (Way.TEXT,) * 3, own, Detector(DetectorName.EMAIL))
    assert made == row(b"[x]", b"xEMP-123", b"[x]") + row(b"n", b"EMP-1234", b"[x] [x]")
    number = Detector(pattern="777")
    assert masked(twins, row(pack("!q", 17775)), (Way.INTEGER_BINARY,), number) == row(None)
    assert masked(twins, row(pack("!q", 5)), (Way.INTEGER_BINARY,), number) is None


def test_own_patterns_take_bytes_that_are_no_text_for_one_with_something_in_their_place(twins: Twins) -> None:
    own = Detector(pattern="[^$]é")
    broken = b"0-\xc3\xc3\xa9"
    assert masked(twins, row(broken, b"plain"), (Way.OPAQUE,) * 2, own) == row(None, b"plain")


def test_lines_of_a_copy_are_texts(twins: Twins) -> None:
    data = line(b"1\tplain\n") + line(b"2\ta@b.co\n") + line(b"3\t\\N\n")
    assert masked(twins, data, None) == line(b"1\tplain\n") + line(b"2\t[x]\n") + line(b"3\t\\N\n")


def copied(body: bytes) -> bytes:
    return b"d" + pack("!i", len(body) + 4) + body


FILE_HEAD = b"PGCOPY\n\xff\r\n\0" + b"\0" * 7 + b"\x02ab"


def mask_copied(twins: Twins, data: bytes, mask: Mask | None = None) -> bytes | None:
    each = [ContentScanner(ALL, mask or Redact("[x]"), b"k" * 32)]
    scanners = Scanners(each, sheet_of(each))
    return twins.mask_copied(
        data, 0, len(data), scanners.sheet, lambda value, way: mask_value(value, way, scanners)
    )


def test_a_field_of_a_binary_copy_in_which_something_is_found_becomes_null(twins: Twins) -> None:
    fields = row(b"to a@b.co", pack("!i", 7), None, b"plain")[5:]
    hidden = row(None, pack("!i", 7), None, b"plain")[5:]
    letters = row("ü a@b.co".encode(), b"\xff 4111111111111111")[5:]
    data = copied(FILE_HEAD + fields) + copied(letters) + copied(b"\0\0") + copied(b"\xff\xff")
    shown = copied(FILE_HEAD + hidden) + copied(row(None, None)[5:]) + copied(b"\0\0") + copied(b"\xff\xff")
    assert mask_copied(twins, data) == shown
    assert mask_copied(twins, data, Partial(0, 2, "#")) == shown
    assert mask_copied(twins, data, Token()) == shown
    assert mask_copied(twins, shown) is None
    assert mask_copied(twins, copied(FILE_HEAD) + copied(b"")) is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"\0", "a row ends too early"),
        (b"\xff", "a row ends too early"),
        (b"\0\x01", "a row ends too early"),
        (b"\0\x01\0\0\0\x02a", "the length of a value in a row is wrong"),
        (b"\0\x01\0\0\0\x01ab", "a row has bytes too many"),
        (FILE_HEAD[:-1], "a row ends too early"),
        (FILE_HEAD + b"\0", "a row ends too early"),
        (FILE_HEAD[:15] + b"\xff\xff\xff\xff", "the header of a COPY has a wrong length"),
    ],
)
def test_a_binary_row_that_is_none_breaks_the_whole_run(twins: Twins, body: bytes, words: str) -> None:
    with pytest.raises(RowError, match=words):
        mask_copied(twins, copied(row(b"a@b.co")[5:]) + copied(body))


def test_a_large_value_is_left_to_the_scanner(twins: Twins) -> None:
    large = b"x" * LARGEST + b" a@b.co"
    assert masked(twins, row(large), (Way.TEXT,)) == row(b"x" * LARGEST + b" [x]")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "a row ends too early"),
        (b"\0", "a row ends too early"),
        (b"\0\x02\0\0\0\0\0\0\0\0", "a row of 2 columns where 1 were described"),
        (b"\0\x01", "a row ends too early"),
        (b"\0\x01\0\0\0", "a row ends too early"),
        (b"\0\x01\0\0\0\x02a", "the length of a value in a row is wrong"),
        (b"\0\x01\xff\xff\xff\xfe", "the length of a value in a row is wrong"),
        (b"\0\x01\x80\0\0\0", "the length of a value in a row is wrong"),
        (b"\0\x01\0\0\0\x01ab", "a row has bytes too many"),
        (b"\0\x01\xff\xff\xff\xffa", "a row has bytes too many"),
        (b"\0\x01\0\0\0\x01\xff", "a text value is not UTF-8"),
    ],
)
def test_a_row_that_is_not_what_was_described_breaks_the_whole_run(
    twins: Twins, body: bytes, words: str
) -> None:
    broken = b"D" + pack("!i", len(body) + 4) + body
    with pytest.raises(ValueError, match=words) as caught:
        masked(twins, row(b"a@b.co") + broken + row(b"b"), (Way.TEXT,))
    assert str(caught.value) == words


@pytest.mark.parametrize("data", [b"D", b"D\0\0\0\x03", b"D\0\0\0\x07ab", row(b"a") + line(b"a"), line(b"a")])
def test_what_is_not_whole_rows_is_refused(twins: Twins, data: bytes) -> None:
    with pytest.raises(ValueError, match="whole messages"):
        masked(twins, data, (Way.TEXT,))


def test_what_masking_raises_goes_through(twins: Twins) -> None:
    def stop(_value: bytes, _way: int) -> bytes | None:
        raise RowError("stop")

    data = row(b"a@b.co") * 5000
    with pytest.raises(RowError, match="stop"):
        twins.mask_rows(
            data, 0, len(data), (Way.OPAQUE,), Sheet(every=lambda _: None, own=lambda _: None), stop
        )


def test_the_bits_of_the_sheet_are_those_the_compiled_module_counts_on() -> None:
    assert [BITS[name] for name in DetectorName] == [1, 2, 4, 8, 16, 32]
    assert [name.value for name in DetectorName] == [
        "PaymentCard",
        "Email",
        "Phone",
        "IBAN",
        "PrivateKey",
        "AccessKey",
    ]


@pytest.mark.parametrize(
    ("pattern", "loose"),
    [
        (r"\bEMP-\d{6}\b", r"(?:)EMP-\d{6}(?:)"),
        (r"[^$^]\$\^x$", r"[^$^]\$\^x(?:)"),
        (r"[]^]a", r"[]^]a"),
        (r"\\bx", r"\\bx"),
        (r"[[:alpha:]^\]\b]\B", r"[[:alpha:]^\]\b](?:)"),
        (r"\Qa^\E", None),
    ],
)
def test_a_pattern_is_loosened_outside_classes_and_escapes(pattern: str, loose: str | None) -> None:
    assert loosened(pattern) == loose


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_values_grown_by_the_fuzzer_come_out_alike_from_all_implementations(seed: int) -> None:
    campaign, target, rng = Campaign(Path("unused")), Target(), random.Random(seed)
    for _ in range(150):
        target.step(rng, campaign)
    assert campaign.findings == 0

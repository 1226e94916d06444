"""Batches, known texts and whole answers: both implementations find what reading each message finds."""

from __future__ import annotations

from collections.abc import Callable
from struct import pack

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from tollhouse_proxy.kits import batches, frames, kernel, template
from tollhouse_proxy.protocols.postgres.wire import backend
from tollhouse_proxy.protocols.postgres.wire.errors import ProtocolError
from tollhouse_proxy.protocols.postgres.wire.framing import Framer
from tollhouse_proxy.protocols.postgres.wire.frontend import (
    CAPS,
    SYNC_MESSAGE,
    Bind,
    Describe,
    Execute,
    Parse,
)

END = Execute("").encode() + SYNC_MESSAGE
DESCRIBED = Describe("P", "").encode() + END
TABLE = frames.table(backend.CAPS)
SHAPES = frozenset({b"TDCZ", b"TCZ", b"CZ", b"2DCZ", b"12TDCZ", b"CCZ"})

formats = some.lists(some.integers(0, 1), max_size=3)
statements = some.sampled_from(["", "s", "näme", "a" * 40])


def bind(statement: str, given_formats: list[int], values: list[bytes | None], results: list[int]) -> bytes:
    return Bind("", statement, tuple(given_formats), tuple(values), tuple(results)).encode()


@some.composite
def well_formed(draw: some.DrawFn) -> bytes:
    values = draw(some.lists(some.none() | some.binary(max_size=8), max_size=3))
    shown = draw(formats)
    if len(shown) > 1:
        shown = (shown * 3)[: len(values)] if values else []
    parse = draw(some.booleans())
    before = Parse("", b"select 1").encode() if parse else b""
    statement = "" if parse else draw(statements)
    return before + bind(statement, shown, values, draw(formats)) + draw(some.sampled_from([END, DESCRIBED]))


@some.composite
def bent(draw: some.DrawFn) -> bytes:
    data = bytearray(draw(well_formed()))
    for _ in range(draw(some.integers(1, 3))):
        at = draw(some.integers(0, len(data) - 1))
        match draw(some.integers(0, 2)):
            case 0:
                data[at] = draw(some.sampled_from([0, 1, 2, 4, 255, data[at] ^ 1, ord("B")]))
            case 1:
                del data[at]
            case _:
                data.insert(at, draw(some.integers(0, 255)))
        if not data:
            break
    return bytes(data)


@given(well_formed())
def test_what_drivers_send_is_a_batch_with_the_parts_that_each_message_has(data: bytes) -> None:
    found = kernel.parts(data)
    assert found is not None
    assert found == batches.parts(data)
    parse, statement, end, described, shown, values = found
    read = Bind.parse(data[parse + 5 : end])
    assert (read.statement, read.formats, read.values) == (statement, shown, values)
    assert data[end:] == (DESCRIBED if described else END)


@given(bent() | some.binary(max_size=60))
@example(b"")
@example(END)
@example(b"B" + pack("!I", 0x7FFFFFFF) + END)
@example(b"P\xff\xff\xff\xff\0" + END)
def test_whatever_is_bent_is_found_alike_and_only_if_each_message_reads_so(data: bytes) -> None:
    found = kernel.parts(data)
    assert found == batches.parts(data)
    if found is not None:
        parse, statement, end, _, shown, values = found
        try:
            framer = Framer("a client", CAPS)
            framer.feed(data)
            read = Bind.parse(data[parse + 5 : end])
        except ProtocolError as error:
            pytest.fail(f"a batch that cannot be read: {error}")
        assert (read.portal, read.statement, read.formats, read.values) == ("", statement, shown, values)


@pytest.mark.parametrize("shown", [[0, 1], [1, 1, 1]])
@pytest.mark.parametrize("parts", [batches.parts, kernel.parts], ids=["python", "kernel"])
def test_formats_are_none_or_one_or_as_many_as_values(
    parts: Callable[[bytes], object], shown: list[int]
) -> None:
    assert parts(bind("", shown, [b"x"] * len(shown), []) + END) is not None
    assert parts(bind("", shown, [b"x"], []) + END) is None
    assert parts(bind("", [1], [b"x"] * 3, []) + END) is not None


def query(text: bytes) -> bytes:
    return b"Q" + pack("!I", len(text) + 5) + text + b"\0"


@given(
    text=some.sampled_from(
        [b"select 1", b"select 'x' ; ", b"select \xff", b"set a = 1", b"select 2", b"", b"\0"]
    )
    | some.binary(max_size=20),
    padding=some.sampled_from([0, 3000, 70_000]),
    length=some.sampled_from([0, 1, -1]),
)
@pytest.mark.parametrize("find", [template.find, kernel.find], ids=["python", "kernel"])
def test_a_text_is_known_by_itself_or_by_its_template(
    find: Callable[..., str | None], text: bytes, padding: int, length: int
) -> None:
    text += b" " * padding
    whole = query(text)
    message = whole[:1] + pack("!I", len(whole) - 1 + length) + whole[5:]
    found = template.template(text)
    forms = {} if found is None else {found[0]: "form"}
    assert find(message, {message: "exact"}, forms) == "exact"
    assert find(message, {}, forms) == ("form" if forms and not length else None)
    assert find(message, {}, {b"other": "form"}) is None
    assert find(message[:-1], {}, forms) is None
    assert find(b"P" + message[1:], {}, forms) is None


def message(kind: bytes, body: bytes) -> bytes:
    return kind + pack("!I", len(body) + 4) + body


pieces = some.sampled_from(
    [
        message(b"T", b"\0\0"), message(b"D", b"\0\0"), message(b"D", b"\0\1\0\0\0\1x"), message(b"1", b""),
        message(b"2", b""), message(b"C", b"SELECT 1\0"), message(b"C", b"A\0B\0"), message(b"C", b"SELECT"),
        message(b"C", b"\xff\0"), message(b"C", b""), message(b"C", b"\0"), message(b"Z", b"I"),
        message(b"Z", b"IZ\0\0\0\5I"), message(b"Z", b""), message(b"Z", b"T"), message(b"E", b"\0"),
    ]
)  # fmt: skip


@given(parts=some.lists(pieces, max_size=7), cut=some.integers(0, 3))
@example(parts=[message(b"C", b"SELECT 1\0"), message(b"Z", b"I")], cut=0)
@example(parts=[message(b"C", b"SELECT"), message(b"Z", b"I")], cut=0)
@example(parts=[message(b"C", b"a\0"), message(b"C", b"b\0"), message(b"Z", b"I")], cut=0)
@example(parts=[message(b"C", b""), message(b"C", b"b\0"), message(b"Z", b"I")], cut=0)
def test_a_whole_answer_is_what_its_messages_say(parts: list[bytes], cut: int) -> None:
    data = b"".join(parts)[: -cut or None]
    found = kernel.answered(data, TABLE, SHAPES, ord("I"))
    assert found == frames.answered(data, TABLE, SHAPES, ord("I"))
    if found is None:
        return
    assert not cut or len(parts[-1]) == cut
    whole = parts if not cut else parts[:-1]
    assert whole[-1] == message(b"Z", b"I")
    tag = whole[-2]
    assert tag[:1] == b"C"
    assert tag[5:].decode() == found[2] + "\0"
    rows = [one for one in whole if one[:1] == b"D"]
    assert found[:2] == (len(rows), sum(map(len, rows)))


def test_plain_answers_are_found() -> None:
    row, tag = message(b"D", b"\0\1\0\0\0\1x"), message(b"C", b"SELECT 2\0")
    data = message(b"T", b"\0\0") + row * 2 + tag + message(b"Z", b"T")
    assert kernel.answered(data, TABLE, SHAPES, ord("T")) == (2, 2 * len(row), "SELECT 2")
    assert kernel.answered(data, TABLE, SHAPES, ord("I")) is None
    assert kernel.answered(data, TABLE, frozenset({b"CZ"}), ord("T")) is None
    for answered in (kernel.answered, frames.answered):
        with pytest.raises(ValueError, match="table of caps"):
            answered(data, b"", SHAPES, ord("T"))

"""Any chunking of the same bytes gives the same messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollhouse_proxy.kits.kernel import kinds
from tollhouse_proxy.protocols.postgres.wire import frontend
from tollhouse_proxy.protocols.postgres.wire.body import message
from tollhouse_proxy.protocols.postgres.wire.errors import ProtocolError
from tollhouse_proxy.protocols.postgres.wire.framing import Framer

COPIED = kinds(b"d")
messages = st.lists(
    st.tuples(st.sampled_from([b"Q", b"P", b"d"]), st.binary(max_size=30)).map(lambda one: message(*one)),
    max_size=12,
)


def framed(stream: bytes, sizes: list[int]) -> list[bytes]:
    framer, found, at = Framer("a client", frontend.CAPS), [], 0
    for size in [*sizes, len(stream)]:
        framer.feed(stream[at : at + size])
        at += size
        while (one := framer.next()) is not None:
            found.append(one)
    assert framer.waiting == 0
    return found


@given(wanted=messages, sizes=st.lists(st.integers(1, 17), max_size=80))
def test_chunking_does_not_matter(wanted: list[bytes], sizes: list[int]) -> None:
    assert framed(b"".join(wanted), sizes) == wanted


@given(wanted=messages, sizes=st.lists(st.integers(1, 60), max_size=30))
def test_runs_of_a_kind_are_its_messages_in_one_piece(wanted: list[bytes], sizes: list[int]) -> None:
    stream = b"".join(wanted)
    framer, at, found, alone = Framer("a client", frontend.CAPS), 0, b"", []
    for size in [*sizes, len(stream)]:
        framer.feed(stream[at : at + size])
        at += size
        while True:
            piece = framer.run(COPIED)
            found += piece
            assert framer.run(COPIED) == b"", "it takes all that are whole"
            if (one := framer.next()) is None:
                break
            found += one
            alone.append(one)
    assert found == stream
    assert framer.waiting == 0
    assert [one for one in alone if one[:1] != b"d"] == [one for one in wanted if one[:1] != b"d"]
    whole = Framer("a client", frontend.CAPS)
    whole.feed(stream)
    rows = [one for one in wanted if one[:1] == b"d"]
    if wanted and len(rows) == len(wanted):
        assert whole.run(COPIED) is stream


@pytest.mark.parametrize("header", [b"d\0\0\0\3", b"!\0\0\0\4"])
def test_a_run_leaves_a_bad_header_to_who_refuses_it(header: bytes) -> None:
    framer = Framer("a client", frontend.CAPS)
    framer.feed(message(b"d", b"x") + header)
    assert framer.run(COPIED) == message(b"d", b"x")
    assert framer.run(COPIED) == b""
    with pytest.raises(ProtocolError):
        framer.next()


def test_byte_by_byte_is_the_same_as_whole() -> None:
    wanted = [message(b"Q", b"SELECT 1\0"), message(b"S"), message(b"d", b"x" * 300)]
    stream = b"".join(wanted)
    assert framed(stream, [1] * len(stream)) == framed(stream, []) == wanted


def test_a_whole_chunk_is_handed_on_without_a_copy() -> None:
    chunk = message(b"Q", b"SELECT 1\0")
    framer = Framer("a client", frontend.CAPS)
    framer.feed(chunk)
    assert framer.next() is chunk


@pytest.mark.parametrize(
    "header",
    [
        b"Q\0\0\0\0",
        b"Q\0\0\0\x03",
        b"Q\xff\xff\xff\xff",
        b"Q\x7f\xff\xff\xff",
        b"S\0\0\0\x05",
        b"Z\0\0\0\x05",
        b"\0\0\0\0\x04",
    ],
)
def test_a_bad_header_is_refused_before_its_body_comes(header: bytes) -> None:
    framer = Framer("a client", frontend.CAPS)
    framer.feed(header)
    with pytest.raises(ProtocolError):
        framer.next()


def test_memory_grows_with_what_came_and_not_with_what_is_announced() -> None:
    framer = Framer("a client", frontend.CAPS)
    framer.feed(b"d\x30\x00\x00\x00abc")
    assert framer.next() is None
    assert framer.waiting == 8


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_what_comes_in_pieces_is_put_together_once(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    joined, join = [], Framer._join

    def counted(framer: Framer) -> None:
        joined.append(framer.waiting)
        join(framer)

    monkeypatch.setattr(Framer, "_join", counted)
    framer, whole = Framer("a client", frontend.CAPS), message(b"d", b"x" * 100_000)
    for at in range(0, len(whole), size):
        framer.feed(whole[at : at + size])
        assert framer.waiting == min(at + size, len(whole))
        found = framer.next()
        assert (found is None) is (at + size < len(whole))
    assert found == whole
    assert framer.waiting == 0
    assert joined == [len(whole)]


def test_a_message_cut_off_in_its_header_is_refused_when_the_header_is_there() -> None:
    framer = Framer("a client", frontend.CAPS)
    for byte in b"Q\xff\xff\xff":
        framer.feed(bytes((byte,)))
        assert framer.next() is None
    framer.feed(b"\xff")
    with pytest.raises(ProtocolError, match="announces 4294967295 bytes; allowed are 4 to 67108864"):
        framer.next()


def test_what_was_taken_is_not_kept() -> None:
    framer = Framer("a client", frontend.CAPS)
    framer.feed(message(b"d", b"x" * 1000) + message(b"S"))
    assert framer.next() == message(b"d", b"x" * 1000)
    assert framer.next() == message(b"S")
    assert framer.next() is None
    assert framer._data == b""
    framer.feed(message(b"S") + b"S")
    assert framer.next() == message(b"S")
    assert framer.next() is None
    assert framer._data == b"S"

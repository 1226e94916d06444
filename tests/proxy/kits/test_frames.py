"""What headers say of a chunk: runs of rows, and surveys of whole answers."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.twins import Twins
from tollhouse_proxy.kits.frames import FrameError, kinds, table

ROWS = kinds(b"Dd")
CAPS = table(dict.fromkeys(b"TDdCZENS", 1 << 30) | {b"Z"[0]: 5, b"1"[0]: 4})


def frame(kind: bytes, body: bytes = b"") -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


ROW = frame(b"D", b"\0\0")
READY = frame(b"Z", b"T")


def test_a_run_ends_before_what_is_of_another_kind(twins: Twins) -> None:
    data = ROW * 3 + frame(b"C", b"x\0")
    assert twins.run(data, 0, ROWS) == (3 * len(ROW), 3, 7)
    assert twins.run(data, len(ROW), ROWS) == (3 * len(ROW), 2, 7)
    assert twins.run(data, len(data), ROWS) == (len(data), 0, 0)


@pytest.mark.parametrize("cut", range(1, len(ROW)))
def test_a_run_ends_before_what_is_not_whole(twins: Twins, cut: int) -> None:
    data = ROW + ROW[:-cut]
    have = len(ROW) - cut
    assert twins.run(data, 0, ROWS) == (len(ROW), 1, len(ROW) if have >= 5 else 0)


@pytest.mark.parametrize("length", [0, 1, 3, 2**31, 2**32 - 1])
def test_a_length_that_cannot_be_ends_a_run_and_breaks_a_survey(twins: Twins, length: int) -> None:
    data = ROW + b"D" + struct.pack("!I", length) + b"x" * 20
    assert twins.run(data, 0, ROWS) == (len(ROW), 1, length + 1)
    with pytest.raises(FrameError) as caught:
        twins.survey(data, 0, CAPS)
    assert caught.value.args == (b"D"[0], length, len(ROW))
    assert "0x44" in str(caught.value)


def test_a_survey_tells_what_a_whole_answer_is(twins: Twins) -> None:
    answer = frame(b"T", b"x" * 20) + ROW * 5 + frame(b"C", b"SELECT 5\0") + READY
    assert twins.survey(answer, 0, CAPS) == (len(answer), b"TDCZ", 5, 5 * len(ROW), b"T"[0], 0)
    assert twins.survey(b"xx" + answer, 2, CAPS)[:2] == (len(answer) + 2, b"TDCZ")
    assert twins.survey(b"", 0, CAPS) == (0, b"", 0, 0, 0, 0)


def test_the_status_is_that_of_a_ready_at_the_end_only(twins: Twins) -> None:
    assert twins.survey(READY + frame(b"S", b"x"), 0, CAPS)[4] == 0
    assert twins.survey(READY + b"S", 0, CAPS)[4] == b"T"[0]
    assert twins.survey(frame(b"Z"), 0, CAPS)[4] == 0


def test_rows_and_copied_rows_are_counted_apart_in_the_shape_and_together_in_the_sum(twins: Twins) -> None:
    data = ROW * 2 + frame(b"d", b"ab") * 3 + ROW
    assert twins.survey(data, 0, CAPS) == (len(data), b"DdD", 6, len(data), 0, 0)


def test_a_survey_ends_at_its_longest_shape_yet_not_within_neighbouring_rows(twins: Twins) -> None:
    one = frame(b"1")
    assert twins.survey(one * 20, 0, CAPS) == (16 * 5, b"1" * 16, 0, 0, 0, 5)
    data = one * 15 + ROW * 4 + one
    assert twins.survey(data, 0, CAPS) == (len(data) - 5, b"1" * 15 + b"D", 4, 4 * len(ROW), 0, 5)


@pytest.mark.parametrize(
    ("kind", "length"), [(b"q", 4), (b"\0", 4), (b"1", 5), (b"Z", 6), (b"D", (1 << 30) + 1)]
)
def test_what_has_no_cap_or_is_above_it_breaks_a_survey_by_its_header_alone(
    twins: Twins, kind: bytes, length: int
) -> None:
    with pytest.raises(FrameError):
        twins.survey(kind + struct.pack("!I", length), 0, CAPS)


def test_wrong_arguments_are_refused(twins: Twins) -> None:
    for at in (-1, 8, 2**62):
        with pytest.raises(ValueError, match="offset"):
            twins.run(ROW, at, ROWS)
        with pytest.raises(ValueError, match="offset"):
            twins.survey(ROW, at, CAPS)
    with pytest.raises(ValueError, match="kinds"):
        twins.run(ROW, 0, ROWS[1:])
    with pytest.raises(ValueError, match="caps"):
        twins.survey(ROW, 0, CAPS[1:])


_MESSAGES = st.lists(
    st.builds(frame, st.sampled_from([bytes([kind]) for kind in b"TDDDdCZEq1"]), st.binary(max_size=6)),
    max_size=24,
).map(b"".join)


@given(_MESSAGES, st.integers(0, 8), st.integers(0, 12), st.binary(max_size=7))
def test_both_twins_see_the_same(
    both: tuple[Twins, Twins], data: bytes, at: int, cut: int, noise: bytes
) -> None:
    data = data[: len(data) - cut] + noise
    at = min(at, len(data))
    assert both[0].run(data, at, ROWS) == both[1].run(data, at, ROWS)
    assert _survey(both[0], data, at) == _survey(both[1], data, at)


def _survey(twins: Twins, data: bytes, at: int) -> object:
    try:
        return twins.survey(data, at, CAPS)
    except FrameError as broken:
        return broken.args

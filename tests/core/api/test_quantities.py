from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollhouse_core.api.quantities import Duration, Quantity


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15m", 900), ("1h30m", 5400), ("250ms", 0.25), ("1.5h", 5400), ("0s", 0), ("1m1m", 120)],
)
def test_a_duration_is_read_as_go_writes_it(text: str, seconds: float) -> None:
    duration = Duration.parse(text)
    assert (duration.seconds, str(duration)) == (seconds, text)


@pytest.mark.parametrize(
    "text", ["", "5", "m", "-5m", "5 m", "5M", "1d", "5m ", "٥m", "1e3s", ".5s", "5m\n", "9" * 40 + "s"]
)
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration such as 90s"):
        Duration.parse(text)


def test_days_are_refused_with_the_way_to_write_them() -> None:
    with pytest.raises(ValueError, match="a day is 24h"):
        Duration.parse("7d")


@given(st.integers(0, 10**6), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_the_parts_of_a_duration_add_up(hours: int, minutes: int, seconds: int, milliseconds: int) -> None:
    text = f"{hours}h{minutes}m{seconds}s{milliseconds}ms"
    expected = hours * 3600 + minutes * 60 + seconds + milliseconds / 1000
    assert Duration.parse(text).seconds == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "whole"),
    [("50Mi", 50 * 2**20), ("1G", 10**9), ("2", 2), ("1.5Ki", 1536), ("500m", 1), ("0", 0), ("1Ei", 2**60)],
)
def test_a_quantity_is_read_as_kubernetes_writes_it(text: str, whole: int) -> None:
    quantity = Quantity.parse(text)
    assert (quantity.whole, str(quantity)) == (whole, text)


@pytest.mark.parametrize("text", ["", "-1", "1 Mi", "1mi", "1KB", "Mi", "1\n", "٣", "1e3", "0x10"])
def test_what_is_no_quantity_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="expected a quantity such as 50Mi"):
        Quantity.parse(text)

"""Compiled globs match names exactly, segment by segment."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollhouse_core.policy.globs import ANYTHING, WILD, PathGlob, Segment


@pytest.mark.parametrize(
    ("parts", "name", "matches"),
    [
        (("orders",), "orders", True),
        (("orders",), "orders2", False),
        (("orders",), "Orders", False),
        (("analytics_", WILD), "analytics_", True),
        (("analytics_", WILD), "analytics_daily", True),
        (("analytics_", WILD), "my_analytics_daily", False),
        ((WILD, "_log"), "a_log", True),
        ((WILD, "_log"), "a_log2", False),
        (("a", WILD, "z"), "az", True),
        (("a", WILD, "z"), "a.b\nz", True),
        (("a.b",), "axb", False),
        ((WILD,), "", True),
    ],
)
def test_a_segment_matches_the_whole_name(parts: tuple[str | None, ...], name: str, matches: bool) -> None:
    assert Segment(parts).matches(name) is matches


def test_a_star_stays_inside_one_segment() -> None:
    glob = PathGlob((Segment(("public",)), ANYTHING))
    assert glob.matches(("public", "orders"))
    assert not glob.matches(("public", "orders", "id"))
    assert not glob.matches(("orders",))


def test_the_bare_star_matches_a_path_of_any_length_but_not_none() -> None:
    assert PathGlob(every=True).matches(("a", "b", "c"))
    assert not PathGlob(every=True).matches(())


def test_only_a_spelt_out_name_grants_a_reserved_one() -> None:
    reserved = (Segment(("pg_", WILD)),)
    assert not PathGlob(every=True, reserved=reserved).grants(("pg_catalog", "pg_class"))
    assert not PathGlob((ANYTHING, ANYTHING), reserved=reserved).grants(("pg_catalog", "pg_class"))
    assert not PathGlob((Segment(("pg_", WILD)), ANYTHING), reserved=reserved).grants(("pg_catalog", "x"))
    assert PathGlob((Segment(("pg_catalog",)), ANYTHING), reserved=reserved).grants(
        ("pg_catalog", "pg_class")
    )
    assert PathGlob(every=True, reserved=reserved).grants(("public", "orders"))


def test_a_reserved_name_may_be_open_to_wildcards_all_the_same() -> None:
    glob = PathGlob(every=True, reserved=(Segment(("pg_", WILD)),), open_names=frozenset({"pg_temp"}))
    assert glob.grants(("pg_temp", "mine"))
    assert not glob.grants(("pg_temp_3", "anothers"))


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_what_is_literal_is_never_read_as_a_pattern(before: str, middle: str, after: str) -> None:
    assert Segment((before, after)).matches(before + after)
    if "\0" not in middle:
        assert Segment((before, WILD, after)).matches(before + middle + after)
    assert Segment((before,)).matches(after) is (before == after)

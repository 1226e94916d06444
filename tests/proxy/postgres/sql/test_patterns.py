"""Which own patterns PostgreSQL is given, and for which the whole value is masked instead."""

from __future__ import annotations

import pytest

from tollhouse_proxy.protocols.postgres.sql.content_masks import translate


@pytest.mark.parametrize(
    "pattern",
    [
        ".x", "a.b", "(?i)a", "(?P<n>a)", "(?=a)", "a*?b", "a+?b", "a??b", "a{2}?b", "[[:alpha:]]1", "[a[b]c",
        "[]a]", "[^]a]", r"[\W]1", r"[\b]1", r"\pLx", r"\x41", r"\1a", r"\Qa\E", "a\\", "[a", "a*", "", r"\b",
        "^", "$", "x|", r"\b|\d", "a)", "***=a",
    ],
)  # fmt: skip
def test_a_pattern_that_may_mean_something_else_to_postgresql_is_not_given_to_it(pattern: str) -> None:
    assert translate(pattern) is None


@pytest.mark.parametrize(
    ("pattern", "given"),
    [
        (r"EMP-\d{6}", "EMP-[0-9]{6}"),
        (r"\D\W\S", r"[^0-9][^A-Za-z0-9_][^\t\n\f\r ]"),
        (r"[\d\-x]\s", r"[0-9\-x][\t\n\f\r ]"),
        ("(a|(?:b))+[.?*(^]", "(?:a|(?:b))+[.?*(^]"),
        (r"\.\]\(a", r"\.\]\(a"),
        ("[^a]]", "[^a]]"),
    ],
)
def test_what_means_the_same_is_given_in_postgresqls_words(pattern: str, given: str) -> None:
    assert translate(pattern) == given

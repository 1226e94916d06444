"""Names in policies are read as PostgreSQL reads names in SQL."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollhouse_dialects.postgres.names import BadName, column_glob, fold, table_glob, truncate


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("orders", ("public", "orders"), True),
        ("ORDERS", ("public", "orders"), True),
        ("Orders", ("public", "Orders"), False),
        ('"Feedback"', ("public", "Feedback"), True),
        ('"Feedback"', ("public", "feedback"), False),
        ("sales.orders", ("sales", "orders"), True),
        ("sales.orders", ("public", "orders"), False),
        ('Sales."Or.ders"', ("sales", "Or.ders"), True),
        ('"a""b"', ("public", 'a"b'), True),
        ("analytics_*", ("public", "analytics_daily"), True),
        ("Analytics_*", ("public", "analytics_daily"), True),
        ("analytics_*", ("sales", "analytics_daily"), False),
        ("*.orders", ("sales", "orders"), True),
        ("sales.*", ("sales", "anything"), True),
        ("sales.*", ("sales2", "anything"), False),
        ("*", ("any", "table"), True),
        ('"*"', ("public", "*"), True),
        ('"*"', ("public", "orders"), False),
        ("2024_*", ("public", "2024_q1"), True),
        ("ÄRGER", ("public", "Ärger"), True),
        ("ÄRGER", ("public", "ärger"), False),
        ("Ärger", ("public", "Ärger"), True),
        ("o$x", ("public", "o$x"), True),
    ],
)
def test_a_table_glob_matches_as_the_server_folds(pattern: str, path: tuple[str, ...], matches: bool) -> None:
    assert table_glob(pattern, "public").matches(path) is matches


def test_only_ascii_letters_fold() -> None:
    assert fold("ÄÖÜ_ABC_İ") == "ÄÖÜ_abc_İ"


def test_a_name_without_schema_is_in_the_default_schema_taken_as_it_is() -> None:
    assert table_glob("orders", "Sales").matches(("Sales", "orders"))
    assert column_glob("orders.id", "Sales").matches(("Sales", "orders", "id"))


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("customers.email", ("public", "customers", "email"), True),
        ("CUSTOMERS.Email", ("public", "customers", "email"), True),
        ("sales.customers.email", ("sales", "customers", "email"), True),
        ("customers.*", ("public", "customers", "ssn"), True),
        ("*.email", ("public", "anything", "email"), True),
        ("*.email", ("sales", "anything", "email"), False),
        ("*.*.email", ("sales", "anything", "email"), True),
        ("*", ("sales", "anything", "email"), True),
        ('customers."E-Mail"', ("public", "customers", "E-Mail"), True),
    ],
)
def test_a_column_glob_names_table_and_column(pattern: str, path: tuple[str, ...], matches: bool) -> None:
    assert column_glob(pattern, "public").matches(path) is matches


def test_names_are_cut_at_63_bytes_and_never_inside_a_character() -> None:
    assert truncate("a" * 70) == "a" * 63
    assert truncate("é" * 40) == "é" * 31
    assert truncate("😀" * 16) == "😀" * 15
    long = "t" * 80
    assert table_glob(long, "public").matches(("public", "t" * 63))
    assert table_glob(f'"{long}"', "public").matches(("public", "t" * 63))
    assert table_glob("t*" + "t" * 5, "public").matches(("public", "t" * 63))


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("a.b.c", "3 parts"),
        ("a b", "double quotes"),
        ("or-ders", "double quotes"),
        ("orders;", "double quotes"),
        ("order?", "double quotes"),
        ("", "expected a name"),
        (".orders", "expected a name"),
        ("orders.", "found the end"),
        ('"orders', "does not end"),
        ('""', "an empty name"),
        ('"a"b', "double quotes"),
        ("a*b*c*d*e*f*", "wildcards"),
    ],
)
def test_what_is_no_name_is_refused_in_words(pattern: str, words: str) -> None:
    with pytest.raises(BadName, match=words):
        table_glob(pattern, "public")


@pytest.mark.parametrize("pattern", ["email", '"email"', "a.b.c.d"])
def test_a_column_needs_its_table(pattern: str) -> None:
    with pytest.raises(BadName, match=r"table\.column"):
        column_glob(pattern, "public")


@given(st.text(max_size=30))
def test_any_text_is_a_glob_or_refused(pattern: str) -> None:
    for compiled in (table_glob, column_glob):
        try:
            glob = compiled(pattern, "public")
        except BadName:
            continue
        assert glob.matches(("public", "x")) in {True, False}


@given(st.text(st.characters(exclude_characters='\0"', exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_a_quoted_name_matches_itself_and_nothing_that_only_folds_alike(name: str) -> None:
    glob = table_glob(f'"{name}"', "public")
    assert glob.matches(("public", name))
    assert glob.matches(("public", name.swapcase())) is (name == name.swapcase())

"""The seam to PostgreSQL's grammar: guarded text, trees, and where an error is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollhouse_dialects.postgres.parse import MAX_SQL_BYTES, SqlSyntaxError, canonical, deparse, parse


def test_statements_are_found_with_their_place_in_bytes() -> None:
    text = "SELECT 'é'; DELETE FROM t"
    first, second = parse(text)
    raw = text.encode()
    assert raw[first.start : first.start + first.length] == "SELECT 'é'".encode()
    assert raw[second.start : second.start + second.length].strip() == b"DELETE FROM t"


def test_a_text_without_a_statement_has_none() -> None:
    assert parse("") == parse(" -- nothing\n") == parse(";;") == ()


@pytest.mark.parametrize("text", ["SELECT 1\0; DROP TABLE t", "SELECT '\ud800'", "x" * (MAX_SQL_BYTES + 1)])
def test_a_text_the_parser_must_not_see_is_refused_before(text: str) -> None:
    with pytest.raises(SqlSyntaxError, match="a statement m"):
        parse(text)


@pytest.mark.parametrize("text", ["SELECT " + "NOT " * 50_000 + "true", "SELECT 1" + "+1" * 24_000])
def test_deep_input_is_refused_and_nothing_worse(text: str) -> None:
    with pytest.raises(SqlSyntaxError):
        parse(text)


@given(st.text(st.sampled_from("aéß😀€ x"), max_size=12), st.text(st.sampled_from("aé😀 "), max_size=8))
def test_the_position_of_an_error_is_counted_in_characters(before: str, after: str) -> None:
    text = f"SELECT '{before}' AND = '{after}'"
    with pytest.raises(SqlSyntaxError) as error:
        parse(text)
    assert error.value.position == text.index(" = ") + 1


def test_an_error_at_the_end_has_the_end_as_its_position() -> None:
    for text in ("SELECT 'é' FROM", "SELECT (1"):
        with pytest.raises(SqlSyntaxError, match="at end of input") as error:
            parse(text)
        assert error.value.position == len(text)


@given(st.text(max_size=40))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    for read in (parse, spelled):
        position = 0
        try:
            read(text)
        except SqlSyntaxError as error:
            position = error.position or 0
        assert 0 <= position <= len(text)


def test_deparsing_drops_comments_and_odd_spelling() -> None:
    assert deparse('select/* x */1  as "A" -- y') == 'SELECT 1 AS "A"'


def spelled(text: str) -> list[str]:
    """Every statement in its canonical spelling."""
    raw = text.encode("utf-8", "surrogatepass")
    found = []
    for one in parse(text):
        (kind,) = one.tree
        found.append(canonical(kind, raw[one.start : one.start + one.length].decode()))
    return found


@pytest.mark.parametrize(
    "text",
    [
        "PREPARE TRANSACTION ''",
        "COMMIT PREPARED ''",
        "ROLLBACK PREPARED ''",
        "LOAD ''",
        "ALTER SUBSCRIPTION s CONNECTION ''",
        "ALTER TYPE t ADD VALUE ''",
        "ALTER TYPE t ADD VALUE 'a' BEFORE ''",
        "ALTER TYPE t RENAME VALUE '' TO ''",
        "CREATE CONVERSION c FOR '' TO '' FROM f",
        "CREATE RULE r AS ON INSERT TO t DO NOTIFY x, ''",
        "COMMENT ON TABLE t IS ''",
    ],
)
def test_an_empty_string_where_the_grammar_needs_one_is_spelled_as_it_is(text: str) -> None:
    """libpg_query's own spelling of these ends the process."""
    assert spelled(text) == [text]


def test_what_is_not_spelled_anew_is_the_same_for_any_layout_and_comment() -> None:
    text = "ALTER  /* a */ TYPE t -- b\n ADD\nVALUE 'a''b' ;"
    assert spelled(text) == ["ALTER TYPE t ADD VALUE 'a''b'"]
    assert spelled("LOAD 'a'\n'b'") == ["LOAD 'a'\n'b'"]
    assert spelled("LOAD 'a'") != spelled("LOAD 'b'")

"""What a statement looks like without its values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollhouse_core.operation import Access, AccessKind, Verb
from tollhouse_dialects.postgres.parse import deparse
from tollhouse_proxy.protocols.postgres.sql.values import without_values

TABLE = (Access(Verb.READ, AccessKind.TABLE, "Select", ("public", "t")),)
CALL = (Access(Verb.EXECUTE, AccessKind.FUNCTION, "Execute", ("public", "f")),)


def shape(sql: str) -> str:
    return without_values(sql.split(maxsplit=1)[0].upper(), deparse(sql), TABLE)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT a FROM t WHERE id = 7", "select a from t where id = 12345678901234567890"),
        ("SELECT a FROM t WHERE b = 'x'", "SELECT a FROM t WHERE b = 'it''s $$ \" -- \\'"),
        ("SELECT a FROM t WHERE b = 1.5", "SELECT a FROM t WHERE b = 1e10"),
        ("UPDATE t SET a = 'p', b = 3 WHERE c = $1", "UPDATE t SET a = E'q\\n', b = 4 WHERE c = $1"),
    ],
)
def test_other_values_are_the_same_template(one: str, other: str) -> None:
    assert shape(one) == shape(other) != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT a FROM t WHERE id = 7", "SELECT b FROM t WHERE id = 7"),
        ("SELECT a FROM t WHERE id = 7", "SELECT a FROM t WHERE id = '7'"),
        ("SELECT a FROM t WHERE id = 7", "SELECT a FROM t WHERE id = -7 OR id = 8"),
        ("SELECT a FROM t WHERE id = $1", "SELECT a FROM t WHERE id = $2"),
        ('SELECT "1" FROM t', 'SELECT "2" FROM t'),
        ("SELECT a1 FROM t", "SELECT a2 FROM t"),
        ("SELECT a FROM t WHERE b = 'x'", "SELECT a FROM t WHERE b = 'x' OR b = 'y'"),
    ],
)
def test_anything_else_is_another_template(one: str, other: str) -> None:
    assert shape(one) != shape(other)


@pytest.mark.parametrize("action", ["DO", "CREATE TABLE", "COPY", "CALL", "EXPLAIN", "SET"])
def test_only_plain_statements_have_a_template(action: str) -> None:
    assert without_values(action, "DELETE FROM public.t WHERE id = 7", TABLE) == ""


def test_a_call_that_needs_a_rule_and_a_dollar_quote_have_none() -> None:
    assert without_values("SELECT", "SELECT f(7)", CALL) == ""
    assert without_values("SELECT", "SELECT $a$7$a$", TABLE) == ""


@given(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])), st.integers(0, 10**30))
def test_whatever_stands_in_a_text_or_a_number_the_template_is_the_same(text: str, number: int) -> None:
    escaped = text.replace("'", "''")
    assert shape(f"DELETE FROM t WHERE a = '{escaped}' AND b = {number}") == shape(
        "DELETE FROM t WHERE a = 'x' AND b = 1"
    )

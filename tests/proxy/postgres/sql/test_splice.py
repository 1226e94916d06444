"""Edits are proved: what was not announced in the tree does not go out."""

from __future__ import annotations

import pytest

from tollhouse_dialects.postgres.parse import parse
from tollhouse_proxy.protocols.postgres.sql import CannotRewrite
from tollhouse_proxy.protocols.postgres.sql.assignments import set_items
from tollhouse_proxy.protocols.postgres.sql.nodes import wrapped
from tollhouse_proxy.protocols.postgres.sql.splice import Splice, expression_tree, from_tree, tree_of
from tollhouse_proxy.protocols.postgres.sql.tokens import Tokens

TEXT = "SELECT a FROM t WHERE b = 1"


def splice(text: str = TEXT) -> Splice:
    return Splice(text, *wrapped(parse(text)[0].tree))


def swap(made: Splice, old: str, new: str) -> None:
    start = made.text.index(old)
    made.replace_text(start, start + len(old), new)


@pytest.mark.parametrize(
    ("old", "new"),
    [("t", "u"), ("b = 1", "true"), ("1", "2"), (" WHERE b = 1", ""), ("1", "1 LIMIT 1"), ("a", "a, a"),
     ("b = 1", "(b) = 1 OR false"), ("a", "a AS a"), ("1", "1; SELECT 1"), ("1", "1 -- \n; DROP TABLE t")],
)  # fmt: skip
def test_an_edit_that_the_tree_was_not_told_of_is_refused(old: str, new: str) -> None:
    made = splice()
    swap(made, old, new)
    with pytest.raises(CannotRewrite):
        made.finish()


def test_a_tree_that_the_text_was_not_told_of_is_refused() -> None:
    made = splice()
    made.replace_node(made.body["fromClause"][0]["RangeVar"], from_tree("u"))
    with pytest.raises(CannotRewrite, match="safely"):
        made.finish()


def test_an_edit_in_both_is_made_and_told() -> None:
    made = splice()
    swap(made, "1", "(2)")
    swap(made, "t", "x.u")
    comparison = made.body["whereClause"]["A_Expr"]
    made.replace_node(comparison["rexpr"]["A_Const"], expression_tree("2"))
    made.replace_node(made.body["fromClause"][0]["RangeVar"], from_tree("x.u"))
    text, edits = made.finish()
    assert text == "SELECT a FROM x.u WHERE b = (2)"
    assert [(edit.start, edit.end, edit.replacement) for edit in edits] == [(14, 15, "x.u"), (26, 27, "(2)")]


def test_blanks_comments_and_spellings_are_no_change() -> None:
    made = splice()
    swap(made, "WHERE", "/* x */ where")
    assert made.finish()[0] == "SELECT a FROM t /* x */ where b = 1"


def test_edits_that_overlap_are_refused_and_those_that_touch_are_not() -> None:
    made = splice()
    made.replace_text(0, 6, "SELECT")
    made.replace_text(6, 7, " ")
    assert made.finish()[0] == TEXT
    made.replace_text(5, 7, "T ")
    with pytest.raises(CannotRewrite, match="overlap"):
        made.finish()


def test_what_becomes_too_long_is_refused() -> None:
    made = splice()
    swap(made, "WHERE", "WHERE" + " " * (1024 * 1024 - len(TEXT)))
    assert len(made.finish()[0]) == 1024 * 1024
    made = splice()
    swap(made, "WHERE", "WHERE" + " " * (1024 * 1024 - len(TEXT) + 1))
    with pytest.raises(CannotRewrite, match="too long"):
        made.finish()


def test_a_text_of_no_or_two_statements_has_no_tree() -> None:
    for text, words in (("", "not one"), ("SELECT 1; SELECT 2", "not one"), ("SELEC", "does not parse")):
        with pytest.raises(CannotRewrite, match=words):
            tree_of(text)


SPELLED = "SELECT 'é' /* (c) */, U&\"x\" UESCAPE '!' . y FROM a.b [1] (( x ) , \"FROM\" ) ; SELECT 2 -- end"


def test_tokens_know_their_place_and_their_depth() -> None:
    tokens = Tokens(SPELLED)
    assert [(token.text, token.depth) for token in tokens.items if token.depth] == [
        ("1", 1), ("(", 1), ("x", 2), (")", 1), (",", 1), ('"FROM"', 1),
    ]  # fmt: skip
    for index, token in enumerate(tokens.items):
        assert SPELLED[token.start : token.end] == token.text
        assert tokens.at(len(SPELLED[: token.start].encode())) == index
        assert tokens.character(len(SPELLED[: token.start].encode())) == token.start
    with pytest.raises(LookupError):
        tokens.at(1)
    with pytest.raises(LookupError):
        tokens.at(10_000)
    assert tokens.word(-1) == tokens.word(len(tokens.items)) == ""
    assert Tokens("select a").word(0) == "SELECT"


def test_a_dotted_name_ends_behind_its_last_word() -> None:
    tokens = Tokens(SPELLED)
    assert tokens.word(tokens.name_end(3)) == "FROM"
    first = tokens.find("FROM", 0, 0)
    assert first is not None
    assert tokens.word(tokens.name_end(first + 1)) == "["
    assert Tokens("a.*, b").name_end(0) == 3


def test_a_keyword_is_looked_for_at_its_depth_and_never_in_quotes() -> None:
    tokens = Tokens("SELECT (SELECT 1 FROM x), \"from\", 'FROM' from t WHERE (a)")
    outer = tokens.find("FROM", 0, 0)
    assert outer is not None
    assert tokens.items[outer].text == "from"
    assert tokens.find("FROM", 0, 1) is None
    assert tokens.find("FROM", 2, 1) == 4
    assert tokens.find("FROM", 0, 0, outer) is None
    assert tokens.find("FROM", 3, 2) is None


def test_a_block_ends_with_its_parenthesis_or_its_statement() -> None:
    tokens = Tokens("a ( b ( ; c ) d ) e ; f")
    assert tokens.items[tokens.block_end(0, 0)].text == ";"
    assert tokens.items[tokens.block_end(2, 1)].text == ")"
    assert tokens.block_end(11, 0) == len(tokens.items)


def test_a_keyword_that_is_not_where_it_must_be_is_refused() -> None:
    made = splice("SELECT a FROM t WHERE (b = 1)")
    assert made.tokens.word(made.seek("WHERE", 0, 0)) == "WHERE"
    for word, start, depth, stop in (("WHERE", 0, 1, None), ("HAVING", 0, 0, None), ("WHERE", 0, 0, 4)):
        with pytest.raises(CannotRewrite, match=f"the {word} could not be read safely"):
            made.seek(word, start, depth, stop)


def test_a_set_list_whose_texts_are_not_as_many_as_its_targets_is_refused() -> None:
    made = splice("UPDATE t SET a = 1, (b, c) = (2, 3)")
    targets = made.body["targetList"]
    assert [item.names for item in set_items(made, targets, 3, len(made.tokens.items), 0)] == [
        ("a",),
        ("b", "c"),
    ]
    for some in (targets[:1], [*targets, targets[0]]):
        with pytest.raises(CannotRewrite, match="SET list could not be read"):
            set_items(made, some, 3, len(made.tokens.items), 0)

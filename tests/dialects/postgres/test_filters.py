"""Row filters: one expression, nothing hidden in it, values as typed constants."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tollhouse_core.policy.language import NotCompiled, Shape
from tollhouse_dialects.postgres.filters import compile_filter
from tollhouse_dialects.postgres.parse import parse


def test_placeholders_become_parameters_in_their_order() -> None:
    template = compile_filter(
        "tenant_id = {{ identity.claims.tenant }} AND region = {{identity.claims.region}}"
    )
    assert template.where == "tenant_id = $1 AND region = $2"
    assert [place.source for place in template.placeholders] == [
        "identity.claims.tenant",
        "identity.claims.region",
    ]


@pytest.mark.parametrize(
    ("where", "shape"),
    [
        ("a = {{ identity.claims.x }}", Shape.SCALAR),
        ("{{ identity.claims.x }} = a", Shape.SCALAR),
        ("a LIKE {{ identity.claims.x }}", Shape.SCALAR),
        ("a BETWEEN 1 AND {{ identity.claims.x }}", Shape.SCALAR),
        ("a IN (1, {{ identity.claims.x }})", Shape.SCALAR),
        ("a = {{ identity.claims.x }}::uuid", Shape.SCALAR),
        ("a = ANY(ARRAY[{{ identity.claims.x }}])", Shape.SCALAR),
        ("a = ANY({{ identity.claims.x }})", Shape.LIST),
        ("a <> ALL({{ identity.claims.x }})", Shape.LIST),
        ("a = ANY({{ identity.claims.x }}::int[])", Shape.LIST),
        ("tags && {{ identity.claims.x }}", Shape.EITHER),
        ("app.visible(id, {{ identity.claims.x }})", Shape.EITHER),
        ("EXISTS (SELECT 1 FROM m WHERE m.u = {{ identity.claims.x }})", Shape.SCALAR),
    ],
)
def test_the_place_tells_whether_a_value_or_a_list_is_needed(where: str, shape: Shape) -> None:
    (placeholder,) = compile_filter(where).placeholders
    assert placeholder.shape is shape


@pytest.mark.parametrize(
    "where",
    [
        "true",
        "deleted_at IS NULL",
        "owner = 'it''s' AND note <> E'a\\'b'",
        '"Tenant" = 1',
        "clinic_id IN (SELECT clinic_id FROM staff WHERE person = {{ identity.name }})",
        "lower(email) = lower({{ identity.name }})",
        "created_at > now() - interval '1 day'",
        "(a = 1) OR (b = 2)",
        "CASE WHEN a THEN b ELSE c END",
        "data->>'tenant' = {{ identity.claims.org-id }}",
        "EXISTS (WITH x AS (SELECT 1) SELECT * FROM x)",
    ],
)
def test_any_reading_expression_is_a_filter(where: str) -> None:
    compile_filter(where)


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("", "syntax error"),
        ("a = ", "syntax error"),
        ("a = 1 b", "syntax error at or near"),
        ("true; DROP TABLE orders", "one expression only, at character 5"),
        ("true) OR (true", "closed that was not opened, at character 5"),
        ("(true", "not closed"),
        ("true GROUP BY a", "syntax error"),
        ("a = '{{ identity.name }}'", "inside quotes"),
        ('"{{ identity.name }}" = 1', "inside quotes"),
        ("a = E'\\'{{ identity.name }}'", "inside quotes"),
        ("a = 1 -- {{ identity.name }}", "no comments"),
        ("a = /* x */ 1", "no comments"),
        ("a = $$x$$", "no dollar quotes"),
        ("a = $x$ {{ identity.name }} $x$", "no dollar quotes"),
        ("a = $1", r"no \$n"),
        ("a = 'x", "does not end"),
        ('a = "x', "does not end"),
        ("a = {{ identity.name", "expected {{"),
        ("a = {{ }}", 'unknown value ""'),
        ("a = {{ identity.nmae }}", "did you mean identity.name"),
        ("a = {{ identity.claims }}", "unknown value"),
        ("a = {{ identity.claims.x'; DROP }}", "unknown value"),
        ("a = {{ session.user }}", "what the client says"),
        ("a = {{ session.applicationName }}", "what the client says"),
        ("a = {{ identity.groups }}", "is a list, and here stands a single value"),
        ("a = ANY({{ identity.name }})", "is a single value, and here stands a list"),
        ("pg_sleep(1) IS NULL", "must not call pg_sleep"),
        ("pg_catalog.pg_read_file('x') = ''", "must not call pg_read_file"),
        ("\"query_to_xml\"('select 1', true, true, '') IS NULL", "must not call query_to_xml"),
        ("set_config('a', 'b', true) = ''", "must not call set_config"),
        ("nextval('s') > 1", "must not call nextval"),
        ("id IN (SELECT dblink('x'))", "must not call dblink"),
        ("tenant = current_setting('app.tenant')", "what the client says"),
        ("EXISTS (WITH x AS (DELETE FROM orders RETURNING *) SELECT * FROM x)", "no DELETE"),
        ("EXISTS (WITH x AS (INSERT INTO a VALUES (1) RETURNING *) SELECT * FROM x)", "no INSERT"),
        ("EXISTS (WITH x AS (UPDATE a SET b = 1 RETURNING *) SELECT * FROM x)", "no UPDATE"),
        ("EXISTS (SELECT 1 FROM a FOR UPDATE)", "FOR UPDATE"),
        ("a = \0", "one expression only"),
    ],
)
def test_what_is_no_plain_reading_expression_is_refused_with_the_place(where: str, words: str) -> None:
    with pytest.raises(NotCompiled, match=words):
        compile_filter(where)


@pytest.mark.parametrize(
    ("where", "character"),
    [
        ("a = = 1", 5),
        ("tenant = {{ identity.claims.tenant }} AND = 1", 43),
        ("name = 'é' AND = 1", 16),
        ("{{ identity.name }} x y", 21),
    ],
)
def test_a_syntax_error_is_told_at_the_character_that_was_written(where: str, character: int) -> None:
    with pytest.raises(NotCompiled, match=f"at character {character}$"):
        compile_filter(where)


def test_neighbours_do_not_grow_together_with_a_parameter() -> None:
    assert compile_filter("a={{identity.name}}").where == "a=$1"
    with pytest.raises(NotCompiled):
        compile_filter("a = 1{{ identity.claims.x }}")
    with pytest.raises(NotCompiled):
        compile_filter("a = {{ identity.claims.x }}1")


def test_the_number_of_values_is_bounded() -> None:
    with pytest.raises(NotCompiled, match="more than 32"):
        compile_filter(" AND ".join(["a = {{ identity.name }}"] * 33))


_PIECES = st.sampled_from(
    [
        *(
            "a",
            "b.c",
            "=",
            "<",
            "AND",
            "OR",
            "NOT",
            "(",
            ")",
            ",",
            "1",
            "'x'",
            "'",
            '"',
            "''",
            "E'\\'",
            "--",
            "/*",
        ),
        *(
            "*/",
            ";",
            "$1",
            "$$",
            "$x$",
            "{{",
            "}}",
            "{{ identity.name }}",
            "{{ identity.claims.x }}",
            "ANY",
            "IN",
        ),
        *("SELECT", "FROM t", "UNION", "WHERE", "::int", "[", "]", "\n", " ", "\\", "now()", "é", "\0"),
    ]
)


@given(st.one_of(st.lists(_PIECES, max_size=12).map(" ".join), st.lists(_PIECES, max_size=12).map("".join)))
@example("a')) OR (('")
@example("E'\\\\' OR 'a")
def test_a_filter_in_parentheses_never_changes_what_is_around_it(where: str) -> None:
    try:
        template = compile_filter(where)
    except NotCompiled:
        return
    around = parse(f"SELECT 1 WHERE false AND ({template.where}) AND false")
    (statement,) = around
    select = statement.tree["SelectStmt"]
    clause = select["whereClause"]["BoolExpr"]
    assert set(select) == {"targetList", "whereClause", "limitOption", "op"}
    assert clause["boolop"] == "AND_EXPR"
    assert clause["args"][0]["A_Const"]["boolval"] == clause["args"][-1]["A_Const"]["boolval"] == {}

"""Conditions: checked before they are stored, known by what they read, never raising more than one way."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import cel
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kit.policies import NOON, agent_of, identity_of, operation_of, session_of, table
from tollhouse_core.policy.cel_syntax import MAX_DEPTH, MAX_HEIGHT
from tollhouse_core.policy.cel_types import BOOL, INT
from tollhouse_core.policy.conditions import (
    MAX_LENGTH,
    Condition,
    ConditionFailed,
    ConditionRefused,
    Situation,
    compile_condition,
    variables,
)

KNOWN = variables({"hasWhere": BOOL, "estimatedRows": INT, "inTransaction": BOOL})
IDENTITY = identity_of("triage", "support", "dba", tenant="acme", level=3, nested={"team": ["a", "b"]})
SITUATION = Situation(
    replace(
        operation_of(table("Select", "orders"), table("Delete", "customers")),
        action="DELETE",
        text="DELETE FROM customers",
        facts={"hasWhere": False, "estimatedRows": 1500, "inTransaction": True},
    ),
    session_of(IDENTITY, started_at=NOON - timedelta(minutes=9)),
    NOON,
)


def condition_of(source: str) -> Condition:
    return compile_condition(source, KNOWN)


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ('operation.estimatedRows > 1000 && !("dba" in identity.groups)', False),
        ('operation.action == "DELETE"', True),
        ('operation.text.startsWith("DELETE")', True),
        ('operation.text.matches(r"^DELETE\\s+FROM")', True),
        ('operation.tables == ["public.customers", "public.orders"]', True),
        ('operation.tables.exists(t, t.endsWith(".orders"))', True),
        ('operation.accesses.exists(a, a.verb == "delete" && a.object == "public.customers")', True),
        ('operation.accesses.all(a, a.verb in ["read", "write"])', False),
        ("operation.accesses.exists(a, a.verb == r'delete')", True),
        ("operation.tables.filter(t, t.contains('cust')).size() == 1", True),
        ("size(operation.tables.map(t, size(t))) == 2", True),
        ("operation.hasWhere ? false : operation.inTransaction", True),
        ('identity.name == "triage" && identity.provider == "corp"', True),
        ('identity.claims.tenant == "acme"', True),
        ('identity.claims["tenant"] == "acme"', True),
        ("identity.claims.level >= 3 && identity.claims.level < 3.5", True),
        ('"b" in identity.claims.nested.team', True),
        ("has(identity.claims.tenant) && !has(identity.claims.other)", True),
        ('"tenant" in identity.claims', True),
        ("identity.onBehalfOf == null", True),
        ('identity.onBehalfOf != null && identity.onBehalfOf.name == "ann"', False),
        ('session.database == "orders" && session.user == "agent"', True),
        ('session.applicationName == "psql" && session.address.startsWith("10.")', True),
        ("now - session.startedAt > duration('5m')", True),
        ("session.startedAt + duration('1h') > now", True),
        ('now < timestamp("2027-01-01T00:00:00Z")', True),
        ("now.getHours() == 12", True),
        ('now.getHours("Europe/Berlin") == 14', True),
        ('now.getDayOfWeek("America/New_York") in [1, 2, 3, 4, 5]', True),
        ("int(string(operation.estimatedRows)) % 7 == 2", True),
        ("-operation.estimatedRows < 0 && !(1 + 2 * 3 != 7)", True),
        ("identity.claims.missing == 1 || true", True),
        ("{'a': 1}['a'] == 1 // a comment", True),
    ],
)
def test_a_condition_answers(source: str, answer: bool) -> None:
    assert condition_of(source).holds(SITUATION) is answer


def test_the_human_behind_an_agent_has_name_and_groups() -> None:
    session = session_of(agent_of(human="ann"))
    condition = condition_of('identity.onBehalfOf.name == "ann" && identity.onBehalfOf.groups.size() == 0')
    assert condition.holds(replace(SITUATION, session=session))


@pytest.mark.parametrize(
    ("part", "utc", "tokyo"),
    [
        ("getFullYear", 2025, 2026),
        ("getMonth", 11, 0),
        ("getDate", 31, 1),
        ("getDayOfMonth", 30, 0),
        ("getDayOfYear", 364, 0),
        ("getDayOfWeek", 3, 4),
        ("getHours", 18, 3),
        ("getMinutes", 5, 5),
        ("getSeconds", 6, 6),
        ("getMilliseconds", 700, 700),
    ],
)
def test_parts_of_a_time_count_alike_with_and_without_a_zone(part: str, utc: int, tokyo: int) -> None:
    moment = datetime(2025, 12, 31, 18, 5, 6, 700_000, tzinfo=UTC)
    situation = replace(SITUATION, now=moment)
    assert condition_of(f"now.{part}() == {utc}").holds(situation)
    assert condition_of(f'now.{part}("UTC") == {utc}').holds(situation)
    assert condition_of(f'now.{part}("Asia/Tokyo") == {tokyo}').holds(situation)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ('operatoin.action == "x"', 'unknown name "operatoin" (did you mean operation?), at character 1'),
        ("!operation.hasWher", 'unknown name "operation.hasWher" (did you mean hasWhere?), at character 12'),
        ("identity.nmae == 'x'", 'unknown name "identity.nmae" (did you mean name?)'),
        ("session.startedAt.foo == 1", '"foo" is no field of a timestamp'),
        ("identity.onBehalfOf.email == 'x'", 'unknown name "identity.onBehalfOf.email"'),
        ("operation.accesses.all(a, a.kind == 'x')", 'unknown name "kind"'),
        ("true && \n operation.foo", "at line 2, character 12"),
        ("operation.text == 5", "string and int are never equal"),
        ("operation.hasWhere > 1", "bool and int cannot be compared"),
        ("operation.text && true", "&& needs a bool, found a string"),
        ("!operation.text", "! needs a bool"),
        ("5 in identity.groups", "a int is never in a list(string)"),
        ('operation.text + 1 == "x"', "+ is not defined for string and int"),
        ("operation.text", "must be true or false, this one is a string"),
        ("operation", "must be true or false"),
        ("operation == operation", "an object cannot be compared"),
        ('operation["text"] == "x"', "write a field as .name"),
        ("identity.groups['a'] == 'x'", "a list is indexed by an int"),
        ("size(5) == 1", "size is not defined for a int"),
        ("foo(1)", 'unknown function "foo"'),
        ("operation.text.startWith('x')", "(did you mean startsWith?)"),
        ("matches('a', 'b')", "matches is not called like this"),
        ("operation.text.matches(identity.name)", "a pattern written here"),
        ("operation.text.matches('(')", "not a valid pattern (RE2 syntax), at character 24"),
        ('now.getHours("Europe/Berln") == 1', 'unknown time zone "Europe/Berln", at character 14'),
        ("now.getHours(1) == 1", "takes a time zone"),
        ("duration('1h').getFullYear() == 1", "not called like this on a duration"),
        ("has(operation.text)", "has is for claims"),
        ("has(identity)", "has takes a field"),
        ("identity.groups.exists(now, true)", '"now" has a meaning already'),
        ("identity.groups.exists('x', true)", "takes a name and a condition"),
        ("identity.groups.all(g, g)", "all needs a bool, found a string"),
        ("operation.accesses.all(a, a.verb == 'Select')", '"Select" is never the value'.replace('"', "'")),
        ("1 +", "expected an expression, found the end, at character 4"),
        ("(1 == 1", "expected ')', found the end"),
        ("'a == 1", "the string does not end"),
        ("true; false", "unexpected character ';'"),
        ("true true", "unexpected 'true'"),
        ("", "expected an expression"),
        ("{} == Foo{a: 1}", "unexpected"),
        ("!-1 == 1", "cannot be mixed"),
        ("if == 1", "expected an expression"),
        ("99999999999999999999 == 1", ""),
    ],
)
def test_what_can_never_work_is_refused_in_words_with_the_place(source: str, words: str) -> None:
    with pytest.raises(ConditionRefused) as refused:
        condition_of(source)
    assert words in str(refused.value)
    assert len(str(refused.value)) < 900


@pytest.mark.parametrize(
    ("source", "reads"),
    [
        ("operation.hasWhere", {"operation.hasWhere"}),
        ("identity.claims.a.b == 1", {"identity.claims.a"}),
        ("'x' in identity.claims", {"identity.claims"}),
        ("'x' in identity.claims && identity.claims.a == 1", {"identity.claims", "identity.claims.a"}),
        ("has(identity.claims.a.b)", {"identity.claims.a"}),
        ("identity.claims[operation.text] == 1", {"identity.claims", "operation.text"}),
        ("now > session.startedAt", {"now", "session.startedAt"}),
        ("operation.tables.all(t, t == identity.name)", {"operation.tables", "identity.name"}),
        ("true", set()),
        ("false && operation.text == ''", {"operation.text"}),
    ],
)
def test_what_a_condition_reads_is_known(source: str, reads: set[str]) -> None:
    assert condition_of(source).reads == reads


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("identity.claims.missing == 1", 'there is no "missing"'),
        ("identity.claims.tenant > 1", "another type"),
        ("identity.claims.tenant.deep == 1", "another type"),
        ("identity.onBehalfOf.name == 'x'", "another type"),
        ("1 / (operation.estimatedRows - 1500) == 1", "division by zero"),
        ("9223372036854775807 + operation.estimatedRows > 0", "a number is too large"),
        ("identity.claims.tenant", "neither true nor false"),
        ("int(operation.text) == 1", ""),
    ],
)
def test_a_condition_that_cannot_be_answered_fails_without_showing_values(source: str, reason: str) -> None:
    with pytest.raises(ConditionFailed) as failed:
        condition_of(source).holds(SITUATION)
    assert reason in str(failed.value)
    assert "acme" not in str(failed.value)


def test_claims_that_cel_cannot_hold_fail_the_condition_and_nothing_else() -> None:
    for value in (object(), {1: object()}, "\ud800", 2**70):
        session = session_of(identity_of(x=value))
        with contextlib.suppress(ConditionFailed):
            assert not condition_of("identity.claims.x == 1").holds(replace(SITUATION, session=session))


def test_a_fact_that_is_not_there_fails_the_condition() -> None:
    operation = replace(operation_of(table("Select", "orders")), facts={})
    with pytest.raises(ConditionFailed, match=r"operation\.hasWhere is not known"):
        condition_of("operation.hasWhere").holds(replace(SITUATION, operation=operation))


def test_a_rule_on_sessions_knows_no_operation() -> None:
    with pytest.raises(ConditionRefused, match='unknown name "operation"'):
        compile_condition("operation.hasWhere", variables({}, with_operation=False))


def test_size_depth_and_loops_are_bounded() -> None:
    for source in (
        "true" + " " * MAX_LENGTH,
        "(" * 100 + "true" + ")" * 100,
        "identity.groups.all(a, identity.groups.all(b, identity.groups.all(c, true)))",
        " && ".join(["identity.groups.all(a, true)"] * 9),
        "1" + " + 1" * 600 + " == 1",
        "identity.claims" + ".a" * 900 + " == 1",
        "identity.claims" + "[0]" * 600 + " == 1",
        "identity.name" + ".size()" * 400 + " == 1",
        "true ? " * 200 + "true" + " : true" * 200,
        "has(" * 300 + "identity.claims.x" + ".y)" * 300,
        "".join("has([" for _ in range(60)) + "true" + "".join("][0].x)" for _ in range(60)),
    ):
        with pytest.raises(ConditionRefused):
            condition_of(source)
    assert condition_of("identity.groups.all(a, identity.groups.exists(b, a == b))").holds(SITUATION)


@pytest.mark.parametrize(
    ("deep", "most"),
    [
        (lambda steps: "(" * (steps - 1) + "true" + ")" * (steps - 1), MAX_DEPTH),
        (lambda steps: "1" + " + 1" * (steps - 2) + " > 1", MAX_HEIGHT),
        (lambda steps: "identity.claims" + ".a" * (steps - 2), MAX_HEIGHT),
    ],
)
def test_so_deep_and_so_high_and_no_more(deep: Callable[[int], str], most: int) -> None:
    condition_of(deep(most))
    with pytest.raises(ConditionRefused, match=r"deep|more than"):
        condition_of(deep(most + 1))


_FRAGMENTS = st.sampled_from(
    [
        *(
            "operation",
            ".text",
            ".hasWhere",
            "identity",
            ".claims",
            ".groups",
            "now",
            ".getHours()",
            "session",
        ),
        *("(", ")", "[", "]", "{", "}", ",", ":", "?", "&&", "||", "!", "-", "==", "<", "in", "+", "/", "%"),
        *(
            "1",
            "1.5",
            "2u",
            "'a'",
            '"b"',
            "true",
            "null",
            ".all(x, x)",
            ".exists(",
            "has(",
            "x",
            " ",
            "r'",
            "//",
        ),
    ]
)


@given(st.one_of(st.lists(_FRAGMENTS, max_size=12).map("".join), st.text(max_size=60)))
@example("\\")
@example("b'\\xff' == b''")
@example("'\ud800' == 'x'")
@example("'\0' == 'x'")
@example("'''a")
def test_any_text_is_a_condition_or_refused_and_running_it_answers_or_fails(source: str) -> None:
    try:
        condition = condition_of(source)
    except ConditionRefused:
        return
    with contextlib.suppress(ConditionFailed):
        assert condition.holds(SITUATION) in {True, False}


@given(st.lists(_FRAGMENTS, max_size=10).map("".join))
def test_what_we_read_is_all_that_the_package_reads(source: str) -> None:
    try:
        condition = condition_of(source)
    except ConditionRefused:
        return
    roots = {path.partition(".")[0] for path in condition.reads}
    named = set(cel.compile(source).references()["variables"])
    assert roots == named & {"operation", "identity", "session", "now"}

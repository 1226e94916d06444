"""Which operators, functions and loops of a condition take which types: each pair is tried."""

from __future__ import annotations

from itertools import product

import pytest

from tollhouse_core.policy.cel_syntax import parse
from tollhouse_core.policy.cel_types import MAX_LOOPS, check
from tollhouse_core.policy.conditions import ConditionRefused, compile_condition, variables

VALUES = {
    "int": "1",
    "uint": "2u",
    "double": "1.5",
    "string": "'a'",
    "bytes": "b'a'",
    "bool": "true",
    "null": "null",
    "timestamp": "now",
    "duration": "duration('1m')",
    "list": "[1]",
    "map": "{'a': 1}",
    "dyn": "dyn(1)",
}
"""An expression of each type."""

KNOWN = variables({})
NUMBERS = {"int", "uint", "double"}


def refused(source: str) -> bool:
    """Whether an expression of any type is refused."""
    return bool(check(parse(source), KNOWN)[1].mistakes)


TAKEN = {
    "int": {*NUMBERS, "string"},
    "uint": {*NUMBERS, "string"},
    "double": {*NUMBERS, "string"},
    "string": {*NUMBERS, "string", "bytes", "bool", "timestamp", "duration"},
    "bytes": {"string", "bytes"},
    "timestamp": {"string", "timestamp"},
    "duration": {"string", "duration"},
    "size": {"string", "bytes", "list", "map"},
    "dyn": set(VALUES),
}


@pytest.mark.parametrize("function", TAKEN)
def test_a_function_takes_these_types_and_no_others(function: str) -> None:
    taken = {kind for kind, value in VALUES.items() if not refused(f"{function}({value})")}
    assert taken == TAKEN[function] | {"dyn"}
    assert refused(f"{function}()")
    assert refused(f"{function}('1', '2')")


@pytest.mark.parametrize("function", sorted(set(TAKEN) - {"dyn"}))
def test_what_a_function_gives_is_of_its_type(function: str) -> None:
    kind, _ = check(parse(f"{function}(dyn(1))"), KNOWN)
    assert kind.name == ("int" if function == "size" else function)


def arithmetic(symbol: str, one: str, other: str) -> bool:
    """What is defined."""
    if "dyn" in {one, other}:
        return True
    if one == other and one in NUMBERS:
        return True
    if symbol == "+":
        joined = one == other and one in {"string", "bytes", "list", "duration"}
        return joined or {one, other} == {"timestamp", "duration"}
    if symbol == "-":
        return (one, other) in {
            ("timestamp", "timestamp"),
            ("timestamp", "duration"),
            ("duration", "duration"),
        }
    return False


@pytest.mark.parametrize("symbol", ["+", "-", "*", "/", "%"])
def test_arithmetic_is_defined_for_these_pairs_and_no_others(symbol: str) -> None:
    for (one, left), (other, right) in product(VALUES.items(), repeat=2):
        assert refused(f"{left} {symbol} {right}") is not arithmetic(symbol, one, other), (one, other)


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("1 + 2", "int"),
        ("1u * 2u", "uint"),
        ("now + duration('1m')", "timestamp"),
        ("duration('1m') + now", "timestamp"),
        ("now - now", "duration"),
        ("now - duration('1m')", "timestamp"),
        ("duration('1m') - duration('1m')", "duration"),
        ("1 + dyn(1)", "dyn"),
        ("-1.5", "double"),
        ("true ? 1 : 2", "int"),
        ("true ? 1 : 'a'", "dyn"),
        ("[1, 2][0]", "int"),
        ("[1, 'a'][0]", "dyn"),
        ("{'a': 'x'}['a']", "string"),
        ("{'a': 'x'}.a", "string"),
        ("dyn(1)[0]", "dyn"),
        ("[1].filter(x, x > 0)", "list"),
        ("[1].map(x, 'a')[0]", "string"),
        ("[1].map(x, x > 0, 1.5)[0]", "double"),
        ("[1].exists_one(x, x > 0)", "bool"),
        ("size('a')", "int"),
    ],
)
def test_an_expression_has_this_type(source: str, kind: str) -> None:
    found, findings = check(parse(source), KNOWN)
    assert findings.mistakes == []
    assert found.name == kind


def test_values_are_ordered_among_their_own_kind_and_numbers_among_each_other() -> None:
    ordered = {*NUMBERS, "string", "bytes", "timestamp", "duration", "bool"}
    for symbol in ("<", "<=", ">", ">="):
        for (one, left), (other, right) in product(VALUES.items(), repeat=2):
            fits = (
                "dyn" in {one, other}
                or (one == other and one in ordered)
                or (one in NUMBERS and other in NUMBERS)
            )
            assert refused(f"{left} {symbol} {right}") is not fits, (one, symbol, other)


def test_values_are_equal_to_their_own_kind_numbers_to_each_other_and_null_to_what_may_be_null() -> None:
    for (one, left), (other, right) in product(VALUES.items(), repeat=2):
        pair = {one, other}
        fits = "dyn" in pair or one == other or pair <= NUMBERS or pair == {"null", "map"}
        assert refused(f"{left} == {right}") is not fits, (one, other)
        assert refused(f"{left} != {right}") is not fits, (one, other)
    assert not refused("identity.onBehalfOf == null")
    assert refused("identity == null")


def test_only_lists_maps_and_what_is_not_known_are_indexed_and_searched() -> None:
    for kind, value in VALUES.items():
        assert refused(f"({value})[0]") is (kind not in {"list", "map", "dyn"}), kind
        assert refused(f"[1, 2][{value}]") is (kind not in {*NUMBERS, "dyn"}), kind
        assert refused(f"'a' in {value}") is (kind not in {"map", "dyn"}), kind
        assert refused(f"{value} in {{'a': 1}}") is (kind not in {"string", "dyn"}), kind
        assert refused(f"{value} in [1]") is (kind not in {*NUMBERS, "dyn"}), kind


def test_what_stands_in_a_list_or_a_map_is_looked_at_too() -> None:
    for source in ("[nobody].size()", "{nobody: 1}.a", "{'a': nobody}.a", "dyn(nobody)", "[1][nobody]"):
        assert refused(source), source


def test_conditions_are_joined_and_turned_round_only_as_bools() -> None:
    for kind, value in VALUES.items():
        fits = kind in {"bool", "dyn"}
        for source in (f"{value} && true", f"true || {value}", f"!({value})", f"{value} ? 1 : 2"):
            assert refused(source) is not fits, source
        assert refused(f"-({value})") is (kind not in {"int", "double", "dyn"}), kind


def test_texts_are_tested_with_one_text() -> None:
    for function in ("contains", "startsWith", "endsWith"):
        for kind, value in VALUES.items():
            fits = kind in {"string", "dyn"}
            assert refused(f"({value}).{function}('a')") is not fits, (function, kind)
            assert refused(f"'a'.{function}({value})") is not fits, (function, kind)
        assert refused(f"'a'.{function}()")
        assert refused(f"'a'.{function}('a', 'b')")


def test_parts_of_a_time_are_asked_of_times_and_some_of_durations() -> None:
    of_both = {"getHours", "getMinutes", "getSeconds", "getMilliseconds"}
    of_moments = {"getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear"}
    for function in of_both | of_moments:
        for kind, value in VALUES.items():
            fits = kind in {"timestamp", "dyn"} or (kind == "duration" and function in of_both)
            assert refused(f"({value}).{function}()") is not fits, (function, kind)
        assert not refused(f"now.{function}('UTC')")
        assert refused(f"now.{function}('UTC', 'UTC')")
        assert refused(f"duration('1m').{function}('UTC')")


LOOPS = ("all", "exists", "exists_one", "filter", "map")


@pytest.mark.parametrize("loop", LOOPS)
def test_a_loop_runs_over_a_list_with_a_name_and_as_many_conditions_as_it_takes(loop: str) -> None:
    for kind, value in VALUES.items():
        assert refused(f"({value}).{loop}(x, true)") is (kind not in {"list", "map", "dyn"}), kind
    assert refused(f"[1].{loop}(x)")
    assert refused(f"[1].{loop}(true, true)")
    assert refused(f"[1].{loop}(x, true, true)") is (loop != "map")
    assert refused(f"[1].{loop}(x, true, true, true)")
    assert refused(f"[1].{loop}(x, 1)") is (loop != "map")
    assert refused(f"[1].{loop}(x, x, true)")


def test_a_loop_over_a_map_has_its_keys_and_one_over_a_list_its_items() -> None:
    assert not refused("{'a': 1}.all(key, key == 'a')")
    assert refused("[1].all(item, item == 'a')")


def test_so_many_loops_one_after_another_and_no_more() -> None:
    loop = "[1].all(x, x > 0)"
    assert not refused(" && ".join([loop] * MAX_LOOPS))
    assert refused(" && ".join([loop] * (MAX_LOOPS + 1)))
    assert not refused("[1].all(x, [1].all(y, x == y))")
    assert refused("[1].all(x, [1].all(y, [1].all(z, true)))")


def test_a_name_is_a_loops_own_until_the_loop_ends() -> None:
    assert refused("[1].all(x, [1].all(x, true))")
    assert refused("[1].all(x, true) && x == 1")
    assert not refused("[1].all(x, true) && [1].all(x, true)")


def test_every_read_of_a_variable_is_counted_once() -> None:
    _, findings = check(parse("now == now && session.user == 'a' && identity.claims.a == 1"), KNOWN)
    assert {path: count for path, count in findings.reads.items() if count} == {
        "now": 2,
        "session.user": 1,
        "identity.claims.a": 1,
    }
    assert findings.names == {"now", "session", "identity"}


@pytest.mark.parametrize("number", ["0x1F", "31", "31u", "0x1fU", "31.0", "3.1e1", "310e-1"])
def test_numbers_are_written_in_these_ways(number: str) -> None:
    expected = (
        "uint" if number[-1] in "uU" else "double" if set(number) & set(".e") and "x" not in number else "int"
    )
    assert check(parse(number), KNOWN)[0].name == expected
    compile_condition(f"31.0 == {number}", KNOWN)


def test_a_condition_must_be_true_or_false_or_not_known_before_it_runs() -> None:
    for kind, value in VALUES.items():
        if kind in {"bool", "dyn"}:
            compile_condition(value, KNOWN)
        else:
            with pytest.raises(ConditionRefused, match="must be true or false"):
                compile_condition(value, KNOWN)

"""MERGE into a relation with a row filter.

A row outside counts as not there: it matches nothing (ON runs where the filter holds), and WHEN NOT MATCHED
BY SOURCE passes it by. What an action makes of a row is checked where it is computed.
"""

from __future__ import annotations

from typing import Any

from .assignments import checked, guard_items, is_simple, new_value, put_value, set_items, text_of
from .binding import Binding
from .findings import Write
from .guards import (
    column_type,
    condition_over,
    filtered_columns,
    inside,
    outside_error,
    refuse_generated,
)
from .inserts import check_override, plain_type
from .keys import join_conditions
from .nodes import Body
from .quoting import cast, name
from .quoting import columns as column_list
from .splice import Splice, expression_tree
from .statement import CannotRewrite

_UNREADABLE = "the MERGE could not be rewritten safely"


def guard_merge(splice: Splice, write: Write, binding: Binding) -> None:
    """Raises CannotRewrite where a row cannot be checked."""
    tokens = splice.tokens
    target = tokens.at(write.node["location"])
    depth = tokens.items[target].depth
    whens = _whens(splice, target, depth)
    clauses = [one["MergeWhenClause"] for one in write.body.get("mergeWhenClauses", [])]
    on = next((index for index in range(whens[0] - 1, target, -1) if tokens.word(index) == "ON"
               and tokens.items[index].depth == depth), None)  # fmt: skip
    if on is None or len(whens) != len(clauses) + 1:
        raise CannotRewrite(_UNREADABLE)
    _guard_match(splice, write, on + 1, whens[0], binding)
    for clause, start, stop in zip(clauses, whens, whens[1:], strict=False):
        _guard_clause(splice, write, clause, start, stop, depth, binding)


def _whens(splice: Splice, start: int, depth: int) -> list[int]:
    """The tokens where WHEN clauses begin, and the one behind the last."""
    tokens = splice.tokens
    end = tokens.block_end(start, depth)
    found, cases = [], 0
    for index in range(start, end):
        if tokens.items[index].depth != depth or tokens.items[index].kind in ("IDENT", "UIDENT"):
            continue
        match tokens.word(index):
            case "CASE":
                cases += 1
            case "END" if cases:
                cases -= 1
            case "WHEN" if not cases:
                found.append(index)
            case "RETURNING" if found and not cases:
                end = index
                break
    if not found:
        raise CannotRewrite(_UNREADABLE)
    return [*found, end]


def _guard_match(splice: Splice, write: Write, first: int, stop: int, binding: Binding) -> None:
    condition = write.body["joinCondition"]
    keys = join_conditions(condition, write.relation, write.alias, binding.catalog)
    masked = binding.effect(write.relation).masked
    keys = [one for one in keys if not any(f".{name(column)} " in one for column in masked)]
    head = "".join(f"{one} AND " for one in keys) + f"CASE WHEN {inside(write, binding)} THEN "
    copied = splice.twin(write.body)
    copied["joinCondition"] = _around(splice, first, stop, head, copied["joinCondition"])


def _around(splice: Splice, first: int, stop: int, head: str, condition: Body) -> Body:
    """Puts `head` (condition) ELSE false END in the place of a condition; the tree of it."""
    tokens = splice.tokens
    start, end = tokens.items[first].start, tokens.items[stop - 1].end
    splice.replace_text(start, start, f"{head}(")
    splice.replace_text(end, end, ") ELSE false END")
    tree = expression_tree(f"{head}(true) ELSE false END")
    case = tree["BoolExpr"]["args"][-1] if "BoolExpr" in tree else tree
    case["CaseExpr"]["args"][0]["CaseWhen"]["result"] = condition
    return tree


def _guard_clause(
    splice: Splice, write: Write, clause: Body, start: int, stop: int, depth: int, binding: Binding
) -> None:
    then = _then(splice, start, stop, depth)
    if clause.get("matchKind") == "MERGE_WHEN_NOT_MATCHED_BY_SOURCE":
        _guard_unmatched(splice, write, clause, start, then, binding)
    action = clause.get("commandType")
    if action == "CMD_UPDATE":
        begin = splice.seek("SET", then, depth, stop)
        guard_items(
            splice, write, set_items(splice, clause.get("targetList", []), begin + 1, stop, depth), binding
        )
    elif action == "CMD_INSERT":
        _guard_insert(splice, write, clause, then, stop, depth, binding)
    elif action not in ("CMD_DELETE", "CMD_NOTHING"):
        raise CannotRewrite(_UNREADABLE)


def _then(splice: Splice, start: int, stop: int, depth: int) -> int:
    tokens, cases = splice.tokens, 0
    for index in range(start, stop):
        if tokens.items[index].depth == depth and tokens.items[index].kind not in ("IDENT", "UIDENT"):
            word = tokens.word(index)
            cases += (word == "CASE") - (word == "END")
            if word == "THEN" and not cases:
                return index
    raise CannotRewrite(_UNREADABLE)


def _guard_unmatched(
    splice: Splice, write: Write, clause: Body, start: int, then: int, binding: Binding
) -> None:
    """WHEN NOT MATCHED BY SOURCE [AND condition] THEN: rows outside are none of it."""
    tokens = splice.tokens
    first = start + len(("WHEN", "NOT", "MATCHED", "BY", "SOURCE"))
    if [tokens.word(index) for index in range(start, first)] != ["WHEN", "NOT", "MATCHED", "BY", "SOURCE"]:
        raise CannotRewrite(_UNREADABLE)
    head = f"CASE WHEN {inside(write, binding)} THEN "
    copied = splice.twin(clause)
    if "condition" in clause:
        copied["condition"] = _around(splice, first + 1, then, head, copied["condition"])
        return
    end = tokens.items[first - 1].end
    splice.replace_text(end, end, f" AND {head}true ELSE false END")
    copied["condition"] = expression_tree(f"{head}true ELSE false END")


def _guard_insert(
    splice: Splice, write: Write, clause: Body, then: int, stop: int, depth: int, binding: Binding
) -> None:
    check_override(write, clause, binding)
    columns = binding.catalog.columns(write.relation.oid)
    by_name = {column.name: column for column in columns}
    wanted = filtered_columns(write.relation, binding)
    refuse_generated(wanted, by_name, write.relation)
    listed = [one["ResTarget"] for one in clause.get("targetList", [])]
    values: list[Any] = clause.get("values", [])
    names = [str(one.get("name", "")) for one in listed] or [one.name for one in columns[: len(values)]]
    if any("indirection" in one for one in listed) or len(names) != len(values):
        raise CannotRewrite("this INSERT cannot be checked against the row filter", "Insert whole columns.")
    missing = sorted(wanted - set(names))
    if missing:
        raise CannotRewrite(
            f'the row filter reads "{missing[0]}", for which this INSERT gives no value',
            f'Give a value for "{missing[0]}".',
        )
    if not wanted:
        raise CannotRewrite(
            "this INSERT cannot be checked against a row filter that reads no column", "Use INSERT by itself."
        )
    places = _value_places(splice, then, stop, depth, len(values))
    relevant = [number for number, one in enumerate(names) if one in wanted]
    hard = [number for number in relevant if not is_simple(values[number])]
    if len(hard) > 1:
        raise CannotRewrite(
            f"the values of {column_list([names[number] for number in hard])} cannot be checked against the"
            " row filter",
            "Compute them in the source of the MERGE.",
        )
    chosen = (hard or relevant)[0]
    known = {
        names[number]: new_value(names[number]) if number == chosen else text_of(splice, *places[number])
        for number in relevant
    }
    row = [f"{cast(known[one], column_type(by_name[one], binding))} AS {name(one)}" for one in sorted(wanted)]
    column = by_name[names[chosen]]
    check = (
        f"CASE WHEN {condition_over(write.relation, row, binding)} THEN true"
        f" ELSE {outside_error(new_value(column.name))} END"
    )
    kind = plain_type(column, binding)
    null = cast("NULL", kind)
    made = checked(f"SELECT {null}", [column.name], check)
    head, _, tail = made.partition(null)
    tree = expression_tree(made)
    first, end = places[chosen]
    items = splice.tokens.items
    splice.replace_text(items[first].start, items[first].start, head)
    value = put_value(splice, values[chosen], first, end, column, kind)
    splice.replace_text(items[end - 1].end, items[end - 1].end, tail)
    inner = tree["SubLink"]["subselect"]["SelectStmt"]["fromClause"][0]["RangeSubselect"]["subquery"]
    inner["SelectStmt"]["targetList"] = [{"ResTarget": {"val": value}}]
    splice.twin(clause)["values"][chosen] = tree


def _value_places(splice: Splice, then: int, stop: int, depth: int, count: int) -> list[tuple[int, int]]:
    """First token and the one behind the last of every value in VALUES (...)."""
    tokens = splice.tokens
    found = splice.seek("VALUES", then, depth, stop)
    close = next(index for index in range(found + 2, stop) if tokens.word(index) == ")"
                 and tokens.items[index].depth == depth)  # fmt: skip
    commas = [index for index in range(found + 2, close) if tokens.word(index) == ","
              and tokens.items[index].depth == depth + 1]  # fmt: skip
    places = list(zip([found + 2, *(one + 1 for one in commas)], [*commas, close], strict=True))
    if len(places) != count:
        raise CannotRewrite(_UNREADABLE)
    return places

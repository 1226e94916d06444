"""Row filters on UPDATE, DELETE and ON CONFLICT DO UPDATE.

The condition becomes `CASE WHEN filter THEN (the client's condition) ELSE false END`: CASE fixes
the order, so the client's expressions never see a row outside, not even to fail on it.
"""

from __future__ import annotations

from dataclasses import dataclass

from .binding import Binding
from .catalog import Column, Relation
from .filters import filter_columns, filter_sql
from .findings import Write
from .keys import key_conditions
from .nodes import Body, wrapped
from .quoting import call, cast, literal, name, type_name
from .splice import Splice, expression_tree
from .statement import CannotRewrite

OUTSIDE_FILTER = "tollhouse: the row is outside the rows you may write"
"""Stands in the error's message (SQLSTATE 22P02) that a checked row outside the filter raises."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an UPDATE, DELETE or DO UPDATE stands: its target (or DO), the token behind its last before
    RETURNING, the depth of its parentheses, and the node that holds its lists."""

    start: int
    end: int
    depth: int
    clause: Body


def place_of(splice: Splice, write: Write) -> Place:
    """Of UPDATE and DELETE, or of the DO UPDATE of an INSERT. Raises CannotRewrite."""
    tokens = splice.tokens
    target = tokens.at(write.node["location"])
    depth = tokens.items[target].depth
    if write.kind == "InsertStmt":
        clause = write.body["onConflictClause"]
        start = splice.seek("DO", tokens.at(clause["location"]), depth)  # a column's label may be a DO too
    else:
        start, clause = target, write.body
    end = tokens.block_end(start, depth)
    stop = tokens.find("RETURNING", start, depth, end)
    return Place(start, end if stop is None else stop, depth, clause)


def guard_rows(
    splice: Splice, write: Write, place: Place, binding: Binding, *, checked: bool = False
) -> None:
    """The rows an UPDATE, DELETE or DO UPDATE meets must be inside. `checked`: what it makes of them is
    looked at elsewhere."""
    clause, start, depth, end = place.clause, place.start, place.depth, place.end
    where = clause.get("whereClause")
    if where and wrapped(where)[0] == "CurrentOfExpr":
        raise CannotRewrite("WHERE CURRENT OF cannot be used under a row filter", "Use the row's key.")
    tokens = splice.tokens
    keys = key_conditions(
        where, write.relation, write.alias, write.alias, _alone(write, clause), binding.catalog
    )
    masked = binding.effect(write.relation).masked
    keys = [one for one in keys if not any(f".{name(column)} " in one for column in masked)]
    head = "".join(f"{one} AND " for one in keys) + f"CASE WHEN {inside(write, binding)} THEN "
    check = None if checked else _new_row_check(splice, write, clause, depth, end, binding)
    placeholder = "(true)" if check is None else f"CASE WHEN (true) THEN {check} ELSE false END"
    tree = expression_tree(f"{head}{placeholder} ELSE false END")
    tail = " ELSE false END" if check is None else f" THEN {check} ELSE false END ELSE false END"
    head += "" if check is None else "CASE WHEN "
    last = tokens.items[end - 1].end
    copied = splice.twin(clause)
    if where is None:
        splice.replace_text(last, last, f" WHERE {head}true{tail}")
        copied["whereClause"] = tree
        return
    behind = tokens.items[splice.seek("WHERE", start, depth, end)].end
    splice.replace_text(behind, behind, f" {head}(")
    splice.replace_text(last, last, f"){tail}")
    _put_condition(tree, check is not None, copied["whereClause"])
    copied["whereClause"] = tree


def _alone(write: Write, clause: Body) -> bool:
    """Whether the target is the only relation whose columns the WHERE can name."""
    return clause is write.body and not write.body.get("fromClause") and not write.body.get("usingClause")


def _put_condition(tree: Body, checked: bool, condition: Body) -> None:
    if "BoolExpr" in tree:
        tree = tree["BoolExpr"]["args"][-1]
    case = tree["CaseExpr"]["args"][0]["CaseWhen"]
    if checked:
        case = case["result"]["CaseExpr"]["args"][0]["CaseWhen"]
        case["expr"] = condition
    else:
        case["result"] = condition


def inside(write: Write, binding: Binding) -> str:
    """The filters over the row as it is."""
    columns = binding.catalog.columns(write.relation.oid)
    row = [f"{name(write.alias)}.{name(column.name)} AS {name(column.name)}" for column in columns]
    return condition_over(write.relation, row, binding)


def condition_over(relation: Relation, row: list[str], binding: Binding) -> str:
    """The relation's filters over a row given as `expression AS "column"`, in a scope of its own.

    NULL counts as outside.
    """
    filters = [f"({filter_sql(one, relation, binding.names)})" for one in binding.effect(relation).filters]
    wanted = filtered_columns(relation, binding)
    needed = [item for item in row if any(item.endswith(f" AS {name(column)}") for column in wanted)]
    return f"(SELECT {' AND '.join(filters)} FROM (SELECT {', '.join(needed)}) AS {name(relation.name)})"


def filtered_columns(relation: Relation, binding: Binding) -> set[str]:
    """The columns that the filters of the relation read."""
    return {
        column
        for one in binding.effect(relation).filters
        for column in filter_columns(one, relation, binding.names)
    }


VIEW_CHANGED = "tollhouse: a view has changed on the way"
"""Stands in the error's message (SQLSTATE 22P02) where another definition was met than was judged."""


def outside_error(value: str) -> str:
    """A boolean that always raises; `value` is some column, so that no planner runs it early."""
    empty = call("left", cast(value, "pg_catalog.text"), "0")
    return cast(call("concat", literal(OUTSIDE_FILTER), empty), "pg_catalog.bool")


SIMPLE = frozenset({"A_Const", "ParamRef", "ColumnRef", "SQLValueFunction"})
"""Nodes whose value is the same however often it is computed."""


def _new_row_check(
    splice: Splice, write: Write, clause: Body, depth: int, end: int, binding: Binding
) -> str | None:
    """For an UPDATE that sets columns the filter reads: a boolean that raises for a row outside."""
    if write.kind == "DeleteStmt":
        return None
    wanted = filtered_columns(write.relation, binding)
    columns = {column.name: column for column in binding.catalog.columns(write.relation.oid)}
    refuse_generated(wanted, columns, write.relation)
    assigned = {
        item["ResTarget"]["name"]: item["ResTarget"]
        for item in clause.get("targetList", [])
        if item["ResTarget"].get("name") in wanted
    }
    if not assigned:
        return None
    row = []
    for column in sorted(wanted):
        if column in assigned:
            value = _assigned_text(splice, assigned[column], depth, end)
            row.append(f"{cast(value, column_type(columns[column], binding))} AS {name(column)}")
        else:
            row.append(f"{name(write.alias)}.{name(column)} AS {name(column)}")
    some = f"{name(write.alias)}.{name(next(iter(sorted(wanted))))}"
    return (
        f"CASE WHEN {condition_over(write.relation, row, binding)} THEN true ELSE {outside_error(some)} END"
    )


def refuse_generated(wanted: set[str], columns: dict[str, Column], relation: Relation) -> None:
    """Raises CannotRewrite where the filter reads what the server computes after the check."""
    if any(columns[column].generated for column in wanted if column in columns):
        raise CannotRewrite(
            f'"{".".join(relation.path)}" cannot be written: its row filter reads a generated column'
        )


def column_type(column: Column, binding: Binding) -> str:
    """The SQL text of a column's type with its modifier."""
    kind = binding.catalog.type(column.type)
    if kind is None:
        raise CannotRewrite(f'the type of column "{column.name}" is unknown')
    return type_name(kind, column.typmod_text if not kind.is_array else "")


def _assigned_text(splice: Splice, target: Body, depth: int, end: int) -> str:
    kind, body = wrapped(target["val"])
    while kind == "TypeCast":
        kind, body = wrapped(body["arg"])
    if kind not in SIMPLE or target.get("indirection"):
        raise CannotRewrite(
            f'the new value of "{target.get("name")}" cannot be checked against the row filter',
            "Set it to a plain value, or leave it out.",
        )
    tokens = splice.tokens
    index = tokens.at(target["location"])
    first = splice.seek("=", index, depth, end) + 1
    stop = first
    while stop < end and not (
        tokens.items[stop].depth == depth and tokens.word(stop) in (",", "FROM", "WHERE", "RETURNING")
    ):
        stop += 1
    return splice.text[tokens.items[first].start : tokens.items[stop - 1].end]

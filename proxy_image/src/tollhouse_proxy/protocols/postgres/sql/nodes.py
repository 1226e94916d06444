"""The shape of libpg_query's JSON trees, and which nodes may stand in a query.

A wrapped node is `{"ColumnRef": {...}}`. Where a field can hold one type only, the tree leaves the
wrapper out; `FIELD_TYPES` gives that type back. A node type that is not in `QUERY_NODES` is not
understood, so the statement that holds it is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .words import words

Body = dict[str, Any]

FIELD_TYPES: dict[str, str] = {
    "withClause": "WithClause",
    "intoClause": "IntoClause",
    "alias": "Alias",
    "join_using_alias": "Alias",
    "typeName": "TypeName",
    "typename": "TypeName",
    "over": "WindowDef",
    "onConflictClause": "OnConflictClause",
    "infer": "InferClause",
    "relation": "RangeVar",
    "rel": "RangeVar",
    "search_clause": "CTESearchClause",
    "cycle_clause": "CTECycleClause",
    "larg": "SelectStmt",
    "rarg": "SelectStmt",
    "returningClause": "ReturningClause",
    "context_item": "JsonValueExpr",
    "value": "JsonValueExpr",
    "val": "JsonValueExpr",
    "format": "JsonFormat",
    "output": "JsonOutput",
    "returning": "JsonReturning",
    "on_empty": "JsonBehavior",
    "on_error": "JsonBehavior",
    "constructor": "JsonAggConstructor",
    "arg": "JsonKeyValue",
    "expr": "JsonValueExpr",
    "pathspec": "JsonTablePathSpec",
    "ival": "Integer",
    "sval": "String",
    "fval": "Float",
    "boolval": "Boolean",
    "bsval": "BitString",
}
"""Field -> type of the node in it, where the wrapper is left out."""

SYSTEM_COLUMNS: frozenset[str] = words("ctid tableoid xmin xmax cmin cmax")
"""Columns that every table has."""

QUERY_NODES: frozenset[str] = words("""
SelectStmt InsertStmt UpdateStmt DeleteStmt MergeStmt MergeWhenClause WithClause CommonTableExpr
CTESearchClause CTECycleClause IntoClause OnConflictClause InferClause IndexElem ReturningClause
ReturningOption RangeVar RangeSubselect RangeFunction RangeTableSample RangeTableFunc
RangeTableFuncCol JoinExpr Alias LockingClause ResTarget MultiAssignRef SetToDefault
ColumnRef A_Star ParamRef A_Const A_Expr BoolExpr NullTest BooleanTest CaseExpr CaseWhen
CoalesceExpr MinMaxExpr SubLink FuncCall NamedArgExpr WindowDef SortBy GroupingSet GroupingFunc
A_ArrayExpr RowExpr A_Indirection A_Indices TypeCast TypeName CollateClause SQLValueFunction
XmlExpr XmlSerialize CurrentOfExpr DefElem ColumnDef
JsonFormat JsonReturning JsonValueExpr JsonOutput JsonKeyValue JsonIsPredicate JsonParseExpr
JsonScalarExpr JsonSerializeExpr JsonObjectConstructor JsonArrayConstructor
JsonArrayQueryConstructor JsonObjectAgg JsonArrayAgg JsonAggConstructor JsonFuncExpr JsonBehavior
JsonArgument JsonTable JsonTableColumn JsonTablePathSpec MergeSupportFunc
Integer Float Boolean String BitString List
""")
"""Every node type a query may consist of."""


def is_wrapped(value: Body) -> bool:
    """Whether this is `{"Type": {...}}` (field names begin in lower case, types in upper)."""
    if len(value) != 1:
        return False
    key = next(iter(value))
    return key[0].isupper() and isinstance(value[key], dict)


def wrapped(node: Body) -> tuple[str, Body]:
    """Type and body of a wrapped node."""
    kind, body = next(iter(node.items()))
    return kind, body


def _unwrapped(field: str, body: Body) -> str:
    """The type of a node without its wrapper; relations stand in many fields, under one shape."""
    return "RangeVar" if "relname" in body else FIELD_TYPES.get(field, "")


def children(body: Body) -> Iterator[tuple[str, str, Body]]:
    """(field, type, body) of every node directly below. Unknown unwrapped fields have type ""."""
    for field, value in body.items():
        if isinstance(value, dict):
            if not value:
                continue
            if is_wrapped(value):
                kind, inner = wrapped(value)
                yield field, kind, inner
            else:
                yield field, _unwrapped(field, value), value
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, dict) and item:
                    if is_wrapped(item):
                        kind, inner = wrapped(item)
                        yield field, kind, inner
                    else:
                        yield field, _unwrapped(field, item), item


def strings(nodes: list[Body] | None) -> tuple[str, ...]:
    """The texts of a list of String nodes (a qualified name)."""
    return tuple(node["String"].get("sval", "") for node in nodes or [] if "String" in node)


def constant(node: Body | None) -> object | None:
    """The value of a constant as text, int, float or bool; None where it is none (or NULL)."""
    if not node:
        return None
    kind, body = wrapped(node) if is_wrapped(node) else ("", node)
    if kind == "TypeCast":
        return constant(body.get("arg"))
    if kind in ("String", "Integer", "Float", "Boolean"):
        return next(iter(body.values()), 0 if kind == "Integer" else "")
    if kind != "A_Const":
        return None
    if "sval" in body:
        return str(body["sval"].get("sval", ""))
    if "ival" in body:
        return int(body["ival"].get("ival", 0))
    if "fval" in body:
        return str(body["fval"].get("fval", ""))
    if "boolval" in body:
        return bool(body["boolval"].get("boolval", False))
    return None


def walk(kind: str, body: Body) -> Iterator[tuple[str, Body]]:
    """The node and everything below it, in no promised order, without recursion."""
    pending = [(kind, body)]
    while pending:
        one, inner = pending.pop()
        yield one, inner
        pending.extend((below, node) for _, below, node in children(inner))

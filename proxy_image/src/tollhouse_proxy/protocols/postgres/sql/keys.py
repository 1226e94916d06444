"""Conditions that may run beside a row filter, so that indexes still help.

`column = value` on a column of these types cannot fail and tells nothing by running on a hidden
row (PostgreSQL marks these operators leakproof). Such a conjunct of the client's own WHERE is
repeated next to the filter; the original stays where it was.
"""

from __future__ import annotations

from collections.abc import Iterator

from .catalog import Catalog, Relation
from .nodes import Body, strings, wrapped
from .quoting import literal, name

_LEAKPROOF = frozenset(
    {"int2", "int4", "int8", "uuid", "text", "varchar", "bpchar", "name", "date", "timestamp", "timestamptz",
     "oid", "bool"}
)  # fmt: skip
"""Types whose own `=` is marked leakproof in every release from 14 on."""
_NUMBERS = frozenset({"int2", "int4", "int8"})
_TEXTS = frozenset({"text", "varchar", "bpchar", "name", "uuid"})


def key_conditions(
    where: Body | None, relation: Relation, alias: str, shown_as: str, alone: bool, catalog: Catalog
) -> list[str]:
    """SQL texts of such conjuncts of `where` on the relation that goes by `alias`.

    In the texts the relation goes by `shown_as`. `alone`: no other relation is in scope, so a
    name without a table is the relation's own.
    """
    types = {column.name: catalog.type(column.type) for column in catalog.columns(relation.oid)}
    found = []
    for conjunct in _conjuncts(where):
        kind, body = wrapped(conjunct)
        if kind != "A_Expr" or body.get("kind") != "AEXPR_OP" or strings(body.get("name")) != ("=",):
            continue
        left, right = body.get("lexpr"), body.get("rexpr")
        if not isinstance(left, dict) or not isinstance(right, dict) or "ColumnRef" not in left:
            continue
        texts = strings(left["ColumnRef"].get("fields"))
        own = (len(texts) == 2 and texts[0] == alias) or (len(texts) == 1 and alone)
        column = "".join(texts[-1:])
        type_ = types.get(column)
        value = _value(right, type_.name if type_ is not None else "")
        if (
            own
            and value is not None
            and type_ is not None
            and type_.name in _LEAKPROOF
            and type_.schema == "pg_catalog"
        ):
            found.append(f"({name(shown_as)}.{name(column)} OPERATOR(pg_catalog.=) {value})")
    return found


def join_conditions(where: Body | None, relation: Relation, alias: str, catalog: Catalog) -> list[str]:
    """SQL texts of the conjuncts `alias.column = other.column`, in either order. What is compared with
    can fail by itself, never by the hidden row."""
    types = {column.name: catalog.type(column.type) for column in catalog.columns(relation.oid)}
    found = []
    for conjunct in _conjuncts(where):
        kind, body = wrapped(conjunct)
        if kind != "A_Expr" or body.get("kind") != "AEXPR_OP" or strings(body.get("name")) != ("=",):
            continue
        sides = [_qualified(body.get(side)) for side in ("lexpr", "rexpr")]
        for mine, other in (sides, sides[::-1]):
            if mine is None or other is None or mine[0] != alias or other[0] == alias:
                continue
            type_ = types.get(mine[1])
            if type_ is not None and type_.name in _LEAKPROOF and type_.schema == "pg_catalog":
                left, right = (f"{name(one[0])}.{name(one[1])}" for one in (mine, other))
                found.append(f"({left} OPERATOR(pg_catalog.=) {right})")
    return found


def _qualified(node: object) -> tuple[str, str] | None:
    """(table, column) of a column reference with a table."""
    if not isinstance(node, dict) or "ColumnRef" not in node:
        return None
    fields = node["ColumnRef"].get("fields", [])
    texts = strings(fields)
    return (texts[0], texts[1]) if len(texts) == len(fields) == 2 else None


def _conjuncts(where: Body | None) -> Iterator[Body]:
    if not where:
        return
    kind, body = wrapped(where)
    if kind == "BoolExpr" and body.get("boolop") == "AND_EXPR":
        for part in body.get("args", []):
            yield from _conjuncts(part)
    else:
        yield where


def _value(node: Body, kind_of_column: str) -> str | None:
    """The SQL text of a parameter, or of a constant that is of the column's own kind."""
    kind, body = wrapped(node)
    if kind == "ParamRef":
        return f"${body.get('number', 0)}"
    if kind == "A_Const" and "ival" in body and kind_of_column in _NUMBERS:
        return str(int(body["ival"].get("ival", 0)))
    if kind == "A_Const" and "sval" in body and kind_of_column in _TEXTS:
        return literal(str(body["sval"].get("sval", "")))
    return None

"""Which constants of a statement nothing hangs on that is found about it.

By allow-list, in places and in kinds of nodes: a constant counts as free only where every node above it is
known here and it stands where PostgreSQL reads a value and nothing else. ORDER BY 1 is a column,
't'::regclass a table, a function beyond the plainest may do anything with its arguments: constants there are
not free.
"""

from __future__ import annotations

from collections.abc import Mapping

from .builtins import SAFE_FUNCTIONS
from .catalog import PG_CATALOG
from .nodes import Body, children, strings
from .words import words

__all__ = ["free_constants"]

_STATEMENTS = frozenset({"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt"})

_VALUES: Mapping[str, frozenset[str]] = {
    "ResTarget": words("val"),
    "SelectStmt": words("limitCount limitOffset"),
    "List": words("items"),
    "A_Expr": words("lexpr rexpr"),
    "BoolExpr": words("args"),
    "NullTest": words("arg"),
    "BooleanTest": words("arg"),
    "CaseExpr": words("arg defresult"),
    "CaseWhen": words("expr result"),
    "CoalesceExpr": words("args"),
    "MinMaxExpr": words("args"),
    "A_ArrayExpr": words("elements"),
    "RowExpr": words("args"),
    "FuncCall": words("args"),
    "TypeCast": words("arg"),
    "SubLink": words("testexpr"),
}
"""Node -> fields in which a constant is a value like any other."""

_BELOW: Mapping[str, frozenset[str]] = {
    **_VALUES,
    "SelectStmt": words(
        "targetList fromClause whereClause havingClause valuesLists larg rarg withClause limitCount"
        " limitOffset"
    ),
    "InsertStmt": words("cols selectStmt onConflictClause returningList withClause"),
    "OnConflictClause": words("targetList whereClause"),
    "UpdateStmt": words("targetList whereClause fromClause returningList withClause"),
    "DeleteStmt": words("whereClause usingClause returningList withClause"),
    "WithClause": words("ctes"),
    "CommonTableExpr": words("ctequery"),
    "RangeSubselect": words("subquery"),
    "JoinExpr": words("larg rarg quals"),
    "SubLink": words("testexpr subselect"),
    "CaseExpr": words("arg args defresult"),
    "FuncCall": words("args agg_filter"),
}
"""Node -> fields that are looked into."""

_TYPES = words("""
int2 int4 int8 smallint integer bigint numeric float4 float8 bool text varchar bpchar char date time timetz
timestamp timestamptz interval uuid bytea json jsonb inet
""")
"""Types whose constants name nothing."""

_NAMING = tuple(
    words("""
array_in col_desc currval current_ cursor_to database_to enum_ format_type get_ has_ inet_ json_pop
json_to_rec jsonb_pop jsonb_to_rec lastval lo_ nextval obj_desc pg_ phraseto plainto query_to reg row_security
schema_to set_ setval shobj table_to to_reg to_ts ts_ txid websearch xml xpath
""")
)
"""How functions begin whose arguments may name objects, settings or files, or that read texts as code."""


def free_constants(text: str, kind: str, body: Body) -> frozenset[int]:
    """Byte offsets in `text` at which free constants begin; the offset of the digits where a minus stands
    before them. Empty for a statement of another kind than query or plain write."""
    if kind not in _STATEMENTS:
        return frozenset()
    raw = text.encode()
    found: set[int] = set()
    pending = [(kind, body)]
    while pending:
        one, node = pending.pop()
        values, below = _VALUES.get(one, frozenset()), _BELOW.get(one, frozenset())
        for field, inner, child in children(node):
            if inner == "A_Const":
                if field in values:
                    found.add(_begin(raw, int(child.get("location", 0))))
            elif field in below and _is_plain(inner, child):
                pending.append((inner, child))
    return frozenset(found)


def _is_plain(kind: str, node: Body) -> bool:
    if kind == "FuncCall":
        return _is_plain_function(node)
    if kind == "TypeCast":
        return _is_plain_type(node.get("typeName", {}))
    return kind in _BELOW


def _is_plain_function(node: Body) -> bool:
    parts = strings(node.get("funcname"))
    if not parts or (len(parts) > 1 and parts[0] != PG_CATALOG) or "over" in node:
        return False
    return parts[-1] in SAFE_FUNCTIONS and not parts[-1].startswith(_NAMING)


def _is_plain_type(node: Body) -> bool:
    parts = strings(node.get("names"))
    if not parts or (len(parts) > 1 and parts[0] != PG_CATALOG) or "typmods" in node:
        return False
    return parts[-1] in _TYPES


def _begin(raw: bytes, location: int) -> int:
    """PostgreSQL's grammar makes the minus a part of the number behind it."""
    if raw[location : location + 1] != b"-":
        return location
    location += 1
    while raw[location : location + 1].isspace():
        location += 1
    return location

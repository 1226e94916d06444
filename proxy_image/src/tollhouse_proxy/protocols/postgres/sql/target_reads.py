"""Whether INSERT, UPDATE, DELETE or MERGE reads the rows it writes to.

PostgreSQL asks for SELECT on every column that a condition or an expression reads, and so do we. A
comparison tells little, and is part of saying which rows are meant: it needs no rule of its own,
though a deny binds. Casts, functions and whole rows can give a value away (`v::int` fails with the
value in its message): they need the right to read.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from .catalog import Column
from .nodes import SYSTEM_COLUMNS, Body, children, strings
from .words import words


class TargetReads(IntEnum):
    """How a write reads its target, the most that was found."""

    NOTHING = 0
    COMPARES = 1
    COMPUTES = 2


_COMPARING = words("""
A_Expr BoolExpr NullTest BooleanTest CaseExpr CaseWhen CoalesceExpr MinMaxExpr A_ArrayExpr RowExpr List
ResTarget MultiAssignRef CollateClause SubLink SelectStmt RangeVar Alias JoinExpr RangeSubselect SortBy
OnConflictClause MergeWhenClause WithClause CommonTableExpr
""")
"""Nodes above a column that keep its value to themselves. A ColumnRef below any other is computed with."""

_ELSEWHERE = frozenset(
    {"relation", "withClause", "cols", "selectStmt", "sourceRelation", "fromClause", "usingClause", "infer",
     "returningList", "returningClause"}
)  # fmt: skip
"""Parts of a write that cannot see the target, or (RETURNING) are judged for themselves."""


def target_reads(body: Body, alias: str, columns: Iterable[Column]) -> TargetReads:
    """`alias` is the name of the target's rows, `columns` are its columns."""
    known = SYSTEM_COLUMNS | {column.name for column in columns}
    most = TargetReads.NOTHING
    pending = [(kind, node, False) for field, kind, node in children(body) if field not in _ELSEWHERE]
    while pending:
        kind, node, computed = pending.pop()
        if kind == "ColumnRef":
            most = max(most, _read(node, alias, known, computed))
            continue
        if kind == "CurrentOfExpr":
            most = max(most, TargetReads.COMPARES)
        computed = computed or kind not in _COMPARING
        pending += [(below, inner, computed) for field, below, inner in children(node) if field != "infer"]
    return most


def _read(node: Body, alias: str, known: frozenset[str], computed: bool) -> TargetReads:
    fields = node.get("fields", [])
    texts = strings(fields)
    if not fields or "String" not in fields[-1]:
        mine = not texts or texts[-1] == alias
        return TargetReads.COMPUTES if mine else TargetReads.NOTHING
    if len(texts) > 1 and texts[-2] != alias:
        return TargetReads.NOTHING
    if texts[-1] in known and (len(texts) > 1 or texts[0] != alias):
        return TargetReads.COMPUTES if computed else TargetReads.COMPARES
    return TargetReads.COMPUTES if len(texts) > 1 or texts[0] == alias else TargetReads.NOTHING

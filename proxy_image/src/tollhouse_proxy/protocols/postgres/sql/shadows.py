"""Which names inside a statement mean a table of a sub-select, and not the outer one of the same name.

PostgreSQL looks for `a.x` in the innermost query that has a table called `a` (parse_relation.c goes level by
level), so `UPDATE a ... WHERE id IN (SELECT a.id FROM a WHERE a.x = 1)` speaks of the inner one.
"""

from __future__ import annotations

from collections.abc import Iterator

from .nodes import Body, children, strings, wrapped

Names = frozenset[tuple[str, ...]]

_NOT_WITHIN = frozenset({"fromClause", "withClause", "larg", "rarg"})
"""Fields of a SelectStmt where its own FROM is not in sight, or only a part of it."""


def outer_columns(body: Body) -> Iterator[tuple[Body, bool]]:
    """Every ColumnRef below a statement, and whether a table of a sub-select is sure to be meant by its
    qualifier. What is not sure, a name without qualifier above all, is not."""
    pending: list[tuple[str, Body, Names]] = [(kind, node, frozenset()) for _, kind, node in children(body)]
    while pending:
        kind, node, hidden = pending.pop()
        if kind == "ColumnRef":
            yield node, _qualifier(node) in hidden
            continue
        own = _tables(node.get("fromClause", [])) if kind == "SelectStmt" else frozenset()
        pending += [
            (below, inner, hidden if field in _NOT_WITHIN and kind == "SelectStmt" else hidden | own)
            for field, below, inner in children(node)
        ]


def _qualifier(node: Body) -> tuple[str, ...]:
    """`("a",)` of a.x and a.*, `("s", "a")` of s.a.x, () of x."""
    texts = strings(node["fields"])
    return texts if "A_Star" in node["fields"][-1] else texts[:-1]


def _tables(items: list[Body]) -> Names:
    """What the tables of a FROM list can be called: by a name alone, or with the schema that stands there."""
    found: set[tuple[str, ...]] = set()
    pending = [wrapped(item) for item in items]
    while pending:
        kind, body = pending.pop()
        alias = body.get("alias", {}).get("aliasname")
        if alias is not None:
            found.add((alias,))  # of a join: nobody sees what is beneath
        elif kind == "JoinExpr":
            pending += [wrapped(body[side]) for side in ("larg", "rarg") if side in body]
        elif kind == "RangeTableSample":
            pending.append(wrapped(body["relation"]))
        elif kind == "RangeVar":
            found.add((body["relname"],))
            if "schemaname" in body and "catalogname" not in body:
                found.add((body["schemaname"], body["relname"]))
    return frozenset(found)

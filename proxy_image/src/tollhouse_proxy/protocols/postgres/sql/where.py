"""Whether an UPDATE or DELETE really has a WHERE."""

from __future__ import annotations

from collections.abc import Iterable

from .catalog import Column
from .nodes import Body, constant, strings, walk, wrapped

_REFLEXIVE = frozenset({"=", ">=", "<=", "~~", "~", "@>", "<@"})
_CONSTANTS = frozenset({"A_Const", "TypeCast", "TypeName"})


def has_where(clause: Body | None, alias: str, columns: Iterable[Column]) -> bool:
    """True where the clause speaks of the target's own columns and is not true of every row.

    `WHERE true`, `1 = 1`, `id = id` and a disjunction with one of these are no WHERE.
    """
    if not clause:
        return False
    names = {column.name for column in columns} | {alias, "ctid", "tableoid"}
    if not _mentions(clause, names):
        return wrapped(clause)[0] == "CurrentOfExpr"
    return _truth(clause) is not True


def _mentions(clause: Body, names: set[str]) -> bool:
    kind, body = wrapped(clause)
    return any(
        one == "ColumnRef" and names & set(strings(node.get("fields"))) for one, node in walk(kind, body)
    )


def _truth(clause: Body) -> bool | None:
    """True or False where the clause is the same for every row, None where that is not known."""
    kind, body = wrapped(clause)
    if kind == "BoolExpr":
        parts = [_truth(part) for part in body.get("args", [])]
        match body.get("boolop"):
            case "OR_EXPR":
                return True if True in parts else (False if set(parts) == {False} else None)
            case "AND_EXPR":
                return False if False in parts else (True if set(parts) == {True} else None)
            case _:
                return None if parts[0] is None else not parts[0]
    if kind in ("A_Const", "TypeCast"):
        value = constant(clause)
        if isinstance(value, bool):
            return value
        if isinstance(value, str):
            return value.strip().lower() in ("t", "true", "on", "yes", "1", "y")
        return None
    if kind == "A_Expr":
        return _comparison(body)
    if kind == "NullTest" and body.get("nulltesttype") == "IS_NOT_NULL":
        return True if _is_constant(body.get("arg")) else None
    if kind == "BooleanTest" and body.get("booltesttype") in ("IS_TRUE", "IS_NOT_FALSE"):
        return _truth(body["arg"])
    return None


def _comparison(body: Body) -> bool | None:
    left, right = body.get("lexpr"), body.get("rexpr")
    if left is None or right is None or isinstance(left, list) or isinstance(right, list):
        return None
    operator = (strings(body.get("name")) or ("",))[-1]
    if _is_constant(left) and _is_constant(right):
        return True  # whatever it says, it says it of every row
    same = _bare(left) == _bare(right)
    if same and (operator in _REFLEXIVE or body.get("kind") == "AEXPR_NOT_DISTINCT"):
        return True
    return None


def _is_constant(node: Body | None) -> bool:
    if not node or "List" in node:
        return False
    kind, body = wrapped(node)
    return not any(one == "ColumnRef" for one, _ in walk(kind, body))


def _bare(value: object) -> object:
    """The tree without locations."""
    if isinstance(value, dict):
        return {key: _bare(item) for key, item in value.items() if not key.endswith("location")}
    if isinstance(value, list):
        return [_bare(item) for item in value]
    return value


def depends_on_literals(clause: Body) -> bool:
    """Whether other literals in the clause could change what `has_where` says of it."""
    kind, body = wrapped(clause)
    for one, node in walk(kind, body):
        if one == "A_Expr":
            left, right = node.get("lexpr"), node.get("rexpr")
            if isinstance(left, dict) and isinstance(right, dict) and not _mentions_any(left, right):
                return True
        if one == "BoolExpr" and any(_is_constant(part) for part in node.get("args", [])):
            return True
    return _is_constant(clause)


def _mentions_any(*nodes: Body) -> bool:
    return any(
        one == "ColumnRef"
        for node in nodes
        for one, _ in walk(*(wrapped(node) if len(node) == 1 else ("", node)))
    )

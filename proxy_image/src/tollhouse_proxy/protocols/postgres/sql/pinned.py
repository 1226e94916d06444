"""Built-in operators and functions of a row filter, spelled so that no other can be meant.

`tenant = 7` becomes `tenant OPERATOR(pg_catalog.=) 7`. That spelling binds in another order than a
bare symbol, so the text is only taken if it still reads as the same tree.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from tollhouse_dialects.postgres.parse import SqlSyntaxError, parse

from .calls import may_apply, trusted
from .catalog import PG_CATALOG, Function, Operator
from .findings import Findings
from .names import Names
from .nodes import Body, strings, walk, wrapped
from .quoting import name
from .tokens import Tokens
from .words import words

BUILTIN_OPERATORS = words(
    "= <> < <= > >= + - * / % ^ || @> <@ && << >> &< &> -> ->> #> #>> ? ?| ?& @? @@ #- # & | ~ !~ ~*"
    " !~* ~~ !~~ ~~* !~~* ^@ |/ ||/ @ <-> -|- ~= <<= >>= <<| |>> &<| |&> @@@ !! ~<~ ~<=~ ~>~ ~>=~ *= *<>"
)
"""Symbols of pg_catalog, the same in every release from 14 on."""

_SYMBOLS = frozenset({"AEXPR_OP", "AEXPR_OP_ANY", "AEXPR_OP_ALL"})
_One = TypeVar("_One", Function, Operator)


def rivals(candidates: Sequence[_One], names: Names, found: Findings) -> list[_One]:
    """Those that an author may mean besides the built-in: over types of their own that are present,
    or of an extension that is trusted."""
    wanted = []
    for one in candidates:
        if isinstance(one, Operator):
            oids, function = (one.left, one.right), names.catalog.function(one.function)
        else:
            oids, function = one.arguments, one
        own = any((kind := names.catalog.type(oid)) and kind.schema != PG_CATALOG for oid in oids if oid)
        if may_apply(tuple(oids), names, found) and (own or (function is not None and trusted(function))):
            wanted.append(one)
    return wanted


def pinned(text: str, kind: str, body: Body, found: Findings, names: Names) -> str:
    """`text`, whose tree is `kind` and `body`, with what can be pinned; as it was where spelling an
    operator out would change how the text reads."""
    tokens = Tokens(text)
    edits = [
        edit
        for node_kind, node in walk(kind, body)
        if (edit := _edit(node_kind, node, tokens, found, names)) is not None
    ]
    made = text
    for start, end, replacement in sorted(edits, reverse=True):
        made = made[:start] + replacement + made[end:]
    try:
        same = _shape(wrapped(parse(made)[0].tree)[1]) == _shape(body)
    except SqlSyntaxError:
        same = False
    return made if same else text


def _edit(
    kind: str, node: Body, tokens: Tokens, found: Findings, names: Names
) -> tuple[int, int, str] | None:
    if kind == "A_Expr" and node.get("kind") in _SYMBOLS:
        parts, field = strings(node.get("name")), "operator"
    elif kind == "FuncCall":
        parts, field = strings(node.get("funcname")), "function"
    else:
        return None
    if len(parts) != 1 or "location" not in node:
        return None
    token = tokens.items[tokens.at(node["location"])]
    if field == "function":
        _, functions = names.functions(parts, None)
        builtin = parts[0] in names.catalog.builtin_functions
        if token.text.lower() != parts[0] or not builtin or rivals(functions, names, found):
            return None
        return token.start, token.start, f"{PG_CATALOG}."
    if token.text != parts[0] and (token.text, parts[0]) != ("!=", "<>"):
        return None
    operators = names.operators(parts)
    if parts[0] in BUILTIN_OPERATORS:
        schema = None if rivals(operators, names, found) else PG_CATALOG
    else:
        schema = name(operators[0].schema) if operators else None
    return None if schema is None else (token.start, token.end, f"OPERATOR({schema}.{parts[0]})")


_QUALIFIABLE = frozenset({"name", "funcname"})


def _shape(value: Any) -> Any:
    """A tree without places and without the schemas of functions and operators."""
    if isinstance(value, list):
        return [_shape(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        field: _shape(one[-1:] if field in _QUALIFIABLE and isinstance(one, list) else one)
        for field, one in value.items()
        if field not in ("location", "list_start", "list_end", "rexpr_list_start", "rexpr_list_end")
    }

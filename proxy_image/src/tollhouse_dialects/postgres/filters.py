"""Row filters: one boolean SQL expression with `{{ ... }}` for identity values.

The text is scanned once for quotes and parentheses, placeholders become `$n`, and the grammar of
the server reads the result. What comes out is exactly one expression: it can be put in
parentheses anywhere without changing what is around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tollhouse_core.policy.language import Fault, FilterTemplate, NotCompiled, Placeholder, Shape
from tollhouse_core.policy.placeholders import why_not
from tollhouse_dialects.postgres.parse import SqlSyntaxError, Tree, parse

_PREFIX = "SELECT 1 WHERE ("
_MAX_PLACEHOLDERS = 32

_TOKEN = re.compile(
    r"""
    (?P<escape>[eE]'(?:[^'\\]|''|\\.)*')
  | (?P<string>'(?:[^']|'')*')
  | (?P<name>"(?:[^"]|"")*")
  | (?P<comment>--|/\*)
  | (?P<dollar>\$(?:[A-Za-z_\u0080-\U0010ffff][\w]*)?\$)
  | (?P<parameter>\$[0-9])
  | (?P<placeholder>\{\{(?P<source>[^{}]*)\}\})
  | (?P<brace>\{\{|\}\})
  | (?P<word>[A-Za-z_\u0080-\U0010ffff][\w$]*)
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of the text that is parsed, and where it stands in what was written."""

    text: str
    at: int
    copied: bool


def compile_filter(where: str) -> FilterTemplate:
    """Raises NotCompiled; the fault tells the character."""
    pieces, sources = _scan(where)
    text = "".join(piece.text for piece in pieces)
    tree = _parsed(text, pieces)
    _check_tree(tree)
    shapes = _shapes(tree)
    placeholders = tuple(
        Placeholder(source, shapes.get(number, Shape.EITHER)) for number, (source, _) in enumerate(sources, 1)
    )
    for placeholder, (_, at) in zip(placeholders, sources, strict=True):
        fault = why_not(placeholder.source, placeholder.shape)
        if fault:
            raise _fault(fault, at)
    return FilterTemplate(text.strip(), placeholders)


def _fault(message: str, at: int | None = None) -> NotCompiled:
    where = f", at character {at + 1}" if at is not None else ""
    return NotCompiled(Fault("", message + where))


def _scan(where: str) -> tuple[list[_Piece], list[tuple[str, int]]]:
    """Pieces of the text to parse, and the placeholders with their places."""
    pieces: list[_Piece] = []
    sources: list[tuple[str, int]] = []
    depth = 0
    for token in _TOKEN.finditer(where):
        kind, text, at = token.lastgroup, token[0], token.start()
        if kind == "source" or token["placeholder"] is not None:
            sources.append((token["source"].strip(), at))
            pieces.append(_Piece(_parameter(where, token, len(sources)), at, copied=False))
            continue
        depth = _depth(depth, text, at)
        _check_token(kind or "", text, at)
        pieces.append(_Piece(text, at, copied=True))
    if depth:
        raise _fault("a parenthesis is not closed")
    if len(sources) > _MAX_PLACEHOLDERS:
        raise _fault(f"more than {_MAX_PLACEHOLDERS} values in one filter")
    return pieces, sources


def _parameter(where: str, token: re.Match[str], number: int) -> str:
    """`$n`, with blanks where it would grow together with its neighbours (`1{{x}}` is no 1$1)."""
    before, after = where[: token.start()], where[token.end() :]
    return f"{_gap(before[-1:])}${number}{_gap(after[:1])}"


def _gap(neighbour: str) -> str:
    return "" if not neighbour or neighbour.isspace() or neighbour in "()[],=<>" else " "


def _depth(depth: int, text: str, at: int) -> int:
    if text == "(":
        return depth + 1
    if text == ")":
        if depth == 0:
            raise _fault("a parenthesis is closed that was not opened", at)
        return depth - 1
    return depth


def _check_token(kind: str, text: str, at: int) -> None:
    if kind in {"escape", "string", "name"} and "{{" in text:
        raise _fault("{{ ... }} inside quotes would be plain text: write it without quotes", at)
    if kind == "comment":
        raise _fault("no comments in filters", at)
    if kind == "dollar":
        raise _fault("no dollar quotes in filters: write '...'", at)
    if kind == "parameter":
        raise _fault("no $n in filters: write {{ identity.claims.NAME }}", at)
    if kind == "brace":
        raise _fault("expected {{ identity.claims.NAME }} or the like", at)
    if kind == "other" and text in {"'", '"'}:
        raise _fault("the quoted text does not end", at)
    if text in {";", "\0"}:
        raise _fault("one expression only", at)


def _parsed(text: str, pieces: list[_Piece]) -> Tree:
    try:
        statements = parse(f"{_PREFIX}{text}\n)")
    except SqlSyntaxError as error:
        raise _fault(error.message, _written_at(error.position, pieces)) from None
    select = statements[0].tree.get("SelectStmt") if len(statements) == 1 else None
    plain = {"targetList", "whereClause", "limitOption", "op"}
    if not isinstance(select, dict) or set(select) != plain or select["op"] != "SETOP_NONE":
        raise _fault("expected one boolean expression")
    clause = select["whereClause"]
    assert isinstance(clause, dict)
    return clause


def _written_at(position: int | None, pieces: list[_Piece]) -> int | None:
    """A position in the parsed text as one in what was written."""
    if position is None:
        return None
    left = position - len(_PREFIX)
    for piece in pieces:
        if left < len(piece.text):
            return piece.at + (max(left, 0) if piece.copied else 0)
        left -= len(piece.text)
    return pieces[-1].at if pieces else 0


# Nodes that would do something, or read what is not data. Everything else a SELECT may hold is
# the author's to write: a filter's subqueries run as the proxy.
_FORBIDDEN_NODES = {
    "InsertStmt": "INSERT",
    "UpdateStmt": "UPDATE",
    "DeleteStmt": "DELETE",
    "MergeStmt": "MERGE",
    "IntoClause": "INTO",
    "LockingClause": "FOR UPDATE and the like",
}

# By name, in whatever schema: they wait, write, reach files or other servers, or run text as SQL.
_FORBIDDEN_FUNCTIONS = re.compile(
    r"pg_.*|lo_.*|loread|lowrite|dblink.*|.*_to_xml.*|set_config|nextval|setval|ts_stat|ts_rewrite|"
    r"crosstab.*|xpath_table|postgres_fdw_.*|txid_.*|get_raw_page|heap_page_.*|xslt_process"
)
# A client can set these itself: they must not decide what it sees.
_SAID_BY_CLIENT = frozenset({"current_setting", "inet_client_addr", "inet_client_port"})


def _check_tree(tree: Tree) -> None:
    for name, node in _nodes(tree):
        if name in _FORBIDDEN_NODES or "lockingClause" in node or "intoClause" in node:
            what = _FORBIDDEN_NODES.get(name, "INTO and FOR UPDATE")
            raise _fault(f"a filter only reads: no {what}")
        if name == "FuncCall":
            _check_function(node)


def _check_function(node: Tree) -> None:
    function = str(node["funcname"][-1]["String"]["sval"])
    if function in _SAID_BY_CLIENT:
        raise _fault(f"{function} is what the client says of itself, so it cannot decide which rows it sees")
    if _FORBIDDEN_FUNCTIONS.fullmatch(function):
        raise _fault(f"a filter must not call {function}")


def _nodes(tree: object) -> Iterator[tuple[str, Tree]]:
    """Every node below, by type; without recursion, whatever the depth."""
    waiting = [tree]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, dict):
            for key, value in item.items():
                if isinstance(value, dict):
                    yield key, value
                waiting.append(value)


_COMPARING = frozenset({"=", "<>", "<", ">", "<=", ">=", "~~", "!~~", "~~*", "!~~*", "~", "~*"})
_LISTED_KINDS = frozenset({"AEXPR_OP_ANY", "AEXPR_OP_ALL"})
_SCALAR_KINDS = frozenset({"AEXPR_IN", "AEXPR_BETWEEN", "AEXPR_NOT_BETWEEN", "AEXPR_LIKE", "AEXPR_ILIKE"})


def _shapes(tree: Tree) -> dict[int, Shape]:
    """What sort of value stands at each `$n`, as far as the expression around it tells."""
    shapes: dict[int, Shape] = {}
    root: Tree = {"root": tree}
    for name, node in _nodes(root):
        if name == "A_Expr":
            _operand_shapes(node, shapes)
        elif name == "TypeCast":
            is_list = "arrayBounds" in node.get("typeName", {})
            _note(shapes, node.get("arg"), Shape.LIST if is_list else Shape.SCALAR)
        elif name == "A_ArrayExpr":
            for element in node.get("elements", []):
                _note(shapes, element, Shape.SCALAR)
    return shapes


def _operand_shapes(node: Tree, shapes: dict[int, Shape]) -> None:
    kind = node.get("kind")
    if kind in _LISTED_KINDS:
        _note(shapes, node.get("lexpr"), Shape.SCALAR)
        _note(shapes, node.get("rexpr"), Shape.LIST)
        return
    operator = node.get("name", [{}])[-1].get("String", {}).get("sval")
    if kind in _SCALAR_KINDS or operator in _COMPARING:
        for side in ("lexpr", "rexpr"):
            operand = node.get(side)
            items = operand.get("List", {}).get("items", []) if isinstance(operand, dict) else []
            for each in [operand, *items]:
                _note(shapes, each, Shape.SCALAR)


def _note(shapes: dict[int, Shape], node: object, shape: Shape) -> None:
    parameter = node.get("ParamRef") if isinstance(node, dict) else None
    if isinstance(parameter, dict):
        shapes.setdefault(int(parameter["number"]), shape)

"""Small wrong changes to a syntax tree. Text for people, annotations and docstrings are left alone."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
_SILENT = frozenset({"debug", "info", "warning", "error", "exception"})
"""Methods of a logger."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """The `number`th change that can be made to a file; `what` and `line` say which it is."""

    number: int
    line: int
    what: str


class _Places(ast.NodeVisitor):
    """Finds every place, in a fixed order, as (node, name of the change)."""

    def __init__(self) -> None:
        self.found: list[tuple[ast.AST, str]] = []

    def visit(self, node: ast.AST) -> None:
        for change in _changes(node):
            self.found.append((node, change))
        for child in _worth_changing(node):
            self.visit(child)


def _worth_changing(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.Module():
            body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
            yield from body
        case ast.AnnAssign():
            if node.value is not None:
                yield node.value
        case ast.If(test=ast.Name(id="TYPE_CHECKING")) | ast.Import() | ast.ImportFrom() | ast.JoinedStr():
            return
        case ast.Raise() | ast.Assert():
            return  # what is raised is words
        case ast.Expr(value=ast.Constant()):
            return
        case _:
            yield from ast.iter_child_nodes(node)


def _changes(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Compare() if type(node.ops[0]) in _COMPARED:
            yield f"{type(node.ops[0]).__name__} becomes {_COMPARED[type(node.ops[0])].__name__}"
        case ast.BoolOp():
            yield "and becomes or" if isinstance(node.op, ast.And) else "or becomes and"
        case ast.UnaryOp(op=ast.Not()):
            yield "not is dropped"
        case ast.BinOp() if type(node.op) in _COMPUTED and not _is_text(node):
            yield f"{type(node.op).__name__} becomes {_COMPUTED[type(node.op)].__name__}"
        case ast.Constant(value=bool()):
            yield f"{node.value} becomes {not node.value}"
        case ast.Constant(value=int()):
            yield f"{node.value} becomes {node.value + 1}"
        case ast.If() | ast.IfExp() | ast.While():
            yield "condition becomes False"
            if not isinstance(node, ast.While):
                yield "condition becomes True"
        case ast.Return(value=value) if value is not None and not _is_nothing(value):
            yield "returns None"
        case ast.Expr(value=ast.Call(func=func)) if getattr(func, "attr", "") not in _SILENT:
            yield "call is dropped"
        case ast.Raise(exc=exc) if exc is not None:
            yield "raise is dropped"
        case ast.AugAssign():
            yield "assignment is dropped"
        case ast.Continue() | ast.Break():
            yield "is dropped"
        case ast.Set(elts=[_, *_]):
            yield "last element is dropped"


def _is_text(node: ast.BinOp) -> bool:
    return any(isinstance(side, ast.JoinedStr) or _is_string(side) for side in (node.left, node.right))


def _is_string(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_nothing(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def mutants_of(source: str) -> list[Mutant]:
    """Every change that can be made."""
    places = _Places()
    places.visit(ast.parse(source))
    return [
        Mutant(number, _line(node), f"{what}: {_shown(node)}")
        for number, (node, what) in enumerate(places.found)
    ]


def _line(node: ast.AST) -> int:
    """Where a test must come by: at the condition, not at what it chooses or at its parenthesis."""
    return getattr(getattr(node, "test", node), "lineno", 0)


def _shown(node: ast.AST) -> str:
    text = ast.unparse(getattr(node, "test", node)).partition("\n")[0]
    return text if len(text) <= 70 else f"{text[:70]} ..."


def mutated(source: str, number: int) -> ast.Module:
    """The tree with that one change made."""
    tree = ast.parse(source)
    places = _Places()
    places.visit(tree)
    node, what = places.found[number]
    return ast.fix_missing_locations(_Replace(node, _changed(node, what)).visit(tree))


class _Replace(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self._old = old
        self._new = new

    def visit(self, node: ast.AST) -> ast.AST:
        if node is self._old:
            return ast.copy_location(self._new, node)
        return self.generic_visit(node)


def _changed(node: ast.AST, what: str) -> ast.AST:
    new = copy.copy(node)
    match new:
        case ast.Compare():
            new.ops = [_COMPARED[type(new.ops[0])](), *new.ops[1:]]
        case ast.BoolOp():
            new.op = ast.Or() if isinstance(new.op, ast.And) else ast.And()
        case ast.UnaryOp():
            return new.operand
        case ast.BinOp():
            new.op = _COMPUTED[type(new.op)]()
        case ast.Constant(value=bool()):
            new.value = not new.value
        case ast.Constant(value=int()):
            new.value += 1
        case ast.If() | ast.IfExp() | ast.While():
            new.test = ast.Constant(what.endswith("True"))
        case ast.Return():
            new.value = ast.Constant(None)
        case ast.Set():
            new.elts = new.elts[:-1]
        case _:
            return ast.Pass()
    return new

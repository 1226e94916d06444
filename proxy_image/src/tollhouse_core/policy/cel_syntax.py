"""The shape of a CEL expression: text to a small tree.

The `cel` package runs expressions but shows no tree, and a policy engine must know before it runs
one which variables, fields and functions it names. This reader follows the grammar of the CEL
language definition (github.com/google/cel-spec, doc/langdef.md, "Syntax"), without message
construction, backquoted and optional fields. What it does not know it refuses; what it accepts
the package must accept too (`conditions` asks both).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_DEPTH = 40
"""Of parentheses and the like, which the reader follows by recursion."""

MAX_HEIGHT = 100
"""Of the tree, which its readers follow by recursion: `a + b + c + ...` grows it too."""


class CelSyntaxError(Exception):
    """Not an expression. `position` is the 0-based character offset."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant as written. `type` is bool, int, uint, double, string, bytes or null."""

    type: str
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Name:
    """A variable."""

    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Select:
    """operand.field"""

    operand: Node
    field: str
    at: int


@dataclass(frozen=True, slots=True)
class Index:
    """operand[index]"""

    operand: Node
    index: Node
    at: int


@dataclass(frozen=True, slots=True)
class Call:
    """function(arguments) or target.function(arguments), macros included."""

    function: str
    target: Node | None
    arguments: tuple[Node, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator and its operands; `?:` has three, `!` and unary `-` one."""

    symbol: str
    operands: tuple[Node, ...]
    at: int


@dataclass(frozen=True, slots=True)
class ListOf:
    """[a, b]"""

    items: tuple[Node, ...]
    at: int


@dataclass(frozen=True, slots=True)
class MapOf:
    """{k: v}"""

    items: tuple[tuple[Node, Node], ...]
    at: int


Node = Literal | Name | Select | Index | Call | Operator | ListOf | MapOf

_TOKEN = re.compile(
    r"""
    (?P<space>(?:[ \t\r\n\f]|//[^\n]*)+)
  | (?P<string>(?i:rb|br|r|b)?(?:\"\"\"|'''|"|'))
  | (?P<double>[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|\.[0-9]+(?:[eE][+-]?[0-9]+)?)
  | (?P<int>(?:0x[0-9a-fA-F]+|[0-9]+)(?P<unsigned>[uU])?)
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<symbol>&&|\|\||<=|>=|==|!=|[-+*/%<>!?:.,()\[\]{}])
    """,
    re.VERBOSE,
)

RESERVED = frozenset(
    [
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ]
)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def parse(text: str) -> Node:
    """The tree of an expression. Raises CelSyntaxError."""
    return _Reader(_tokens(text), len(text)).whole()


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise CelSyntaxError(f"unexpected character {text[at]!r}", at)
        kind = match.lastgroup or ""
        end = match.end()
        if match["string"] is not None:
            kind, end = "string", _string_end(text, match)
        elif match["int"] is not None:
            kind = "uint" if match["unsigned"] else "int"
        if kind != "space":
            tokens.append(_Token(kind, text[at:end], at))
        at = end
    return tokens


def _string_end(text: str, opening: re.Match[str]) -> int:
    """Where the string literal that opens there ends."""
    mark = opening["string"]
    quote = mark.lstrip("rRbB")
    raw = "r" in mark[: len(mark) - len(quote)].lower()
    at = opening.end()
    while at < len(text):
        if text.startswith(quote, at):
            return at + len(quote)
        if text[at] == "\\" and not raw:
            at += 1
        elif text[at] in "\r\n" and len(quote) == 1:
            break
        at += 1
    raise CelSyntaxError("the string does not end", opening.start())


_LEVELS: tuple[frozenset[str], ...] = (
    frozenset({"||"}),
    frozenset({"&&"}),
    frozenset({"<", "<=", ">", ">=", "==", "!=", "in"}),
    frozenset({"+", "-"}),
    frozenset({"*", "/", "%"}),
)


class _Reader:
    """Recursive descent, one method for each level of the grammar."""

    def __init__(self, tokens: list[_Token], end: int) -> None:
        self._tokens = tokens
        self._next = 0
        self._end = _Token("end", "", end)
        self._depth = 0
        self._heights: dict[int, int] = {}

    def _grown(self, node: Node, *children: Node) -> Node:
        """The node, unless the tree becomes too high. (Children live on in it, so ids stay theirs.)"""
        height = 1 + max((self._heights.get(id(child), 1) for child in children), default=0)
        if height > MAX_HEIGHT:
            raise CelSyntaxError(f"more than {MAX_HEIGHT} steps in one chain: make two rules of it", node.at)
        self._heights[id(node)] = height
        return node

    def whole(self) -> Node:
        node = self._expression()
        if self._peek().kind != "end":
            raise CelSyntaxError(f"unexpected {self._peek().text!r}", self._peek().at)
        return node

    def _peek(self) -> _Token:
        return self._tokens[self._next] if self._next < len(self._tokens) else self._end

    def _take(self) -> _Token:
        token = self._peek()
        self._next += 1
        return token

    def _accept(self, *texts: str) -> _Token | None:
        token = self._peek()
        if token.kind in {"symbol", "name"} and token.text in texts:
            return self._take()
        return None

    def _expect(self, text: str) -> _Token:
        token = self._accept(text)
        if token is None:
            found = repr(self._peek().text) if self._peek().text else "the end"
            raise CelSyntaxError(f"expected {text!r}, found {found}", self._peek().at)
        return token

    def _expression(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise CelSyntaxError(f"nested more than {MAX_DEPTH} deep", self._peek().at)
        node = self._binary(0)
        mark = self._accept("?")
        if mark is not None:
            chosen = self._binary(0)
            self._expect(":")
            other = self._expression()
            node = self._grown(Operator("?:", (node, chosen, other), mark.at), node, chosen, other)
        self._depth -= 1
        return node

    def _binary(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._unary()
        node = self._binary(level + 1)
        while (mark := self._accept(*_LEVELS[level])) is not None:
            other = self._binary(level + 1)
            node = self._grown(Operator(mark.text, (node, other), mark.at), node, other)
        return node

    def _unary(self) -> Node:
        marks: list[_Token] = []
        while (mark := self._accept("!", "-")) is not None:
            marks.append(mark)
        if len({mark.text for mark in marks}) > 1:
            raise CelSyntaxError("'!' and '-' cannot be mixed", marks[0].at)
        node = self._member()
        # An even number of signs is none, as in the package (which reads `---1` as -1).
        if len(marks) % 2 == 0:
            return node
        return self._grown(Operator(marks[0].text, (node,), marks[0].at), node)

    def _member(self) -> Node:
        node = self._primary()
        while True:
            if self._accept("."):
                name = self._name()
                opening = self._accept("(")
                if opening is None:
                    node = self._grown(Select(node, name.text, name.at), node)
                else:
                    items = self._items(")")
                    node = self._grown(Call(name.text, node, items, name.at), node, *items)
            elif (opening := self._accept("[")) is not None:
                index = self._expression()
                node = self._grown(Index(node, index, opening.at), node, index)
                self._expect("]")
            else:
                return node

    def _name(self) -> _Token:
        token = self._take()
        if token.kind != "name" or token.text in RESERVED or token.text in {"in", "true", "false", "null"}:
            raise CelSyntaxError(f"expected a name, found {token.text!r}", token.at)
        return token

    def _items(self, closing: str) -> tuple[Node, ...]:
        items: list[Node] = []
        while not self._accept(closing):
            if items:
                self._expect(",")
                if closing == "]" and self._accept(closing):
                    break
            items.append(self._expression())
        return tuple(items)

    def _primary(self) -> Node:
        token = self._take()
        match token.kind:
            case "string":
                prefix = token.text[: min(token.text.find('"') % 99, token.text.find("'") % 99)].lower()
                return Literal("bytes" if "b" in prefix else "string", token.text, token.at)
            case "int" | "uint" | "double":
                return Literal(token.kind, token.text, token.at)
            case "name" if token.text in {"true", "false"}:
                return Literal("bool", token.text, token.at)
            case "name" if token.text == "null":
                return Literal("null", token.text, token.at)
            case "name" if token.text not in RESERVED and token.text != "in":
                if self._accept("("):
                    items = self._items(")")
                    return self._grown(Call(token.text, None, items, token.at), *items)
                return Name(token.text, token.at)
            case "symbol" if token.text == "(":
                node = self._expression()
                self._expect(")")
                return node
            case "symbol" if token.text == "[":
                items = self._items("]")
                return self._grown(ListOf(items, token.at), *items)
            case "symbol" if token.text == "{":
                return self._map(token)
            case _:
                found = repr(token.text) if token.text else "the end"
                raise CelSyntaxError(f"expected an expression, found {found}", token.at)

    def _map(self, opening: _Token) -> Node:
        items: list[tuple[Node, Node]] = []
        while not self._accept("}"):
            if items:
                self._expect(",")
                if self._accept("}"):
                    break
            key = self._expression()
            self._expect(":")
            items.append((key, self._expression()))
        parts = [part for item in items for part in item]
        return self._grown(MapOf(tuple(items), opening.at), *parts)

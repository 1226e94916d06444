"""Which types a CEL expression has, and what it reads.

The checker knows the variables of the policy language, the fields they have, and the functions
the `cel` package runs. It refuses what can never work (an unknown name, a comparison of a number
with a text, a function that does not exist), and it notes every variable that is read, so that the
engine knows before it runs a condition what its answer depends on.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tollhouse_core.policy.cel_syntax import (
    Call,
    Index,
    ListOf,
    Literal,
    MapOf,
    Name,
    Node,
    Operator,
    Select,
)


@dataclass(frozen=True, slots=True)
class CelType:
    """A type. `item` is a list's element or a map's value; `fields` are an object's."""

    name: str
    item: CelType | None = None
    fields: Mapping[str, CelType] | None = None
    nullable: bool = False
    values: frozenset[str] = frozenset()
    """For a string that can only be one of these."""

    def __str__(self) -> str:
        return f"{self.name}({self.item})" if self.name == "list" and self.item else self.name


BOOL = CelType("bool")
INT = CelType("int")
UINT = CelType("uint")
DOUBLE = CelType("double")
STRING = CelType("string")
BYTES = CelType("bytes")
NULL = CelType("null")
TIMESTAMP = CelType("timestamp")
DURATION = CelType("duration")
DYN = CelType("dyn")
CLAIMS = CelType("map", item=DYN)


def list_of(item: CelType) -> CelType:
    """list(item)"""
    return CelType("list", item=item)


def object_of(fields: Mapping[str, CelType], *, nullable: bool = False) -> CelType:
    """An object with exactly these fields."""
    return CelType("object", fields=fields, nullable=nullable)


_PLAIN_TEXT = re.compile(r"""(['"])([^'"\\]*)\1""")
_BY_NAME = {t.name: t for t in (BOOL, INT, UINT, DOUBLE, STRING, BYTES, NULL)}
_NUMBERS = frozenset({"int", "uint", "double"})
_ORDERED = _NUMBERS | {"string", "bytes", "timestamp", "duration", "bool"}
_TIME_PARTS = frozenset(
    [
        "getFullYear",
        "getMonth",
        "getDate",
        "getDayOfMonth",
        "getDayOfWeek",
        "getDayOfYear",
        "getHours",
        "getMinutes",
        "getSeconds",
        "getMilliseconds",
    ]
)
_DURATION_PARTS = frozenset({"getHours", "getMinutes", "getSeconds", "getMilliseconds"})
_TEXT_TESTS = frozenset({"contains", "startsWith", "endsWith", "matches"})
_JOINED = frozenset({"string", "bytes", "list", "duration"})
_SIZED = frozenset({"string", "bytes", "list", "map"})
_CONVERSIONS: Mapping[str, tuple[CelType, frozenset[str]]] = {
    "int": (INT, _NUMBERS | {"string"}),
    "uint": (UINT, _NUMBERS | {"string"}),
    "double": (DOUBLE, _NUMBERS | {"string"}),
    "string": (STRING, _NUMBERS | {"string", "bytes", "bool", "timestamp", "duration"}),
    "bytes": (BYTES, frozenset({"string", "bytes"})),
    "timestamp": (TIMESTAMP, frozenset({"string", "timestamp"})),
    "duration": (DURATION, frozenset({"string", "duration"})),
}
_LOOPS = frozenset({"all", "exists", "exists_one", "map", "filter"})
MACROS = _LOOPS | {"has"}
FUNCTIONS = frozenset(_CONVERSIONS) | _TIME_PARTS | _TEXT_TESTS | MACROS | {"size", "dyn"}
MAX_LOOPS_NESTED = 2
MAX_LOOPS = 8


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with an expression. `position` is a 0-based character offset."""

    message: str
    position: int


@dataclass(slots=True)
class Findings:
    """`reads` holds dotted paths: "operation.text", "identity.claims.tenant", "now"."""

    mistakes: list[Mistake] = field(default_factory=list)
    reads: Counter[str] = field(default_factory=Counter)
    patterns: list[Literal] = field(default_factory=list)
    zones: list[Literal] = field(default_factory=list)
    names: set[str] = field(default_factory=set)


def check(tree: Node, variables: Mapping[str, CelType]) -> tuple[CelType, Findings]:
    """The expression's type and what was found on the way."""
    checker = _Checker(variables)
    return checker.type_of(tree), checker.findings


def nearest(name: str, known: Iterable[str]) -> str:
    """ " (did you mean x?)", or which names there are."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f" (did you mean {close[0]}?)" if close else f" (known: {', '.join(names)})"


class _Checker:
    def __init__(self, variables: Mapping[str, CelType]) -> None:
        self._variables = variables
        self._bound: dict[str, CelType] = {}
        self._loops = 0
        self.findings = Findings()

    def _wrong(self, message: str, at: int) -> CelType:
        self.findings.mistakes.append(Mistake(message, at))
        return DYN

    def type_of(self, node: Node) -> CelType:
        match node:
            case Literal():
                return _BY_NAME[node.type]
            case Name():
                return self._name(node)
            case Select():
                return self._select(node)
            case Index():
                return self._index(node)
            case Call():
                return self._call(node)
            case Operator():
                return self._operator(node)
            case ListOf():
                return list_of(_common(self.type_of(item) for item in node.items))
            case MapOf():
                for key, _ in node.items:
                    self.type_of(key)
                return CelType("map", item=_common(self.type_of(value) for _, value in node.items))

    def _name(self, node: Name) -> CelType:
        if node.name in self._bound:
            return self._bound[node.name]
        kind = self._variables.get(node.name)
        if kind is None:
            return self._wrong(f'unknown name "{node.name}"' + nearest(node.name, self._variables), node.at)
        self.findings.names.add(node.name)
        if kind.fields is None:
            self.findings.reads[node.name] += 1
        return kind

    def _select(self, node: Select) -> CelType:
        path = self._path(node.operand)
        operand = self.type_of(node.operand)
        if operand.fields is not None:
            kind = operand.fields.get(node.field)
            if kind is None:
                prefix = f"{path}." if path else ""
                return self._wrong(
                    f'unknown name "{prefix}{node.field}"' + nearest(node.field, operand.fields), node.at
                )
            if path and (kind.fields is None or kind.nullable):
                self.findings.reads[f"{path}.{node.field}"] += 1
            return kind
        if operand.name == "map":
            if path:
                # A key written out is what is read here, not the whole map around it.
                self.findings.reads[path] -= 1
                self.findings.reads[f"{path}.{node.field}"] += 1
            return operand.item or DYN
        if operand.name == "dyn":
            return DYN
        return self._wrong(f'"{node.field}" is no field of a {operand}', node.at)

    def _path(self, node: Node) -> str:
        """The dotted path of a variable's field, "" for anything else."""
        match node:
            case Name(name=name) if name not in self._bound:
                return name
            case Select(operand=operand, field=name) if path := self._path(operand):
                return f"{path}.{name}"
            case _:
                return ""

    def _index(self, node: Index) -> CelType:
        operand, index = self.type_of(node.operand), self.type_of(node.index)
        if operand.fields is not None:
            return self._wrong("write a field as .name, not in brackets", node.at)
        if operand.name == "list" and index.name not in _NUMBERS | {"dyn"}:
            return self._wrong(f"a list is indexed by an int, not by a {index}", node.at)
        if operand.name not in {"list", "map", "dyn"}:
            return self._wrong(f"a {operand} cannot be indexed", node.at)
        return operand.item or DYN

    def _operator(self, node: Operator) -> CelType:
        kinds = tuple(self.type_of(operand) for operand in node.operands)
        match node.symbol:
            case "&&" | "||" | "!":
                self._need_bool(node, kinds)
                return BOOL
            case "?:":
                self._need_bool(node, kinds[:1])
                return _common(kinds[1:])
            case "==" | "!=":
                return self._equality(node, kinds)
            case "in":
                return self._membership(node, kinds)
            case "<" | "<=" | ">" | ">=":
                one, other = kinds
                if not _ordered(one, other):
                    self._wrong(f"{one} and {other} cannot be compared with {node.symbol}", node.at)
                return BOOL
            case _:
                return self._arithmetic(node, kinds)

    def _need_bool(self, node: Operator, kinds: Iterable[CelType]) -> None:
        for kind in kinds:
            if kind.name not in {"bool", "dyn"}:
                self._wrong(f"{node.symbol} needs a bool, found a {kind}", node.at)

    def _equality(self, node: Operator, kinds: tuple[CelType, ...]) -> CelType:
        one, other = kinds
        if any(kind.fields is not None and not kind.nullable for kind in kinds):
            self._wrong("an object cannot be compared: name one of its fields", node.at)
        elif not _equatable(one, other):
            self._wrong(f"{one} and {other} are never equal", node.at)
        for kind, literal in ((one, node.operands[1]), (other, node.operands[0])):
            self._one_of(kind, literal)
        return BOOL

    def _one_of(self, kind: CelType, literal: Node) -> None:
        if not kind.values or not isinstance(literal, Literal):
            return
        plain = _PLAIN_TEXT.fullmatch(literal.text)
        if plain is not None and plain[2] not in kind.values:
            ask = nearest(plain[2], kind.values)
            self._wrong(f"{literal.text} is never the value here{ask}", literal.at)

    def _membership(self, node: Operator, kinds: tuple[CelType, ...]) -> CelType:
        item, holder = kinds
        if holder.name not in {"list", "map", "dyn"}:
            self._wrong(f"in needs a list or a map, found a {holder}", node.at)
        elif holder.name == "list" and holder.item is not None and not _equatable(item, holder.item):
            self._wrong(f"a {item} is never in a {holder}", node.at)
        elif holder.name == "map" and item.name not in {"string", "dyn"}:
            self._wrong(f"a {item} is never a key here", node.at)
        if isinstance(node.operands[1], ListOf):
            for literal in node.operands[1].items:
                self._one_of(item, literal)
        return BOOL

    def _arithmetic(self, node: Operator, kinds: tuple[CelType, ...]) -> CelType:
        names = {kind.name for kind in kinds}
        if "dyn" in names:
            return DYN
        if len(kinds) == 1:
            if names <= {"int", "double"}:
                return kinds[0]
            return self._wrong(f"- needs a number, found a {kinds[0]}", node.at)
        one, other = kinds
        if one.name == other.name and one.name in _NUMBERS:
            return one
        if node.symbol == "+" and one.name == other.name and one.name in _JOINED:
            return one
        match node.symbol, one.name, other.name:
            case "+", "timestamp", "duration":
                return TIMESTAMP
            case "+", "duration", "timestamp":
                return TIMESTAMP
            case "-", "timestamp", "timestamp":
                return DURATION
            case "-", "timestamp", "duration":
                return TIMESTAMP
            case "-", "duration", "duration":
                return DURATION
        return self._wrong(f"{node.symbol} is not defined for {one} and {other}", node.at)

    def _call(self, node: Call) -> CelType:
        if node.function in _LOOPS and node.target is not None:
            return self._loop(node, node.target)
        if node.function == "has" and node.target is None:
            return self._has(node)
        target = self.type_of(node.target) if node.target is not None else None
        arguments = tuple(self.type_of(argument) for argument in node.arguments)
        if node.function in _TIME_PARTS and target is not None:
            return self._time_part(node, target, arguments)
        if node.function in _TEXT_TESTS and target is not None:
            return self._text_test(node, target, arguments)
        values = (target, *arguments) if target is not None else arguments
        if node.function == "size" and len(values) == 1:
            return self._converted(node, values[0], INT, _SIZED)
        if node.function == "dyn" and target is None and len(values) == 1:
            return DYN
        if node.function in _CONVERSIONS and target is None and len(values) == 1:
            result, accepted = _CONVERSIONS[node.function]
            return self._converted(node, values[0], result, accepted)
        if node.function in FUNCTIONS:
            return self._wrong(f"{node.function} is not called like this", node.at)
        return self._wrong(f'unknown function "{node.function}"' + nearest(node.function, FUNCTIONS), node.at)

    def _converted(self, node: Call, value: CelType, result: CelType, accepted: frozenset[str]) -> CelType:
        if value.name not in accepted | {"dyn"}:
            self._wrong(f"{node.function} is not defined for a {value}", node.at)
        return result

    def _time_part(self, node: Call, target: CelType, arguments: tuple[CelType, ...]) -> CelType:
        if target.name == "duration" and (arguments or node.function not in _DURATION_PARTS):
            self._wrong(f"{node.function} is not called like this on a duration", node.at)
        elif target.name not in {"timestamp", "duration", "dyn"}:
            self._wrong(f"{node.function} needs a timestamp, found a {target}", node.at)
        if arguments and (len(arguments) > 1 or not _is_text(node.arguments[0])):
            self._wrong(f'{node.function} takes a time zone like "Europe/Berlin" or nothing', node.at)
        elif arguments and isinstance(node.arguments[0], Literal):
            self.findings.zones.append(node.arguments[0])
        return INT

    def _text_test(self, node: Call, target: CelType, arguments: tuple[CelType, ...]) -> CelType:
        if target.name not in {"string", "dyn"}:
            self._wrong(f"{node.function} needs a string, found a {target}", node.at)
        if len(arguments) != 1 or arguments[0].name not in {"string", "dyn"}:
            self._wrong(f"{node.function} takes one string", node.at)
        elif node.function == "matches":
            if _is_text(node.arguments[0]) and isinstance(node.arguments[0], Literal):
                self.findings.patterns.append(node.arguments[0])
            else:
                self._wrong("matches takes a pattern written here, not one from elsewhere", node.at)
        return BOOL

    def _has(self, node: Call) -> CelType:
        if len(node.arguments) != 1 or not isinstance(node.arguments[0], Select):
            return self._wrong("has takes a field, as in has(identity.claims.tenant)", node.at)
        chosen = node.arguments[0]
        before = len(self.findings.mistakes)
        self.type_of(chosen)
        if len(self.findings.mistakes) == before and self._declared(chosen):
            self._wrong(f"has is for claims; {chosen.field} is always there (compare with null)", node.at)
        return BOOL

    def _declared(self, node: Select) -> bool:
        """Whether it is a field that the variables declare, and so no key of a map."""
        root, *fields = self._path(node).split(".")
        kind = self._variables.get(root)
        for name in fields:
            kind = (kind.fields or {}).get(name) if kind else None
        return kind is not None

    def _loop(self, node: Call, target: Node) -> CelType:
        holder = self.type_of(target)
        if holder.name not in {"list", "map", "dyn"}:
            return self._wrong(f"{node.function} needs a list, found a {holder}", node.at)
        counts = {2, 3} if node.function == "map" else {2}
        if len(node.arguments) not in counts or not isinstance(node.arguments[0], Name):
            return self._wrong(f"{node.function} takes a name and a condition", node.at)
        name = node.arguments[0].name
        if name in self._variables or name in self._bound:
            return self._wrong(f'"{name}" has a meaning already: choose another name', node.at)
        self._loops += 1
        if len(self._bound) >= MAX_LOOPS_NESTED or self._loops > MAX_LOOPS:
            return self._wrong("too many loops for one condition", node.at)
        self._bound[name] = (holder.item or DYN) if holder.name == "list" else DYN
        bodies = tuple(self.type_of(body) for body in node.arguments[1:])
        del self._bound[name]
        tests = bodies[:-1] if node.function == "map" else bodies
        for test in tests:
            if test.name not in {"bool", "dyn"}:
                self._wrong(f"{node.function} needs a bool, found a {test}", node.at)
        if node.function == "map":
            return list_of(bodies[-1])
        return holder if node.function == "filter" else BOOL


def _is_text(node: Node) -> bool:
    return isinstance(node, Literal) and node.type == "string"


def _common(kinds: Iterable[CelType]) -> CelType:
    found = list(kinds)
    if found and all(kind.name == found[0].name for kind in found):
        return found[0]
    return DYN


def _equatable(one: CelType, other: CelType) -> bool:
    names = {one.name, other.name}
    if "dyn" in names or len(names) == 1 or names <= _NUMBERS:
        return True
    nullable = one.nullable or other.nullable or "map" in names
    return "null" in names and nullable


def _ordered(one: CelType, other: CelType) -> bool:
    names = {one.name, other.name}
    if "dyn" in names:
        return True
    return names <= _NUMBERS or (len(names) == 1 and names <= _ORDERED)

"""Judging function calls, operators and casts."""

from __future__ import annotations

from tollhouse_core.operation import Access, AccessKind, Verb

from .builtins import (
    COUNTING_FUNCTIONS,
    OPAQUE_FUNCTIONS,
    REVEALING_FUNCTIONS,
    SAFE_FUNCTIONS,
    TRUSTED_EXTENSIONS,
)
from .catalog import PG_CATALOG, Function, Relation
from .findings import Findings, parents
from .names import Names
from .nodes import Body, constant, strings, wrapped
from .session_settings import command_for, normal
from .statement import NotUnderstood

_COMPOSITE_PSEUDO = frozenset({2249, 2276, 2283, 2776, 5077})
"""record, any, anyelement, anynonarray, anycompatible: types that a row may be given to."""


def trusted(function: Function) -> bool:
    """Whether it belongs to an extension that computes on its arguments alone."""
    return function.extension in TRUSTED_EXTENSIONS and function.language in ("c", "internal", "sql")


def judge_call(body: Body, names: Names, found: Findings) -> None:
    """A FuncCall node. Raises NotUnderstood (42883) for a function that does not exist."""
    parts = strings(body.get("funcname"))
    if not parts:
        raise NotUnderstood("a function call without a name")
    arguments = body.get("args", [])
    count = None if body.get("func_variadic") else len(arguments)
    judge_name(parts, count, names, found, body.get("location"), sum(map(_may_be_void, arguments)))
    if parts[-1] in _ARGUMENT_JUDGES and parts[-1] in names.catalog.builtin_functions:
        found.sensitive = True
        if parts[-1] in COUNTING_FUNCTIONS:
            found.count_calls.append(body)
        _ARGUMENT_JUDGES[parts[-1]](arguments, found, names)


def _may_be_void(argument: Body) -> bool:
    """Whether it is a parameter: bound as void, the server leaves it out. So drivers write what a function
    gives by OUT parameters (`{call f(?, ?)}` of JDBC)."""
    kind, body = wrapped(argument)
    while kind == "TypeCast":
        kind, body = wrapped(body["arg"])
    return kind == "ParamRef"


def judge_name(
    parts: tuple[str, ...],
    count: int | None,
    names: Names,
    found: Findings,
    position: int | None,
    void: int = 0,
) -> None:
    """A function by name and number of arguments (None: unknown; the server may leave out `void` of them)."""
    name = parts[-1]
    found.called.add(name)
    builtin, candidates = names.functions(parts, count, void)
    if not builtin and not candidates:
        if len(parts) == 1 and count == 1:
            return  # functional notation: email(c) is the column c.email, or an error of the server
        shown = ".".join(parts)
        raise NotUnderstood(
            f"function {shown} does not exist",
            "No function of that name takes that many arguments.",
            "42883",
            position,
        )
    if len(parts) == 1:
        found.functions.add(name)
    if builtin:
        _judge_builtin(name, found, names)
    for function in candidates:
        judge_function(function, found)


def _judge_builtin(name: str, found: Findings, names: Names) -> None:
    if name in SAFE_FUNCTIONS or name in _ARGUMENT_JUDGES:
        return
    if name.startswith("pg_stat_get_"):
        found.counts = found.counts_all = found.counts_unseen = True
    if name in OPAQUE_FUNCTIONS:
        found.opaque(f"function {PG_CATALOG}.{name}")
        return
    if name in REVEALING_FUNCTIONS:
        found.everything = True
    if not name.startswith("_pg_"):
        # A policy that says `pg_sleep` without a schema means this one.
        found.function(PG_CATALOG, name, ((names.settings.default_schema, name),))


def judge_function(function: Function, found: Findings) -> None:
    """A function outside pg_catalog."""
    if function.name in OPAQUE_FUNCTIONS:
        found.opaque(f"function {function.schema}.{function.name}")
        return
    if function.name in REVEALING_FUNCTIONS:
        found.everything = True
    if not trusted(function):
        found.function(*function.path)


def judge_attribute(name: str, names: Names, found: Findings) -> None:
    """`(x).name` where no column is known: the same as name(x) if such a function exists."""
    builtin, candidates = names.functions((name,), 1)
    if builtin:
        _judge_builtin(name, found, names)
    if builtin and name in COUNTING_FUNCTIONS:
        found.counts = found.counts_all = found.counts_unseen = True
    for function in candidates:
        first = function.arguments[0] if function.arguments else 0
        kind = names.catalog.type(first)
        if first in _COMPOSITE_PSEUDO or kind is None or kind.kind in ("c", "p", "d") or builtin:
            judge_function(function, found)


def judge_operators(names: Names, found: Findings) -> None:
    """Operators and casts outside pg_catalog that the statement may use, once all types are known."""
    present = _present_types(names, found)
    for parts in found.operators:
        for operator in names.operators(parts):
            function = names.catalog.function(operator.function)
            if function is None or trusted(function):
                continue
            operands = {oid for oid in (operator.left, operator.right) if oid}
            foreign = {oid for oid in operands if _foreign(oid, names)}
            if not foreign or foreign & present or found.parameters:
                judge_function(function, found)
    for source, target, function_oid, _ in names.catalog.casts:
        function = names.catalog.function(function_oid)
        if function is None or trusted(function):
            continue
        foreign = {oid for oid in (source, target) if _foreign(oid, names)}
        if (not foreign or foreign & present) and (foreign or {source, target} & present):
            judge_function(function, found)


def may_apply(oids: tuple[int, ...], names: Names, found: Findings) -> bool:
    """Whether an operator or function over these types can be meant by what was found: by its types
    alone, or because a type of its own that it takes is present."""
    foreign = {oid for oid in oids if oid and _foreign(oid, names)}
    return not foreign or bool(foreign & _present_types(names, found))


def _foreign(oid: int, names: Names) -> bool:
    kind = names.catalog.type(oid)
    return kind is None or kind.schema != PG_CATALOG


def _present_types(names: Names, found: Findings) -> set[int]:
    present = set(found.type_oids)
    for relation in found.relations.values():
        present.update(column.type for column in names.catalog.columns(relation.oid))
    for oid in tuple(present):
        kind = names.catalog.type(oid)
        while kind is not None and (kind.element or kind.kind == "d"):
            oid = kind.element or kind.base
            present.add(oid)
            kind = names.catalog.type(oid)
    return present


# -- calls that are judged by their arguments ------------------------------------------------


def _set_config(arguments: list[Body], found: Findings, _names: Names) -> None:
    name = _text(arguments[0]) if arguments else None
    if arguments and strings(arguments[0].get("ColumnRef", {}).get("fields")) == ("name",):
        name = found.setting_row
    if not isinstance(name, str):
        raise NotUnderstood(
            "set_config needs the setting's name as a constant", "Write SET, or name the setting literally."
        )
    value = _text(arguments[1]) if len(arguments) > 1 else None
    text = value if isinstance(value, str) else None
    tag = command_for(name, text)
    if tag:
        found.command(tag, Verb.ADMIN, (normal(name),))
    found.settings.append((normal(name), text, True))


def _nextval(arguments: list[Body], found: Findings, names: Names) -> None:
    """It changes the sequence for everybody: whoever may insert where it belongs, or into itself."""
    if found.defining:
        return  # a DEFAULT is judged by the right to write to its table
    relation = _named_relation(arguments[0] if arguments else None, names)
    if relation is None:
        found.function(PG_CATALOG, "nextval")
        return
    owner = names.catalog.relation(names.catalog.sequence_owner(relation.oid) or 0)
    also = () if owner is None else (owner.path, *(one.path for one in parents(owner, names.catalog)))
    found.add(Access(Verb.WRITE, AccessKind.TABLE, "Insert", relation.path, also))
    found.resource(relation, names.catalog)


def _size(arguments: list[Body], found: Findings, names: Names) -> None:
    """Of a relation that is named, or of any: its size, or the counts of its statistics."""
    found.counts = True
    relation = _named_relation(arguments[0] if arguments else None, names)
    if relation is not None and relation.kind != "S":
        found.resource(relation, names.catalog)
    else:
        found.counts_all = True


def _setval(arguments: list[Body], found: Findings, names: Names) -> None:
    relation = _named_relation(arguments[0] if arguments else None, names)
    if relation is None:
        found.function(PG_CATALOG, "setval")
        return
    found.table(relation, "Update", names.catalog)


def _named_relation(node: Body | None, names: Names) -> Relation | None:
    """The relation a regclass constant or pg_get_serial_sequence('table', ...) speaks of."""
    text = _text(node)
    if text is None and node:
        kind, body = wrapped(node)
        while kind == "TypeCast" and body.get("arg") and _keeps_text(body):
            kind, body = wrapped(body["arg"])
        if kind == "FuncCall" and strings(body.get("funcname"))[-1:] == ("pg_get_serial_sequence",):
            text = _text(body["args"][0]) if body.get("args") else None
    if text is None or len(text.encode()) > _NAME_BYTES or not text.isascii() or text.strip().isdigit():
        return None  # the server cuts long names, folds by its locale and reads digits as an oid
    parts = split_name(text)
    return names.find(parts[-2] if len(parts) > 1 else None, parts[-1]) if parts else None


_NAME_BYTES = 63
_TEXT_TYPES = frozenset({"text", "varchar", "regclass", "unknown", "cstring"})


def _text(node: Body | None) -> str | None:
    """The text of a constant that reaches the function as it is written."""
    while node and "TypeCast" in node:
        if not _keeps_text(node["TypeCast"]):
            return None
        node = node["TypeCast"].get("arg")
    value = constant(node)
    return value if isinstance(value, str) and node and "sval" in node.get("A_Const", {}) else None


def _keeps_text(cast: Body) -> bool:
    """Whether a cast hands a text on unchanged: char(3) and name cut it."""
    kind = cast.get("typeName", {})
    parts = strings(kind.get("names"))
    plain = len(parts) == 1 or parts[:1] == (PG_CATALOG,)
    return plain and parts[-1] in _TEXT_TYPES and not {"typmods", "arrayBounds"} & set(kind)


def split_name(text: str) -> tuple[str, ...]:
    """A qualified name inside a literal, folded as SQL folds it: `shop."Orders"`."""
    parts: list[str] = []
    word, quoted, index, was_quoted = "", False, 0, False
    while index < len(text):
        char = text[index]
        if char == '"':
            if quoted and text[index + 1 : index + 2] == '"':
                word += '"'
                index += 1
            else:
                quoted = not quoted
                was_quoted = True
        elif char == "." and not quoted:
            parts.append(word if was_quoted else word.strip().lower())
            word, was_quoted = "", False
        else:
            word += char if quoted else char.lower()
        index += 1
    parts.append(word if was_quoted else word.strip())
    return tuple(parts) if all(parts) else ()


def _notify(_arguments: list[Body], found: Findings, _names: Names) -> None:
    found.command("NOTIFY", Verb.EXECUTE)


_ARGUMENT_JUDGES = {
    "set_config": _set_config,
    "setval": _setval,
    "nextval": _nextval,
    "pg_notify": _notify,
    **dict.fromkeys(COUNTING_FUNCTIONS, _size),
}

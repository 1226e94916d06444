"""Row filters as SQL text: identity values as constants, every name pinned to one object."""

from __future__ import annotations

from dataclasses import replace

from tollhouse_core.decision import RowFilter
from tollhouse_dialects.postgres.parse import SqlSyntaxError, parse

from .calls import trusted
from .catalog import PG_CATALOG, Relation
from .findings import Findings
from .names import Names
from .nodes import Body, strings, walk, wrapped
from .pinned import pinned, rivals
from .quoting import constant, name, relation_name
from .reader import Reader, Scope
from .statement import CannotRewrite, NotUnderstood
from .tokens import Tokens


def filter_sql(one: RowFilter, relation: Relation, names: Names) -> str:
    """The filter's condition, to be read where the relation's raw columns are in scope.

    Tables in sub-selects and functions are qualified as the Connection's default schema finds
    them. Raises CannotRewrite where the text cannot be read or the session's search_path could
    change what it means.
    """
    key = ("filter", relation.oid, one.where, repr(one.values), names.settings)
    known = names.catalog.memo.get(key)
    if isinstance(known, str):
        return known
    home = Names(names.catalog, replace(names.settings, search_path=(names.settings.default_schema,)))
    prefix = f"SELECT FROM {relation_name(relation)} WHERE ("
    text = f"{prefix}{one.where}\n)"
    try:
        for candidate in (f"SELECT WHERE {one.where}", text):  # by itself first: no parenthesis of ours helps
            statements = parse(candidate)
            if len(statements) != 1:
                raise CannotRewrite("a row filter must be one condition")
            kind, body = wrapped(statements[0].tree)
            if set(body) - {"fromClause", "whereClause", "limitOption", "op"}:
                raise CannotRewrite("a row filter must be one condition")
        found = Findings()
        reader = Reader(home, found)
        reader.statement(kind, body, Scope())
    except (SqlSyntaxError, NotUnderstood) as error:
        raise CannotRewrite(
            f'the row filter of "{".".join(relation.path)}" cannot be used: {error}'
        ) from None
    text, kind, body, found = _read_pinned(text, kind, body, found, home)
    check_unshadowed(found, names, home)
    made = _spliced(text, found, home, one, kind, body)[len(prefix) : -2]
    made = made[: Tokens(made).items[-1].end]  # a comment at its end would hide what comes behind
    if len(names.catalog.memo) < 4096:
        names.catalog.memo[key] = made
    return made


def _read_pinned(
    text: str, kind: str, body: Body, found: Findings, home: Names
) -> tuple[str, str, Body, Findings]:
    """The text with its built-ins pinned, read again."""
    fixed = pinned(text, kind, body, found, home)
    kind, body = wrapped(parse(fixed)[0].tree)
    again = Findings()
    Reader(home, again).statement(kind, body, Scope())
    return fixed, kind, body, again


def _spliced(
    text: str, found: Findings, home: Names, one: RowFilter, kind: str, body: dict[str, object]
) -> str:
    tokens = Tokens(text)
    edits: list[tuple[int, int, str]] = []
    for source in found.sources:
        index = tokens.at(source.location)
        end = tokens.items[tokens.name_end(index) - 1].end
        edits.append((tokens.items[index].start, end, relation_name(source.relation)))
    for node_kind, node in walk(kind, body):
        if node_kind == "FuncCall" and len(strings(node.get("funcname"))) == 1:
            _, candidates = home.functions(strings(node["funcname"]), None)
            builtin = strings(node["funcname"])[0] in home.catalog.builtin_functions
            if candidates and not builtin:
                index = tokens.at(node["location"])
                edits.append(
                    (tokens.items[index].start, tokens.items[index].start, name(candidates[0].schema) + ".")
                )
    for token in tokens.items:
        if token.kind == "PARAM":
            number = int(token.text[1:])
            if not 1 <= number <= len(one.values):
                raise CannotRewrite(f"a row filter has no value for ${number}")
            edits.append((token.start, token.end, constant(one.values[number - 1])))
    for start, end, replacement in sorted(edits, reverse=True):
        text = text[:start] + replacement + text[end:]
    return text


def check_unshadowed(found: Findings, names: Names, home: Names) -> None:
    """Raises CannotRewrite where the session's path finds other functions, operators or types, or the
    same ones in another order: those before pg_catalog win over built-ins."""
    before = frozenset(names.path[: names.path.index(PG_CATALOG)])
    for one in found.type_names:
        if names.type_named((one,)) != home.type_named((one,)):
            raise CannotRewrite(
                f'the type "{one}" means something else under this search_path',
                "Set the search_path back to its default.",
            )
    for one in found.functions:
        _, there = names.functions((one,), None)
        _, here = home.functions((one,), None)
        ahead = any(function.schema in before for function in there)
        gone = any(function not in there for function in rivals(here, home, found))
        if ahead or gone or any(function not in here and not trusted(function) for function in there):
            raise CannotRewrite(
                f'the function "{one}" means something else under this search_path',
                "Set the search_path back to its default.",
            )
    for parts in found.operators:
        if len(parts) > 1:
            continue
        here_operators, there_operators = home.operators(parts), names.operators(parts)
        gone = any(operator not in there_operators for operator in rivals(here_operators, home, found))
        for operator in there_operators or here_operators[:1]:
            function = names.catalog.function(operator.function)
            new = operator not in here_operators and (function is None or not trusted(function))
            if new or gone or operator.schema in before:
                raise CannotRewrite(
                    f'the operator "{parts[-1]}" means something else under this search_path',
                    "Set the search_path back to its default.",
                )


def filter_columns(one: RowFilter, relation: Relation, names: Names) -> frozenset[str]:
    """The relation's columns the filter may read. Raises CannotRewrite for a whole-row reference."""
    text = filter_sql(one, relation, names)
    existing = {column.name for column in names.catalog.columns(relation.oid)}
    kind, body = wrapped(parse(f"SELECT WHERE ({text})")[0].tree)
    found: set[str] = set()
    for _, node in walk(kind, body):
        texts = strings(node.get("fields"))  # of column references alone
        if texts == (relation.name,) and relation.name not in existing:
            raise CannotRewrite("a row filter over whole rows allows no writes")
        found |= {text for text in texts[-1:] if text in existing}
    return frozenset(found)

"""Row counts and sizes of tables, where some rows are hidden: NULL stands in their place.

Tools ask for them in passing (psql's \\dt+, statistics of a GUI); a filtered table's would count what is
hidden. A relation of the server is read without the columns that count, and a function that measures a
relation is asked about none: these functions are strict, so it keeps its name and type and gives NULL.
"""

from __future__ import annotations

from .binding import Binding
from .catalog import Relation
from .nodes import Body, strings
from .quoting import cast, name, relation_name, type_name
from .sensitive import SENSITIVE, Shows, sensitive
from .splice import Splice, expression_tree
from .statement import CannotRewrite

_NOTHING = cast("NULL", "pg_catalog.regclass")


def counting(relation: Relation) -> bool:
    """Whether some of its columns tell how many rows tables have."""
    return sensitive(relation) and SENSITIVE[relation.name][0] is Shows.COUNTS


def blank_source(relation: Relation, binding: Binding) -> str:
    """The sub-select that stands for such a relation."""
    harmless, own = SENSITIVE[relation.name][1], name(relation.name)
    shown = []
    for column in binding.catalog.columns(relation.oid):
        if column.name in harmless:
            shown.append(f"{own}.{name(column.name)}")
            continue
        kind = binding.catalog.type(column.type)
        if kind is None:
            raise CannotRewrite(f'the type of column "{column.name}" is unknown')
        shown.append(f"{cast('NULL', type_name(kind))} AS {name(column.name)}")
    return f"(SELECT {', '.join(shown)} FROM {relation_name(relation)} AS {own})"


def blank_call(splice: Splice, call: Body) -> None:
    """`pg_table_size(...)` is asked about no relation. Raises CannotRewrite."""
    tokens = splice.tokens
    first = tokens.name_end(tokens.at(call["location"]))
    depth = tokens.items[first].depth
    last = next(
        (index for index in range(first, len(tokens.items)) if tokens.word(index) == ")"
         and tokens.items[index].depth == depth), None)  # fmt: skip
    if tokens.word(first) != "(" or last is None or last == first + 1:
        raise CannotRewrite(f"{strings(call['funcname'])[-1]} could not be rewritten safely")
    rest = call.get("args", [])[1:]
    splice.replace_text(tokens.items[first].end, _end(splice, first, last, depth, bool(rest)), _NOTHING)
    given = splice.twin(call).get("args", [])  # (*) has none
    splice.twin(call)["args"] = [expression_tree(_NOTHING), *given[1:]]


def _end(splice: Splice, first: int, last: int, depth: int, more: bool) -> int:
    """Where the first argument ends."""
    tokens = splice.tokens
    if more:
        last = next(index for index in range(first, last) if tokens.word(index) == ","
                    and tokens.items[index].depth == depth + 1)  # fmt: skip
    return tokens.items[last - 1].end

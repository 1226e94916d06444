"""What a reference to a table brings along into the sub-select that takes its place: TABLESAMPLE, and the
system columns (ctid, xmin, tableoid ...) that a sub-select does not have by itself."""

from __future__ import annotations

from .catalog import Relation
from .findings import Source
from .nodes import SYSTEM_COLUMNS, strings, walk, wrapped
from .splice import Splice
from .statement import CannotRewrite

_FIXED = frozenset({"A_Const", "ParamRef", "TypeCast", "TypeName", "String", "Integer", "Float"})


def sample_clause(splice: Splice, source: Source, plain: bool, filtered: bool) -> str:
    """Takes `TABLESAMPLE method (arguments) [REPEATABLE (seed)]` out of the text and returns it; "" where
    there is none. `plain`: the relation is one table. Raises CannotRewrite."""
    if source.sample is None:
        return ""
    shown = ".".join(source.relation.path)
    if filtered:
        raise CannotRewrite(
            f'TABLESAMPLE cannot be used on "{shown}": which rows it takes would tell of those that are'
            " filtered for you",
            "Use WHERE random() < p, or ORDER BY random() LIMIT n.",
        )
    if not plain:
        raise CannotRewrite(
            f'TABLESAMPLE cannot be used on "{shown}": what lies beneath has masks or filters of its own',
            "Use ORDER BY random() LIMIT n, or sample the tables beneath.",
        )
    given = list(source.sample.get("args", []))
    given += [source.sample["repeatable"]] if "repeatable" in source.sample else []
    if any(kind not in _FIXED for one in given for kind, _ in walk(*wrapped(one))):
        raise CannotRewrite(
            f'TABLESAMPLE of "{shown}" takes constants only: it has masks or filters',
            "Write the percentage as a number or a parameter.",
        )
    tokens = splice.tokens
    target = tokens.at(source.location)
    depth = tokens.items[target].depth
    start = splice.seek("TABLESAMPLE", target, depth)
    end = _behind_parentheses(splice, start, depth)
    if tokens.word(end) == "REPEATABLE":
        end = _behind_parentheses(splice, end, depth)
    first, last = tokens.items[start].start, tokens.items[end - 1].end
    splice.replace_text(first, last, "")
    return f" {splice.text[first:last]}"


def _behind_parentheses(splice: Splice, index: int, depth: int) -> int:
    tokens = splice.tokens
    while not (tokens.word(index) == ")" and tokens.items[index].depth == depth):
        index += 1
    return index + 1


def no_places(relation: Relation) -> CannotRewrite:
    """For ctid where rows are hidden: the gaps between places count them."""
    return CannotRewrite(
        f'ctid of "{".".join(relation.path)}" would tell how many rows are filtered for you',
        "Use the row's key.",
    )


def system_columns(splice: Splice, source: Source, filtered: bool) -> tuple[str, ...]:
    """The system columns that the statement names and that may be this table's. Raises CannotRewrite where
    they would also show in a `*` or a whole row, and for ctid where rows are hidden."""
    if source.relation.kind not in ("r", "p"):
        return ()
    wanted: set[str] = set()
    whole = natural = False
    for kind, node in walk(splice.kind, splice.body):
        natural = natural or bool(node.get("isNatural"))
        if kind != "ColumnRef":
            continue
        texts = strings(node.get("fields"))
        if "A_Star" in node["fields"][-1]:
            whole = whole or not texts or texts[-1] == source.alias
        elif texts == (source.alias,):
            whole = True
        elif texts[-1] in SYSTEM_COLUMNS and (len(texts) == 1 or texts[-2] == source.alias):
            wanted.add(texts[-1])
    if filtered and "ctid" in wanted:
        raise no_places(source.relation)
    if wanted and (whole or natural):
        raise CannotRewrite(
            f'the system columns of "{".".join(source.relation.path)}" cannot stand beside * or a whole row:'
            " it has masks or filters",
            "Name the columns you need.",
        )
    return tuple(sorted(wanted))

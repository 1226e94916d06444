"""SET lists under a row filter: what a row becomes is checked where it is computed.

    SET tenant = <any expression>
becomes
    SET tenant = (SELECT n."tenant" FROM (SELECT CAST(<any expression> AS ...) OFFSET 0) AS n("tenant")
                  WHERE CASE WHEN filter(n, old row) THEN true ELSE <raise> END)

The expression stays where it stands and runs once: what is checked is what is stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from .binding import Binding
from .catalog import Column
from .findings import Write
from .guards import (
    SIMPLE,
    column_type,
    condition_over,
    filtered_columns,
    outside_error,
    refuse_generated,
)
from .inserts import default_text, plain_type
from .nodes import Body, wrapped
from .quoting import cast, columns, name
from .splice import Splice, expression_tree
from .statement import CannotRewrite

_NEW = '"tollhouse new"'
_GIVEN = '"tollhouse given"'
_NONE = '"tollhouse none"'


@dataclass(frozen=True, slots=True)
class Item:
    """`a = e` or `(a, b) = e` of a SET list. `first` to `stop` are the tokens of e; `targets` the
    ResTargets of the tree."""

    targets: tuple[Body, ...]
    first: int
    stop: int

    @property
    def names(self) -> tuple[str, ...]:
        """The columns set."""
        return tuple(str(target.get("name", "")) for target in self.targets)

    @property
    def value(self) -> Body:
        """The wrapped node of e."""
        found: Body = self.targets[0]["val"]
        if "MultiAssignRef" in found:
            found = found["MultiAssignRef"]["source"]
        return found

    @property
    def several(self) -> bool:
        """Whether it is written `(a, b) = e`."""
        return "MultiAssignRef" in self.targets[0]["val"]


def set_items(splice: Splice, targets: list[Body], start: int, stop: int, depth: int) -> list[Item]:
    """The items of a SET list, whose tokens are `start` to `stop`. Raises CannotRewrite."""
    tokens = splice.tokens
    bounds = [index for index in range(start, stop) if tokens.word(index) == ","
              and tokens.items[index].depth == depth]  # fmt: skip
    spans = [
        (splice.seek("=", first, depth, end) + 1, end) for first, end in pairwise([start, *bounds, stop])
    ]
    groups: list[tuple[Body, ...]] = []
    left = [target["ResTarget"] for target in targets]
    while left:
        count = left[0]["val"].get("MultiAssignRef", {}).get("ncolumns", 1)
        groups.append(tuple(left[:count]))
        left = left[count:]
    if len(groups) != len(spans):
        raise CannotRewrite("the SET list could not be read safely", "Set each column by itself.")
    return [Item(group, *spans[number]) for number, group in enumerate(groups)]


def guard_items(splice: Splice, write: Write, items: list[Item], binding: Binding) -> None:
    """Checks a row's new values where they are computed. Raises CannotRewrite."""
    wanted = filtered_columns(write.relation, binding)
    by_name = {column.name: column for column in binding.catalog.columns(write.relation.oid)}
    refuse_generated(wanted, by_name, write.relation)
    relevant = [item for item in items if wanted & set(item.names)]
    if not relevant:
        return
    if any(target.get("indirection") for item in relevant for target in item.targets):
        raise CannotRewrite("parts of a column cannot be set under a row filter", "Set the whole column.")
    hard = [item for item in relevant if item.several or not is_simple(item.value)]
    if len(hard) > 1:
        shown = columns([one for item in hard for one in item.names])
        raise CannotRewrite(
            f"the new values of {shown} cannot be checked against the row filter",
            "Set them together: SET (a, b) = (SELECT ...).",
        )
    chosen = (hard or relevant)[0]
    known = {one: f"{_NEW}.{name(one)}" for one in chosen.names}
    for item in relevant:
        if item is not chosen:
            known[item.names[0]] = text_of(splice, item.first, item.stop)
    row = []
    for column in sorted(wanted):
        value = known.get(column, f"{name(write.alias)}.{name(column)}")
        row.append(f"{cast(value, column_type(by_name[column], binding))} AS {name(column)}")
    missing = [one for one in chosen.names if one not in by_name]
    if missing:
        raise CannotRewrite(f'column "{missing[0]}" does not exist in "{".".join(write.relation.path)}"')
    some = f"{_NEW}.{name(chosen.names[0])}"
    check = (
        f"CASE WHEN {condition_over(write.relation, row, binding)} THEN true ELSE {outside_error(some)} END"
    )
    _wrap(splice, chosen, [by_name[one] for one in chosen.names], check, binding)


def text_of(splice: Splice, first: int, stop: int) -> str:
    """The text of some tokens."""
    tokens = splice.tokens
    return splice.text[tokens.items[first].start : tokens.items[stop - 1].end]


def is_simple(value: Body) -> bool:
    """Whether it is the same however often it is computed, and holds nothing to rewrite."""
    kind, body = wrapped(value)
    while kind == "TypeCast":
        kind, body = wrapped(body["arg"])
    return kind in SIMPLE


def checked(inner: str, shown: list[str], check: str) -> str:
    """The sub-select that computes `inner` once and lets it pass if `check` holds."""
    listed = ", ".join(f"{_NEW}.{name(one)}" for one in shown)
    return f"(SELECT {listed} FROM ({inner} OFFSET 0) AS {_NEW}({columns(shown)}) WHERE {check})"


def new_value(column: str) -> str:
    """How `check` speaks of a value that is computed."""
    return f"{_NEW}.{name(column)}"


def _wrap(splice: Splice, item: Item, targets: list[Column], check: str, binding: Binding) -> None:
    kinds = [plain_type(column, binding) for column in targets]
    shown = [column.name for column in targets]
    kind, body = wrapped(item.value)
    if not item.several or kind not in ("RowExpr", "SubLink"):
        if len(targets) != 1:
            raise CannotRewrite(
                "a row that is set as a whole cannot be checked", "Write (a, b) = (SELECT ...)."
            )
        made = checked(f"SELECT {cast('NULL', kinds[0])}", shown, check)
        tree = expression_tree(made)
        value = put_value(splice, item.value, item.first, item.stop, targets[0], kinds[0])
        _new_select(tree)["targetList"] = [{"ResTarget": {"val": value}}]
    elif kind == "RowExpr":
        made = checked(f"SELECT {', '.join(cast('NULL', one) for one in kinds)}", shown, check)
        tree = expression_tree(made)
        values = _row_values(splice, item, body, targets, kinds)
        _new_select(tree)["targetList"] = [{"ResTarget": {"val": one}} for one in values]
    else:
        listed = ", ".join(cast(f"{_GIVEN}.{name(one.name)}", plain_type(one, binding)) for one in targets)
        joined = f"SELECT {listed} FROM (SELECT) AS {_NONE} LEFT JOIN (SELECT) AS {_GIVEN}({columns(shown)})"
        made = checked(f"{joined} ON true", shown, check)
        tree = expression_tree(made)
        join = _new_select(tree)["fromClause"][0]["JoinExpr"]
        join["rarg"]["RangeSubselect"]["subquery"] = splice.twin(body)["subselect"]
        head, _, tail = made.partition("LEFT JOIN (SELECT)")
        _insert(splice, item.first, item.stop, f"{head}LEFT JOIN ", tail)
        splice.replace_node(body, tree)
        return
    head, tail = _around(made, kinds)
    _insert(splice, item.first, item.stop, head, tail)
    if not item.several:
        splice.twin(item.targets[0])["val"] = tree
        return
    for target in item.targets:
        splice.twin(target)["val"]["MultiAssignRef"]["source"] = tree


def _around(made: str, kinds: list[str]) -> tuple[str, str]:
    """The text before and behind the values."""
    values = ", ".join(cast("NULL", kind) for kind in kinds)
    head, _, tail = made.partition(values)
    return head, tail


def _new_select(tree: Body) -> Body:
    """The innermost SELECT of `checked`."""
    outer = tree["SubLink"]["subselect"]["SelectStmt"]
    found: Body = outer["fromClause"][0]["RangeSubselect"]["subquery"]["SelectStmt"]
    return found


def _insert(splice: Splice, first: int, stop: int, head: str, tail: str) -> None:
    start, end = splice.tokens.items[first].start, splice.tokens.items[stop - 1].end
    splice.replace_text(start, start, head)
    splice.edits.insert(0, splice.edits.pop())  # before what is put around the values themselves
    splice.replace_text(end, end, tail)


def _row_values(
    splice: Splice, item: Item, body: Body, targets: list[Column], kinds: list[str]
) -> list[Body]:
    """The values of `(e1, e2)` or `ROW(e1, e2)`, cast one by one; the parentheses go."""
    tokens = splice.tokens
    open_ = item.first + (tokens.word(item.first) == "ROW")
    close = item.stop - 1
    depth = tokens.items[open_].depth + 1
    commas = [i for i in range(open_, close) if tokens.word(i) == "," and tokens.items[i].depth == depth]
    bounds = [(before + 1, stop) for before, stop in pairwise([open_, *commas, close])]
    if not len(bounds) == len(targets) == len(body.get("args", [])):  # ROW() has none
        raise CannotRewrite("the SET list could not be read safely", "Set each column by itself.")
    splice.replace_text(tokens.items[item.first].start, tokens.items[open_].end, "")
    made = [
        put_value(splice, value, first, stop, column, kind)
        for value, (first, stop), column, kind in zip(body["args"], bounds, targets, kinds, strict=True)
    ]
    splice.replace_text(tokens.items[close].start, tokens.items[close].end, "")
    return made


def put_value(splice: Splice, value: Body, first: int, stop: int, column: Column, kind: str) -> Body:
    """Casts the expression of some tokens to the column's type; DEFAULT becomes what it stands for. The
    tree of it."""
    start, end = splice.tokens.items[first].start, splice.tokens.items[stop - 1].end
    if "SetToDefault" in value:
        made = cast(default_text(column), kind)
        splice.replace_text(start, end, made)
        return expression_tree(made)
    tree = expression_tree(cast("NULL", kind))
    splice.replace_text(start, start, "CAST(")
    splice.replace_text(end, end, f" AS {kind})")
    inner_kind, inner = wrapped(value)
    tree["TypeCast"]["arg"] = {inner_kind: splice.twin(inner)}
    return tree

"""INSERT into a relation with a row filter: each new row is checked before it is made.

    INSERT INTO t (a, b) VALUES ...
becomes
    INSERT INTO t (a, b) SELECT CAST(v.a AS ...), ...
    FROM (SELECT * FROM (VALUES ...) AS s OFFSET 0) AS v(a, b)
    WHERE CASE WHEN filter(v) THEN true ELSE <raise> END

OFFSET 0 makes every expression of the client run once: what is checked is what is stored.
"""

from __future__ import annotations

from typing import Any

from tollhouse_dialects.postgres.parse import SqlSyntaxError

from .binding import Binding
from .catalog import Column
from .findings import Write
from .guards import column_type, condition_over, filtered_columns, outside_error, refuse_generated
from .nodes import Body, strings, walk, wrapped
from .quoting import cast, name, type_name
from .quoting import columns as column_list
from .splice import Splice, expression_tree, tree_of
from .statement import CannotRewrite


def check_insert(splice: Splice, write: Write, binding: Binding) -> None:
    """Raises CannotRewrite where the rows cannot be checked beforehand."""
    select = write.body.get("selectStmt")
    check_override(write, write.body, binding)
    if not select:
        _insert_defaults(splice, write, binding)
        return
    body = select["SelectStmt"]
    if _shows_stars(write, body):
        _insert_stars(splice, write, binding)
        return
    targets = _targets(write, body, binding)
    start = _region(splice, write)[0]
    given = wrapped(splice.twin(write.body)["selectStmt"])[1]
    if body.get("valuesLists"):
        _cast_values(splice, body, given, targets, start, binding)
    else:
        _cast_parameters(splice, body, given, targets, binding)
    _put_frame(splice, write, *_frame(write, targets, binding))


def _insert_defaults(splice: Splice, write: Write, binding: Binding) -> None:
    """`INSERT INTO t DEFAULT VALUES`: what the filter reads is given as what its defaults are."""
    wanted = filtered_columns(write.relation, binding)
    columns = binding.catalog.columns(write.relation.oid)
    refuse_generated(wanted, {column.name: column for column in columns}, write.relation)
    targets = [column for column in columns if column.name in wanted]
    if not targets:
        raise CannotRewrite(
            "INSERT ... DEFAULT VALUES cannot be checked against the row filter", "Name the values."
        )
    head, tail = _frame(write, targets, binding)
    values = [cast(_settled_default(column), plain_type(column, binding)) for column in targets]
    made = f"{head}SELECT {', '.join(values)}{tail}"
    tokens = splice.tokens
    target = tokens.at(write.node["location"])
    default = splice.seek("DEFAULT", target, tokens.items[target].depth)
    listed = column_list([column.name for column in targets])
    splice.replace_text(tokens.items[default].start, tokens.items[default + 1].end, f"({listed}) {made}")
    copied = splice.twin(write.body)
    copied["cols"] = [{"ResTarget": {"name": column.name}} for column in targets]
    copied["selectStmt"] = tree_of(made)


def _shows_stars(write: Write, body: Body) -> bool:
    """Whether the source's columns are not written out, nor those of the target."""
    return not write.body.get("cols") and any(
        "A_Star" in item["ResTarget"]["val"].get("ColumnRef", {}).get("fields", [{}])[-1]
        for item in (_first_branch(body).get("targetList", []))
    )


def _first_branch(body: Body) -> Body:
    """The SELECT that gives a set operation its columns."""
    while "larg" in body:
        body = body["larg"]
    return body


def _insert_stars(splice: Splice, write: Write, binding: Binding) -> None:
    """`INSERT INTO t SELECT * FROM ...`: the columns go by position, and so are those the filter reads."""
    wanted = filtered_columns(write.relation, binding)
    columns = binding.catalog.columns(write.relation.oid)
    refuse_generated(wanted, {column.name: column for column in columns}, write.relation)
    last = max((number for number, one in enumerate(columns) if one.name in wanted), default=-1)
    if last < 0:
        raise CannotRewrite(
            "the columns of this INSERT cannot be told beforehand",
            "Write the column list: INSERT INTO t (a, b) ...",
        )
    given = columns[: last + 1]
    row = [
        f"{cast(f'v.{name(one.name)}', column_type(one, binding))} AS {name(one.name)}"
        for one in given
        if one.name in wanted
    ]
    condition = condition_over(write.relation, row, binding)
    raised = outside_error(f"v.{name(given[last].name)}")
    head = "SELECT v.* FROM (SELECT * FROM ("
    tail = (
        f") AS s OFFSET 0) AS v({column_list([one.name for one in given])})"
        f" WHERE CASE WHEN {condition} THEN true ELSE {raised} END"
    )
    _put_frame(splice, write, head, tail)


def _put_frame(splice: Splice, write: Write, head: str, tail: str) -> None:
    """Puts the source of the INSERT between `head` and `tail`."""
    start, end = _region(splice, write)
    given = wrapped(splice.twin(write.body)["selectStmt"])[1]
    tokens = splice.tokens
    splice.replace_text(tokens.items[start].start, tokens.items[start].start, head)
    splice.edits.insert(0, splice.edits.pop())  # before what stands at the source's own beginning
    splice.replace_text(tokens.items[end - 1].end, tokens.items[end - 1].end, tail)
    frame = tree_of(f"{head}SELECT 1{tail}")
    inner = frame["SelectStmt"]["fromClause"][0]["RangeSubselect"]["subquery"]["SelectStmt"]
    inner["fromClause"][0]["RangeSubselect"]["subquery"] = {"SelectStmt": given}
    splice.twin(write.body)["selectStmt"] = frame


def check_override(write: Write, clause: Body, binding: Binding) -> None:
    """OVERRIDING USER VALUE stores another value than the one given: what was checked is not stored.
    `clause` is the INSERT, or that of a MERGE."""
    if clause.get("override") != "OVERRIDING_USER_VALUE":
        return
    wanted = filtered_columns(write.relation, binding)
    for column in binding.catalog.columns(write.relation.oid):
        if column.identity and column.name in wanted:
            raise CannotRewrite(
                f'OVERRIDING USER VALUE cannot be used: the row filter reads "{column.name}"',
                f'Leave OVERRIDING USER VALUE out, and give the value of "{column.name}".',
            )


def _targets(write: Write, body: Body, binding: Binding) -> list[Column]:
    columns = binding.catalog.columns(write.relation.oid)
    listed = write.body.get("cols")
    if listed:
        by_name = {column.name: column for column in columns}
        if any("indirection" in item["ResTarget"] for item in listed):
            raise CannotRewrite(
                "parts of a column cannot be inserted under a row filter", "Insert whole columns."
            )
        missing = [item["ResTarget"]["name"] for item in listed if item["ResTarget"]["name"] not in by_name]
        if missing:
            raise CannotRewrite(f'column "{missing[0]}" does not exist in "{".".join(write.relation.path)}"')
        return [by_name[item["ResTarget"]["name"]] for item in listed]
    if body.get("valuesLists"):
        count = len(body["valuesLists"][0]["List"].get("items", []))
    else:
        items = body.get("targetList", [])
        if not items:
            raise CannotRewrite(
                "the columns of this INSERT cannot be told beforehand",
                "Write the column list: INSERT INTO t (a, b) ...",
            )
        count = len(items)
    return list(columns[:count])


def _region(splice: Splice, write: Write) -> tuple[int, int]:
    """Token indexes of the source: behind the column list, before ON CONFLICT and RETURNING."""
    tokens = splice.tokens
    target = tokens.at(write.node["location"])
    depth = tokens.items[target].depth
    index = tokens.name_end(target)
    if "alias" in write.node:
        index = tokens.name_end(index + 1)  # behind AS
    if write.body.get("cols"):
        while not (tokens.word(index) == ")" and tokens.items[index].depth == depth):
            index += 1
        index += 1
    if tokens.word(index) == "OVERRIDING":
        index += 3
    end = tokens.block_end(index, depth)
    for position in range(index, end):
        if tokens.items[position].depth == depth and (
            tokens.word(position) == "RETURNING"
            or (tokens.word(position) == "ON" and tokens.word(position + 1) == "CONFLICT")
        ):
            return index, position
    return index, end


def _cast_values(
    splice: Splice, body: Body, given: Body, targets: list[Column], start: int, binding: Binding
) -> None:
    """Each value gets its column's type, as it would have taken it from the INSERT itself. Behind the first
    row constants get it from the row before: casts would make a long list several times as long."""
    tokens = splice.tokens
    index = start
    while tokens.word(index) == "(":
        index += 1
    depth = tokens.items[index].depth
    index = splice.seek("VALUES", index, depth) + 1
    kinds = [plain_type(column, binding) for column in targets]
    plain = [_constants(column, binding) for column in targets]
    for row, (row_node, row_copy) in enumerate(zip(body["valuesLists"], given["valuesLists"], strict=True)):
        items, copies = row_node["List"]["items"], row_copy["List"]["items"]
        if len(items) > len(targets):
            raise CannotRewrite("INSERT has more expressions than target columns")
        while not (tokens.word(index) == "(" and tokens.items[index].depth == depth):
            index += 1
        first = index + 1
        for number, item in enumerate(items):
            stop = first
            while not (tokens.items[stop].depth <= depth + 1 and tokens.word(stop) in (",", ")")) or (
                tokens.items[stop].depth == depth + 1 and tokens.word(stop) == ")"
            ):
                stop += 1
            if not (row and plain[number] & item.get("A_Const", {}).keys()):
                made = _cast_value(splice, targets[number], item, copies[number], first, stop, kinds[number])
                copies[number] = made
            first = stop + 1
        index = stop


_NUMBERS = frozenset({"int2", "int4", "int8", "numeric", "float4", "float8"})


def _constants(column: Column, binding: Binding) -> frozenset[str]:
    """The constants that need no cast where another row has this column's type: their fields in the tree.
    A text of no type takes the type of the others; numbers are made one with numbers."""
    kind = binding.catalog.type(column.type)
    if kind is not None and kind.schema == "pg_catalog" and kind.name in _NUMBERS:
        return frozenset({"sval", "isnull", "ival", "fval"})
    return frozenset({"sval", "isnull"})


def _cast_value(
    splice: Splice, column: Column, item: Body, copied: Body, first: int, stop: int, target: str
) -> Body:
    tokens = splice.tokens
    start, end = tokens.items[first].start, tokens.items[stop - 1].end
    if "SetToDefault" in item:
        made = cast(default_text(column), target)
        splice.replace_text(start, end, made)
        return expression_tree(made)
    tree = expression_tree(cast("NULL", target))
    tree["TypeCast"]["arg"] = copied
    splice.replace_text(start, start, "CAST(")
    splice.replace_text(end, end, f" AS {target})")
    return tree


def default_text(column: Column) -> str:
    """What DEFAULT stands for. Raises CannotRewrite."""
    if column.generated or column.identity:
        raise CannotRewrite(
            f'DEFAULT for the column "{column.name}" cannot be used under a row filter',
            "Leave the column out.",
        )
    _refuse_unread(column)
    return f"({column.expression})" if column.expression else "NULL"


def _refuse_unread(column: Column) -> None:
    if column.unread:
        raise CannotRewrite(
            f'the default of "{column.name}" cannot be read while another session changes the table',
            "Run it again.",
        )


def plain_type(column: Column, binding: Binding) -> str:
    """The column's type without its modifier: the assignment that follows applies that."""
    kind = binding.catalog.type(column.type)
    if kind is None:
        raise CannotRewrite(f'the type of column "{column.name}" is unknown')
    return type_name(kind)


def _cast_parameters(
    splice: Splice, body: Body, given: Body, targets: list[Column], binding: Binding
) -> None:
    for number, item in enumerate(body.get("targetList", [])[: len(targets)]):
        kind, node = wrapped(item["ResTarget"]["val"])
        if kind != "ParamRef":
            continue
        token = splice.tokens.items[splice.tokens.at(node["location"])]
        target = plain_type(targets[number], binding)
        splice.replace_text(token.start, token.start, "CAST(")
        splice.replace_text(token.end, token.end, f" AS {target})")
        tree = expression_tree(cast("NULL", target))
        tree["TypeCast"]["arg"] = {"ParamRef": {"number": node["number"]}}
        given["targetList"][number]["ResTarget"]["val"] = tree


def _frame(write: Write, targets: list[Column], binding: Binding) -> tuple[str, str]:
    relation = write.relation
    wanted = filtered_columns(write.relation, binding)
    given = {column.name: f"v.{name(column.name)}" for column in targets}
    row = []
    for column in binding.catalog.columns(relation.oid):
        if column.name in wanted:
            value = given.get(column.name) or _settled_default(column)
            if column.generated:
                raise CannotRewrite(
                    "the row filter reads a generated column: rows cannot be checked beforehand"
                )
            row.append(f"{cast(value, column_type(column, binding))} AS {name(column.name)}")
    shown = [cast(given[column.name], plain_type(column, binding)) for column in targets]
    names = column_list([column.name for column in targets])
    head = f"SELECT {', '.join(shown)} FROM (SELECT * FROM ("
    condition = condition_over(relation, row, binding)
    raised = outside_error(given[targets[0].name])
    tail = f") AS s OFFSET 0) AS v({names}) WHERE CASE WHEN {condition} THEN true ELSE {raised} END"
    return head, tail


_SETTLED_NODES = frozenset(
    {"A_Const", "TypeCast", "TypeName", "SQLValueFunction", "String", "Integer", "Float", "Boolean"}
)
_SETTLED_FUNCTIONS = frozenset({"now", "current_setting", "transaction_timestamp", "statement_timestamp"})


def _settled_default(column: Column) -> str:
    """The default of a column that is not given, if it is the same whenever it is computed."""
    _refuse_unread(column)
    if column.expression is None and not column.identity:
        return "NULL"
    try:
        tree: Any = expression_tree(column.expression or "")
    except (CannotRewrite, SqlSyntaxError, KeyError):
        tree = None
    if tree is not None and all(
        kind in _SETTLED_NODES
        or (kind == "FuncCall" and strings(node.get("funcname"))[-1] in _SETTLED_FUNCTIONS)
        for kind, node in walk(*wrapped(tree))
    ):
        return f"({column.expression})"
    raise CannotRewrite(
        f'the row filter reads "{column.name}", whose default cannot be known beforehand',
        f'Give a value for "{column.name}".',
    )

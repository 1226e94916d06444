"""What stands in a relation's place: a sub-select that shows masks and hides rows.

Where a row filter binds, `OFFSET 0` keeps the planner from moving the client's own conditions
below it: they would run on hidden rows, and their errors would tell. Masks alone need no such
barrier, since what is moved below is already an expression over the mask.
"""

from __future__ import annotations

from .binding import Binding
from .blanks import blank_source, counting
from .catalog import Relation
from .filters import check_unshadowed, filter_sql
from .findings import Findings, Source
from .keys import key_conditions
from .nodes import Body, strings, walk
from .placing import sample_clause, system_columns
from .quoting import columns, name, relation_name
from .reader import Reader, Scope, under_empty_path, view_tree
from .splice import Splice, bare, expression_tree, from_tree
from .statement import CannotRewrite
from .unmoved import must_stay, unmoved_sql

_MAX_VIEW_DEPTH = 24
_MAX_SOURCE = 120_000
"""Characters. A view that joins another with itself doubles it, and so does the next above."""


def source_sql(
    relation: Relation, binding: Binding, only: bool = False, depth: int = 0, extra: tuple[str, ...] = ()
) -> str:
    """The sub-select, in parentheses and without an alias; `extra` are system columns it shows besides.
    Raises CannotRewrite."""
    made = binding.sources.get((relation.oid, only, extra))
    if made is None:
        made = _source(relation, binding, only, depth, extra)
        if len(made) > _MAX_SOURCE:
            raise CannotRewrite(
                f'"{".".join(relation.path)}" is made of too many masked or filtered relations',
                "Read the tables beneath it.",
            )
        binding.sources[relation.oid, only, extra] = made
    return made


def _source(relation: Relation, binding: Binding, only: bool, depth: int, extra: tuple[str, ...]) -> str:
    if relation.kind == "v":
        return _view(relation, binding, depth)
    if relation.kind == "m":
        _check_materialised(relation, binding)
    children = () if only else binding.differing_children(relation)
    if not children:
        return f"({_table(relation, relation, binding, only, extra)})"
    family = (relation, *binding.children(relation))
    parts = [_table(relation, one, binding, True, extra) for one in family]
    return f"({' UNION ALL '.join(f'({part})' for part in parts)})"


def _table(
    shape: Relation,
    relation: Relation,
    binding: Binding,
    only: bool,
    extra: tuple[str, ...] = (),
    sample: str = "",
) -> str:
    """SELECT of `relation` with the columns of `shape`, which is itself or a parent."""
    shown = []
    for column in binding.catalog.columns(shape.oid):
        raw = f"{name(relation.name)}.{name(column.name)}"
        masked = binding.masked_expression(relation, column.name, raw)
        shown.append(f"{masked or raw} AS {name(column.name)}")
    shown += [f"{name(relation.name)}.{column} AS {column}" for column in extra]
    source = f"{'ONLY ' if only else ''}{relation_name(relation)} AS {name(relation.name)}{sample}"
    return f"SELECT {', '.join(shown)} FROM {source}{_where(relation, binding)}"


def _where(relation: Relation, binding: Binding) -> str:
    filters = [f"({filter_sql(one, relation, binding.names)})" for one in binding.effect(relation).filters]
    return f" WHERE {' AND '.join(filters)} OFFSET 0" if filters else ""


def _check_materialised(relation: Relation, binding: Binding) -> None:
    if not binding.effect(relation):
        raise CannotRewrite(
            f'the materialised view "{".".join(relation.path)}" holds copies of masked or filtered data',
            "Read the tables beneath it, or ask for a mask or filter that names the view.",
        )


def _view(view: Relation, binding: Binding, depth: int) -> str:
    if depth > _MAX_VIEW_DEPTH:
        raise CannotRewrite("views are nested too deeply")
    column_names = [column.name for column in binding.catalog.columns(view.oid)]
    below = _definition(view, binding, depth)
    shown = []
    for column in column_names:
        raw = f"{name(view.name)}.{name(column)}"
        masked = binding.masked_expression(view, column, raw)
        shown.append(f"{masked or raw} AS {name(column)}")
    where = _where(view, binding) or " OFFSET 0"
    return f"(SELECT {', '.join(shown)} FROM ({below}) AS {name(view.name)}({columns(column_names)}){where})"


def _definition(view: Relation, binding: Binding, depth: int) -> str:
    kind, body, text = view_tree(view, binding.names)
    names = under_empty_path(binding.names)
    found = Findings()
    Reader(names, found).statement(kind, body, Scope())
    check_unshadowed(found, binding.names, names)  # it is printed for an empty path
    splice = Splice(text, kind, body)
    weave(splice, found.sources, binding, depth + 1)
    return splice.finish()[0]


def weave(
    splice: Splice, sources: list[Source], binding: Binding, depth: int = 0, *, blank: bool = False
) -> None:
    """Puts every source that obligations touch into its sub-select; qualifies the others.

    `blank`: what counts rows shows nothing.
    """
    touched, kept = [], []
    for source in sources:
        if binding.touches(source.relation):
            _replace(splice, source, binding, depth)
            touched.append(source)
        elif blank and counting(source.relation):
            _put(splice, source, blank_source(source.relation, binding))
            kept.append(source)
        elif binding.wary and must_stay(source.relation):
            _put(splice, source, unmoved_sql(source.relation, binding))
            kept.append(source)
        elif "schemaname" not in source.node:
            qualify(splice, source.node, source.relation)
    _strip_schemas(splice, touched + kept)
    for source in touched:
        _complete_grouping(splice, source, binding)


def _replace(splice: Splice, source: Source, binding: Binding, depth: int) -> None:
    only = not source.node.get("inh")
    complex_source = source.relation.kind in ("v", "m") or bool(binding.differing_children(source.relation))
    family = (source.relation, *binding.children(source.relation))
    filtered = any(binding.effect(one).filters for one in family)
    extra = system_columns(splice, source, filtered)
    sample = sample_clause(splice, source, not complex_source, filtered)
    made = source_sql(source.relation, binding, only=only, depth=depth, extra=extra)
    if sample:
        made = f"({_table(source.relation, source.relation, binding, only, extra, sample)})"
    if source.select.get("lockingClause") and complex_source:
        raise CannotRewrite(
            f'rows of "{".".join(source.relation.path)}" cannot be locked',
            "Leave FOR UPDATE out, or lock the table beneath.",
        )
    keys = _keys(source, binding)
    if keys:
        made = f"{made[: -len(_BARRIER)]} AND {' AND '.join(keys)}{_BARRIER}"
    key = (source.relation.oid, only, extra, source.alias)
    plain = not keys and not sample
    tree = _put(splice, source, made, binding.trees.get(key) if plain else None)
    if plain:
        binding.trees[key] = tree


def _put(splice: Splice, source: Source, made: str, tree: Body | None = None) -> Body:
    """Puts a sub-select in the place of a relation; its bare tree, which is `tree` where that is known."""
    start, end, is_command = _extent(splice, source.node)
    alias = "" if "alias" in source.node else f" AS {name(source.node['relname'])}"
    lead = "SELECT * FROM " if is_command else ""
    splice.replace_text(start, end, f"{lead}{made}{alias}")
    tree = tree or bare(from_tree(f"{made} AS {name(source.alias)}"))
    shown = tree["RangeSubselect"]
    if "alias" in source.node:
        shown = {**shown, "alias": source.node["alias"]}
    splice.replace_node(source.sample or source.node, {"RangeSubselect": shown})
    return tree


_BARRIER = " OFFSET 0)"


def _keys(source: Source, binding: Binding) -> list[str]:
    """Conditions of the SELECT's own WHERE that may run beside the filter."""
    effect = binding.effect(source.relation)
    if (
        source.relation.kind not in ("r", "p")
        or binding.differing_children(source.relation)
        or not effect.filters
        or "colnames" in source.node.get("alias", {})
        or "targetList" not in source.select
    ):
        return []
    items = source.select.get("fromClause", [])
    alone = len(items) == 1 and items[0].get("RangeVar") is source.node
    conditions = key_conditions(
        source.select.get("whereClause"),
        source.relation,
        source.alias,
        source.relation.name,
        alone,
        binding.catalog,
    )
    return [one for one in conditions if not any(f".{name(column)} " in one for column in effect.masked)]


def _extent(splice: Splice, node: Body) -> tuple[int, int, bool]:
    """Characters of `[TABLE] [ONLY [(]] name [)] [*]`, and whether it begins with TABLE."""
    tokens = splice.tokens
    first = tokens.at(node["location"])
    last = tokens.name_end(first) - 1
    if tokens.word(first - 1) == "(" and tokens.word(first - 2) == "ONLY":
        first, last = first - 2, last + 1
    elif tokens.word(first - 1) == "ONLY":
        first -= 1
    if tokens.word(last + 1) == "*":
        last += 1
    is_command = tokens.word(first - 1) == "TABLE"
    return tokens.items[first - is_command].start, tokens.items[last].end, is_command


def qualify(splice: Splice, node: Body, relation: Relation) -> None:
    """Names the relation with its schema, so that no search_path matters."""
    tokens = splice.tokens
    index = tokens.at(node["location"])
    schema = relation.path[0]
    start = tokens.items[index].start
    splice.replace_text(start, start, f"{name(schema)}.")
    splice.twin(node)["schemaname"] = schema


def _strip_schemas(splice: Splice, touched: list[Source]) -> None:
    """`public.orders.id` has no meaning once orders is a sub-select: it becomes `orders.id`."""
    bare_names = {
        (source.node.get("schemaname", source.relation.path[0]), source.node["relname"])
        for source in touched
        if "alias" not in source.node
    }
    for kind, node in walk(splice.kind, splice.body):
        if kind != "ColumnRef" or len(node.get("fields", [])) < 3:
            continue
        if strings(node["fields"])[:2] in bare_names:
            index = splice.tokens.at(node["location"])
            dot = next(i for i in range(index, len(splice.tokens.items)) if splice.tokens.word(i) == ".")
            splice.replace_text(splice.tokens.items[index].start, splice.tokens.items[dot].end, "")
            splice.twin(node)["fields"] = node["fields"][1:]


_NO_EQUALITY = frozenset({"json", "xml", "point", "polygon", "path", "box", "line", "lseg", "circle"})


def _complete_grouping(splice: Splice, source: Source, binding: Binding) -> None:
    """GROUP BY a primary key lets a table's other columns stand ungrouped; a sub-select has no
    key, so they are added to the list."""
    group = source.select.get("groupClause")
    if not group or any("ColumnRef" not in item for item in group if "GroupingSet" in item):
        return
    catalog = binding.catalog
    all_columns = catalog.columns(source.relation.oid)
    key = {column.name for column in all_columns if column.number in catalog.primary_key(source.relation.oid)}
    renamed = source.node.get("alias", {}).get("colnames")
    grouped: set[str] = set()
    anchor: Body | None = None
    for item in group:
        if "ColumnRef" not in item:
            continue
        texts = strings(item["ColumnRef"].get("fields"))
        if texts and (len(texts) == 1 or texts[-2] == source.alias):
            grouped.add(texts[-1])
            anchor = anchor or item["ColumnRef"]
    if not key or renamed or not key <= grouped or anchor is None:
        return
    added = [
        f"{name(source.alias)}.{name(column.name)}"
        for column in all_columns
        if column.name not in grouped
        and (kind := catalog.base_type(column.type)) is not None
        and kind.name not in _NO_EQUALITY
    ]
    if not added:
        return
    start = splice.tokens.items[splice.tokens.at(anchor["location"])].start
    splice.replace_text(start, start, ", ".join(added) + ", ")
    copied, before = splice.twin(source.select), splice.twin(anchor)
    position = next(i for i, item in enumerate(copied["groupClause"]) if item.get("ColumnRef") is before)
    copied["groupClause"] = [
        *copied["groupClause"][:position],
        *(expression_tree(one) for one in added),
        *copied["groupClause"][position:],
    ]

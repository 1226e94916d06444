"""INSERT, UPDATE, DELETE, MERGE and TRUNCATE of relations with masks or filters.

A masked column may be written but never read: RETURNING shows its mask, and what else would read
it is refused. Rows outside a filter can be neither touched (the client's own WHERE only runs
where the filter holds) nor made (each new row is checked, and one outside raises OUTSIDE_FILTER).
"""

from __future__ import annotations

from collections.abc import Iterable

from tollhouse_core.decision import WriteCheck

from .assignments import guard_items, is_simple, set_items
from .binding import Binding
from .catalog import Relation
from .findings import Write
from .guards import Place, filtered_columns, guard_rows, place_of
from .inserts import check_insert
from .merges import guard_merge
from .nodes import SYSTEM_COLUMNS, Body, strings, walk, wrapped
from .placing import no_places
from .quoting import name
from .shadows import outer_columns
from .splice import Splice, expression_tree
from .statement import CannotRewrite
from .unmoved import keep_target, must_stay


def rewrite_writes(splice: Splice, writes: list[Write], binding: Binding) -> None:
    """All writes of a statement. Raises CannotRewrite."""
    for write in writes:
        if write.relation.system:
            continue
        if write.kind in ("InsertStmt", "UpdateStmt", "MergeStmt"):
            check_written_columns(write.relation, _written(write, binding), binding)
        if binding.wary and must_stay(write.relation) and not binding.touches(write.relation):
            keep_target(splice, write, binding)
        if binding.touches(write.relation):
            _rewrite_write(splice, write, binding)


def _rewrite_write(splice: Splice, write: Write, binding: Binding) -> None:
    relation = write.relation
    shown = ".".join(relation.path)
    effect = binding.effect(relation)
    check_shape(write.relation, binding)
    if write.kind == "TruncateStmt":
        if effect.filters:
            raise CannotRewrite(
                f'TRUNCATE would remove rows of "{shown}" that are filtered for you',
                "Use DELETE: it takes your rows only.",
            )
        return
    if effect.masked:
        _mask_returning(splice, write, binding)
        _check_reads(write, effect.masked, shown, binding)
    if effect.filters:
        _keep_inside(splice, write, binding)


def _check_places(write: Write) -> None:
    """Where rows are hidden, their target's ctid must not be seen or compared."""
    own = _own(write)
    for kind, node in walk("", {key: value for key, value in write.body.items() if key != "withClause"}):
        texts = strings(node.get("fields")) if kind == "ColumnRef" else ()
        if texts[-1:] == ("ctid",) and (len(texts) == 1 or texts[-2] in own):
            raise no_places(write.relation)


def _keep_inside(splice: Splice, write: Write, binding: Binding) -> None:
    _check_places(write)
    if write.kind == "MergeStmt":
        guard_merge(splice, write, binding)
        return
    if write.kind == "InsertStmt":
        check_insert(splice, write, binding)
        if write.body.get("onConflictClause", {}).get("action") != "ONCONFLICT_UPDATE":
            return
    place = place_of(splice, write)
    guard_rows(splice, write, place, binding, checked=_guard_values(splice, write, place, binding))


def _guard_values(splice: Splice, write: Write, place: Place, binding: Binding) -> bool:
    """Checks what SET computes, where a plain condition over it would compute it twice; whether it did."""
    targets = place.clause.get("targetList", []) if write.kind != "DeleteStmt" else []
    wanted = filtered_columns(write.relation, binding)
    hard = any(
        target["ResTarget"].get("name") in wanted and not is_simple(target["ResTarget"]["val"])
        for target in targets
    )
    if not hard:
        return False
    begin = splice.seek("SET", place.start, place.depth, place.end)
    ends = (splice.tokens.find(word, begin, place.depth, place.end) for word in ("FROM", "WHERE"))
    stop = min((end for end in ends if end is not None), default=place.end)
    guard_items(splice, write, set_items(splice, targets, begin + 1, stop, place.depth), binding)
    return True


def check_shape(relation: Relation, binding: Binding) -> None:
    """Raises CannotRewrite for what cannot be written under its masks and filters at all."""
    shown = ".".join(relation.path)
    if relation.kind in ("v", "m"):
        raise CannotRewrite(
            f'the view "{shown}" cannot be written: what lies beneath has masked columns or filtered rows',
            "Write to the table itself.",
        )
    if relation.rewrites:
        raise CannotRewrite(f'"{shown}" cannot be written: it has rules besides its masks or filters')
    if binding.differing_children(relation):
        raise CannotRewrite(
            f'"{shown}" cannot be written: some of its partitions have masks or filters of their own',
            "Write to the partition itself.",
        )
    if any(one.writes is WriteCheck.DENY for one in binding.effect(relation).filters):
        raise CannotRewrite(f'"{shown}" cannot be written: its row filter allows reading only')


# -- which columns are written -----------------------------------------------------------------


def _written(write: Write, binding: Binding) -> set[str]:
    """Names of the columns a statement writes, ON CONFLICT and MERGE included."""
    body = write.body
    found: set[str] = set()
    if write.kind == "InsertStmt":
        listed = [item["ResTarget"].get("name", "") for item in body.get("cols", [])]
        found |= set(listed) if listed else {one.name for one in binding.catalog.columns(write.relation.oid)}
        targets = body.get("onConflictClause", {}).get("targetList", [])
    else:
        targets = list(body.get("targetList", []))
    for clause in body.get("mergeWhenClauses", []):
        when = clause["MergeWhenClause"]
        targets += when.get("targetList", [])
        if when.get("commandType") == "CMD_INSERT" and not when.get("targetList"):
            found |= {one.name for one in binding.catalog.columns(write.relation.oid)}
    return found | {item["ResTarget"].get("name", "") for item in targets}


def check_written_columns(relation: Relation, written: Iterable[str], binding: Binding) -> None:
    """Refuses writes that probe a masked value: a unique or foreign key would tell it by its error."""
    catalog = binding.catalog
    numbers = {column.name: column.number for column in catalog.columns(relation.oid)}
    wanted = set(written)
    masked = {one for one in binding.effect(relation).masked if one in wanted}
    probing = catalog.unique_columns(relation.oid) | catalog.referenced_columns(relation.oid)
    for column in sorted(masked):
        if numbers.get(column) in probing or 0 in probing:
            raise _probe(relation, column)
    written_numbers = {numbers[one] for one in wanted if one in numbers}
    for mine, other_oid, theirs in catalog.references_from(relation.oid):
        other = catalog.relation(other_oid)
        if other is None or not written_numbers & set(mine):
            continue
        hidden = binding.effect(other).masked
        for referenced in catalog.columns(other_oid):
            if referenced.number in theirs and referenced.name in hidden:
                raise _probe(other, referenced.name)


def _probe(relation: Relation, column: str) -> CannotRewrite:
    return CannotRewrite(
        f'this write would tell whether a value of "{".".join(relation.path)}.{column}" exists: it is masked',
        f'Leave the column "{column}" out.',
    )


# -- RETURNING and reads -----------------------------------------------------------------------


def returning(body: Body) -> list[Body]:
    """The RETURNING list, [] where there is none."""
    clause: list[Body] = body.get("returningClause", {}).get("exprs") or body.get("returningList") or []
    return clause


def _mask_returning(splice: Splice, write: Write, binding: Binding) -> None:
    relation = write.relation
    columns = [column.name for column in binding.catalog.columns(relation.oid)]
    for item in returning(write.body):
        target = item["ResTarget"]
        kind, node = wrapped(target["val"])
        if kind != "ColumnRef":
            continue
        texts = strings(node.get("fields"))
        if "A_Star" in node["fields"][-1]:
            if texts[-1:] in ((), (write.alias,)) and not (_others(write) and not texts):
                _expand_star(splice, write, item, columns, binding)
            continue
        if texts[-1] in binding.effect(relation).masked and (len(texts) == 1 or texts[-2] in _own(write)):
            qualifier = texts[-2] if len(texts) > 1 else write.alias
            masked = binding.masked_expression(relation, texts[-1], f"{name(qualifier)}.{name(texts[-1])}")
            assert masked is not None
            index = splice.tokens.at(node["location"])
            end = splice.tokens.items[splice.tokens.name_end(index) - 1].end
            alias = "" if "name" in target else f" AS {name(texts[-1])}"
            splice.replace_text(splice.tokens.items[index].start, end, f"({masked}){alias}")
            splice.replace_node(node, expression_tree(masked))
            splice.twin(target).setdefault("name", texts[-1])


def _others(write: Write) -> list[Body]:
    """What else a bare * shows."""
    body = write.body
    source = [body["sourceRelation"]] if "sourceRelation" in body else []
    return [*body.get("fromClause", []), *body.get("usingClause", []), *source]


def _expand_star(splice: Splice, write: Write, item: Body, columns: list[str], binding: Binding) -> None:
    node = item["ResTarget"]["val"]["ColumnRef"]
    shown = []
    for column in columns:
        raw = f"{name(write.alias)}.{name(column)}"
        masked = binding.masked_expression(write.relation, column, raw)
        shown.append(f"({masked}) AS {name(column)}" if masked else raw)
    index = splice.tokens.at(node["location"])
    end = splice.tokens.items[splice.tokens.name_end(index) - 1].end
    splice.replace_text(splice.tokens.items[index].start, end, ", ".join(shown))
    made = wrapped(expression_list(", ".join(shown)))[1]["targetList"]
    clause = splice.twin(write.body)
    holder, field = (
        (clause["returningClause"], "exprs") if "returningClause" in clause else (clause, "returningList")
    )
    twin = splice.twin(item)
    position = next(i for i, one in enumerate(holder[field]) if one is twin)
    holder[field] = [*holder[field][:position], *made, *holder[field][position + 1 :]]


def expression_list(text: str) -> Body:
    """The tree of SELECT with these expressions."""
    from .splice import tree_of

    return tree_of(f"SELECT {text}")


def _own(write: Write) -> frozenset[str]:
    """Names by which the target's rows go: its alias, and OLD and NEW in RETURNING."""
    options = write.body.get("returningClause", {}).get("options", [])
    named = {option["ReturningOption"].get("value", "") for option in options}
    return frozenset({write.alias, "old", "new"} | named)


def _known_names(write: Write, binding: Binding) -> frozenset[str]:
    """What `target.name` can mean other than a function of the whole row."""
    return SYSTEM_COLUMNS | {column.name for column in binding.catalog.columns(write.relation.oid)}


def _check_reads(write: Write, masked: frozenset[str], shown: str, binding: Binding) -> None:
    """Refuses every other place where the statement would read a masked column of its target."""
    known = _known_names(write, binding)
    # FROM, USING and what a MERGE reads cannot see the target.
    skip = {"withClause", "relation", "cols", "sourceRelation", "fromClause", "usingClause"}
    skip |= {"selectStmt"} if write.kind == "InsertStmt" else set()
    own = _own(write)
    handled = {
        id(node)
        for item in returning(write.body)
        if (node := item["ResTarget"].get("val", {}).get("ColumnRef")) and _is_plain(node, write, known)
    }
    rest = {field: value for field, value in write.body.items() if field not in skip}
    if "mergeWhenClauses" in rest:  # what is inserted cannot see the target
        rest["mergeWhenClauses"] = [
            one
            for one in rest["mergeWhenClauses"]
            if one["MergeWhenClause"].get("commandType") != "CMD_INSERT"
        ]
    for node, hidden in outer_columns(rest):
        if not hidden and id(node) not in handled and _reads(node, own, masked, known):
            raise CannotRewrite(
                f'a write to "{shown}" may not read its masked columns',
                "Leave masked columns and whole rows out of WHERE, SET and ON CONFLICT, and name the columns"
                " of other tables with their table.",
            )


def _is_plain(node: Body, write: Write, known: frozenset[str]) -> bool:
    """Whether RETURNING shows this reference as it stands, so that its mask can stand there."""
    texts = strings(node.get("fields"))
    if "A_Star" in node["fields"][-1]:
        return texts[-1:] in ((), (write.alias,)) and not (_others(write) and not texts)
    if len(texts) > 1:
        return texts[-2] not in _own(write) or texts[-1] in known
    return texts[0] not in _own(write)


def _reads(node: Body, own: frozenset[str], masked: frozenset[str], known: frozenset[str]) -> bool:
    texts = strings(node.get("fields"))
    if "A_Star" in node["fields"][-1]:
        return not texts or texts[-1] in own
    if len(texts) == 1:
        return texts[0] in masked or texts[0] in own
    return texts[-2] in own and (texts[-1] in masked or texts[-1] not in known)

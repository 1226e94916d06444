"""COPY of a relation with masks or filters.

What COPY FROM loads is checked row by row by a WHERE of its own, which raises for a row outside.
"""

from __future__ import annotations

from .binding import Binding
from .catalog import Relation
from .filters import filter_sql
from .findings import Findings
from .guards import filtered_columns, outside_error, refuse_generated
from .nodes import Body, strings, walk, wrapped
from .quoting import columns, name
from .sources import qualify, source_sql
from .splice import Splice, expression_tree, tree_of
from .statement import CannotRewrite
from .writes import check_shape, check_written_columns

_HARMLESS = frozenset("\t,;|:~^!#$%*`'\"\\")
"""Delimiters and quotes that stand in nothing that a detector knows: COPY writes others within a value
twice, or behind an escape, so that what is looked for does not look like itself."""


def check_readable(body: Body) -> None:
    """Raises CannotRewrite where a COPY TO writes values as content masks cannot read them."""
    for option in () if body.get("is_from") else body.get("options", []):
        made = option["DefElem"]
        given = made.get("arg", {}).get("String", {}).get("sval", "")
        if made.get("defname", "").lower() in ("delimiter", "quote", "escape") and given not in _HARMLESS:
            said = made["defname"].upper()
            raise CannotRewrite(
                f"COPY with this {said} writes values so that content masks could not read them",
                "Leave it out, or use a tab or one of , ; | : ~ ^ ! # $ % * ` ' \" \\",
            )


def rewrite_copy(splice: Splice, body: Body, found: Findings, binding: Binding) -> None:
    """COPY t TO becomes COPY (SELECT ...) TO; COPY t FROM passes only where nothing can be probed."""
    relation = next(one for one in found.relations.values() if _is_target(one.path, body, binding))
    if body.get("is_from"):
        check_shape(relation, binding)
        if binding.effect(relation).filters:
            _check_rows(splice, body, relation, binding)
        listed = strings(body.get("attlist"))
        all_columns = [
            column.name for column in binding.catalog.columns(relation.oid) if not column.generated
        ]
        check_written_columns(relation, listed or all_columns, binding)
        if "schemaname" not in body["relation"]:
            qualify(splice, body["relation"], relation)
        return
    listed = strings(body.get("attlist"))
    shown = list(listed) or [
        column.name for column in binding.catalog.columns(relation.oid) if not column.generated
    ]
    only = relation.kind == "r"
    query = (
        f"SELECT {columns(shown)} FROM {source_sql(relation, binding, only=only)} AS {name(relation.name)}"
    )
    tokens = splice.tokens
    first = tokens.at(body["relation"]["location"])
    last = tokens.name_end(first) - 1
    if listed:
        last = next(
            index
            for index in range(last, len(tokens.items))
            if tokens.word(index) == ")" and tokens.items[index].depth == tokens.items[first].depth
        )
    if tokens.word(first - 1) == "BINARY":
        binary = tokens.items[first - 1]  # the old spelling, which a query cannot have
        splice.replace_text(binary.start, binary.end, "")
        splice.replace_text(tokens.items[-1].end, tokens.items[-1].end, " WITH (FORMAT binary)")
    splice.replace_text(tokens.items[first].start, tokens.items[last].end, f"({query})")
    copied = splice.twin(body)
    del copied["relation"]
    copied.pop("attlist", None)
    copied["query"] = tree_of(query)


def _check_rows(splice: Splice, body: Body, relation: Relation, binding: Binding) -> None:
    """Raises CannotRewrite for a filter that a COPY cannot compute."""
    columns = {column.name: column for column in binding.catalog.columns(relation.oid)}
    wanted = filtered_columns(relation, binding)
    refuse_generated(wanted, columns, relation)
    filters = [f"({filter_sql(one, relation, binding.names)})" for one in binding.effect(relation).filters]
    kind, tree = wrapped(expression_tree(" AND ".join(filters)))
    if not wanted or any(one == "SubLink" for one, _ in walk(kind, tree)):
        raise CannotRewrite(
            f'COPY cannot load into "{".".join(relation.path)}": its row filter asks other tables',
            "Load into a table of your own, then INSERT INTO ... SELECT: it is checked row by row.",
        )
    raised = outside_error(f"{name(relation.name)}.{name(min(wanted))}")
    check = f"CASE WHEN {' AND '.join(filters)} THEN true ELSE {raised} END"
    tokens = splice.tokens
    copied = splice.twin(body)
    target = tokens.at(body["relation"]["location"])
    end = tokens.items[tokens.block_end(target, 0) - 1].end
    if "whereClause" not in body:
        splice.replace_text(end, end, f" WHERE {check}")
        copied["whereClause"] = expression_tree(check)
        return
    behind = tokens.items[splice.seek("WHERE", target, 0)].end
    splice.replace_text(behind, behind, " CASE WHEN (")
    splice.replace_text(end, end, f") THEN {check} ELSE false END")
    made = expression_tree(f"CASE WHEN (true) THEN {check} ELSE false END")
    made["CaseExpr"]["args"][0]["CaseWhen"]["expr"] = copied["whereClause"]
    copied["whereClause"] = made


def _is_target(path: tuple[str, ...], body: Body, binding: Binding) -> bool:
    return binding.names.relation(body["relation"]).path == path

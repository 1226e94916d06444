"""COPY of a relation with masks or filters."""

from __future__ import annotations

from .binding import Binding
from .findings import Findings
from .nodes import Body, strings
from .quoting import columns, name
from .sources import source_sql
from .splice import Splice, tree_of
from .statement import CannotRewrite
from .writes import check_written_columns


def rewrite_copy(splice: Splice, body: Body, found: Findings, binding: Binding) -> None:
    """COPY t TO becomes COPY (SELECT ...) TO; COPY t FROM passes only where nothing can be probed."""
    relation = next(one for one in found.relations.values() if _is_target(one.path, body, binding))
    if body.get("is_from"):
        if binding.effect(relation).filters or any(
            binding.effect(child).filters for child in binding.children(relation)
        ):
            raise CannotRewrite(
                f'COPY cannot load into "{".".join(relation.path)}", whose rows are filtered',
                "Use INSERT: it is checked row by row.",
            )
        listed = strings(body.get("attlist"))
        all_columns = [
            column.name for column in binding.catalog.columns(relation.oid) if not column.generated
        ]
        check_written_columns(relation, listed or all_columns, binding)
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
            for index in range(last + 1, len(tokens.items))
            if tokens.word(index) == ")" and tokens.items[index].depth == tokens.items[first].depth
        )
    if tokens.word(first - 1) == "BINARY" and tokens.word(first - 2) == "COPY":
        binary = tokens.items[first - 1]  # the old spelling, which a query cannot have
        splice.replace_text(binary.start, binary.end, "")
        splice.replace_text(tokens.items[-1].end, tokens.items[-1].end, " WITH (FORMAT binary)")
    splice.replace_text(tokens.items[first].start, tokens.items[last].end, f"({query})")
    copied = splice.twin(body)
    del copied["relation"]
    copied.pop("attlist", None)
    copied["query"] = tree_of(query)


def _is_target(path: tuple[str, ...], body: Body, binding: Binding) -> bool:
    return binding.names.relation(body["relation"]).path == path

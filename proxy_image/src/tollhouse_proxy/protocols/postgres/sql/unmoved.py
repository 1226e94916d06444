"""Views that must be what they were when the statement was judged.

A view that nothing binds to is read by its name, and somebody may make it anew between the decision and the
server's reading of the statement. Who has masks or filters anywhere gets it as

    (SELECT columns FROM view WHERE (the definitions beneath are those known here, else an error))

The server holds the view from the moment it reads the statement, and the condition is computed once, before
any row.
"""

from __future__ import annotations

from .binding import Binding
from .catalog import Relation
from .findings import Write
from .guards import VIEW_CHANGED, place_of
from .nodes import wrapped
from .quoting import call, cast, literal, name, relation_name
from .reader import view_findings
from .splice import Splice, expression_tree
from .statement import CannotRewrite


def must_stay(relation: Relation) -> bool:
    """Whether the relation is a view whose definition somebody may change."""
    return relation.kind == "v" and not relation.system


def unmoved_sql(view: Relation, binding: Binding) -> str:
    """The sub-select that stands for a view. Raises CannotRewrite."""
    shown = name(view.name)
    listed = ", ".join(f"{shown}.{name(column.name)}" for column in binding.catalog.columns(view.oid))
    return f"(SELECT {listed} FROM {relation_name(view)} AS {shown} WHERE {_condition(view, binding)})"


def _condition(view: Relation, binding: Binding) -> str:
    beneath = view_findings(view, binding.names).relations.values()
    views = {one.oid: one for one in (view, *beneath) if must_stay(one)}
    rules = []
    for oid in sorted(views):
        version = binding.catalog.rule_version(oid)
        if version is None:
            raise CannotRewrite(
                f'the definition of the view "{".".join(views[oid].path)}" is not known', "Run it again."
            )
        same = f"r.xmin OPERATOR(pg_catalog.=) {cast(literal(version), 'pg_catalog.xid')}"
        rules.append(
            f"(r.ev_class OPERATOR(pg_catalog.=) {cast(literal(str(oid)), 'pg_catalog.oid')} AND {same})"
        )
    counted = cast("pg_catalog.count(*)", "pg_catalog.text")
    raised = cast(call("concat", literal(VIEW_CHANGED), call("left", counted, "0")), "pg_catalog.bool")
    enough = f"pg_catalog.count(*) OPERATOR(pg_catalog.=) {len(rules)}"
    return (
        f"(SELECT CASE WHEN {enough} THEN true ELSE {raised} END FROM pg_catalog.pg_rewrite AS r"
        f" WHERE r.rulename OPERATOR(pg_catalog.=) '_RETURN' AND ({' OR '.join(rules)}))"
    )


def keep_target(splice: Splice, write: Write, binding: Binding) -> None:
    """UPDATE and DELETE through a view read it as well."""
    where = write.body.get("whereClause")
    if write.kind not in ("UpdateStmt", "DeleteStmt") or (where and wrapped(where)[0] == "CurrentOfExpr"):
        return
    place = place_of(splice, write)
    tokens = splice.tokens
    condition = _condition(write.relation, binding)
    last = tokens.items[place.end - 1].end
    copied = splice.twin(write.body)
    if where is None:
        splice.replace_text(last, last, f" WHERE {condition}")
        copied["whereClause"] = expression_tree(condition)
        return
    behind = tokens.items[splice.seek("WHERE", place.start, place.depth, place.end)].end
    splice.replace_text(behind, behind, f" {condition} AND (")
    splice.replace_text(last, last, ")")
    tree = expression_tree(f"{condition} AND (true)")
    tree["BoolExpr"]["args"][1] = copied["whereClause"]
    copied["whereClause"] = tree

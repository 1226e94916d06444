"""One statement under the obligations of one decision: the text that is sent instead."""

from __future__ import annotations

from collections.abc import Iterable

from tollhouse_core.decision import Obligations
from tollhouse_core.masks import Token

from .binding import Binding
from .blanks import blank_call
from .catalog import Catalog, Relation
from .commands import STRUCTURE
from .copying import check_readable, rewrite_copy
from .definitions import holds_rows
from .findings import Findings
from .masks import MaskKeys
from .names import Names
from .nodes import Body, wrapped
from .sources import qualify, weave
from .splice import Splice
from .statement import CannotRewrite, Rewritten, SessionSettings, Statement
from .understand import Plan
from .unmoved import must_stay
from .writes import rewrite_writes

__all__ = ["rewrite"]

_QUERIES = frozenset({"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})
_CARRIERS = frozenset({"PrepareStmt", "DeclareCursorStmt", "ExplainStmt", "CreateTableAsStmt"})


def rewrite(
    statement: Statement,
    obligations: Obligations,
    catalog: Catalog,
    settings: SessionSettings,
    keys: MaskKeys,
) -> Rewritten:
    """Masks and filters at the source. Raises CannotRewrite where they cannot be kept.

    `catalog` and `settings` must be those the statement was understood with. Content masks
    concern what comes back; here it is only seen to that they can read it. EXECUTE and FETCH carry
    no text of their own: their statement was rewritten when it was prepared, and the caller decides
    whether it still may run.
    """
    plan = statement.plan
    if not isinstance(plan, Plan):
        raise CannotRewrite("the statement was not understood here")
    if obligations.content and plan.kind == "CopyStmt":
        check_readable(plan.body)
    unchanged = Rewritten(statement.text)
    bound = bool(obligations.columns or obligations.filters)
    if not bound and not (obligations.elsewhere and _reads_views(plan)):
        return unchanged
    if not _same_circumstances(plan.names, catalog, settings):
        raise CannotRewrite("the statement was understood under other circumstances", "Send it again.")
    if not bound:
        return _kept(statement, plan, _binding(obligations, plan.names, keys))
    if (
        statement.tag == "EXPLAIN"
        and plan.kind == "ExplainStmt"
        and wrapped(plan.body["query"])[0] == "ExecuteStmt"
    ):
        raise CannotRewrite(
            "EXPLAIN of a prepared statement under a mask or filter would show it", _EXPLAIN_HINT
        )
    if not plan.found.relations:
        return unchanged
    binding = _binding(obligations, plan.names, keys)
    if plan.found.everything:
        raise CannotRewrite(
            "this could read any table, and some are masked or filtered for you",
            "Leave out what shows statistics or other statements, and what brings code of its own.",
        )
    hides = plan.found.counts and _filtered(plan.found.relations.values(), binding)
    if hides and (plan.found.counts_unseen or not _can_blank(plan)):
        raise CannotRewrite(
            "this shows how many rows tables have, and some rows are filtered for you",
            "Name the columns you need, without row counts; count the rows of a table itself.",
        )
    touched = [one for one in plan.found.relations.values() if binding.touches(one)]
    if not touched:
        if binding.unknown(plan.found.relations.values()):
            raise CannotRewrite("a mask or filter binds to a relation this statement does not touch")
        return _kept(statement, plan, binding) if _reads_views(plan) and binding.wary else unchanged
    return _rewrite(statement, plan, binding, touched, hides)


def _reads_views(plan: Plan) -> bool:
    """Whether views are read by name where their definition could change before the server reads it."""
    found = plan.found
    stored = plan.kind == "CreateTableAsStmt" and plan.body.get("objtype") == "OBJECT_MATVIEW"
    if plan.kind not in _QUERIES | _CARRIERS | {"CopyStmt"} or stored:
        return False
    relations = [*(one.relation for one in found.sources), *(one.relation for one in found.writes)]
    return any(must_stay(one) for one in relations)


def _kept(statement: Statement, plan: Plan, binding: Binding) -> Rewritten:
    """Nothing binds here; what views show must still be what was judged."""
    splice = Splice(statement.text, plan.kind, plan.body)
    _rewrite_query(splice, plan.found, binding)
    text, edits = splice.finish()
    return Rewritten(text, edits)


def _filtered(relations: Iterable[Relation], binding: Binding) -> bool:
    """Whether some rows of these relations, or of what a materialised view copies, are hidden."""
    return any(
        binding.effect(one).filters
        or any(binding.effect(child).filters for child in binding.children(one))
        or (one.kind == "m" and binding.touches(one))
        for one in relations
    )


_KEPT_BINDINGS = 64


def _binding(obligations: Obligations, names: Names, keys: MaskKeys) -> Binding:
    """The binding for these obligations, kept with the snapshot: sessions under the same rules and
    identity values share it."""
    key = (
        "binding",
        repr((obligations.columns, obligations.filters, obligations.elsewhere)),
        names.path,
        names.settings.default_schema,
        keys,
    )
    known = names.catalog.memo.get(key)
    if isinstance(known, Binding):
        return known
    kept = [one for one in names.catalog.memo if isinstance(one, tuple) and one[0] == "binding"]
    if len(kept) >= _KEPT_BINDINGS:
        names.catalog.memo.pop(kept[0], None)
    made = Binding(obligations, names, keys)
    names.catalog.memo[key] = made
    return made


def _same_circumstances(names: Names, catalog: Catalog, settings: SessionSettings) -> bool:
    """Whether names mean now what they meant when the statement was understood."""
    return names.catalog.epoch == catalog.epoch and names.path == Names(catalog, settings).path


_EXPLAIN_HINT = "Run the statement itself, without EXPLAIN."


def _can_blank(plan: Plan) -> bool:
    """Whether all that counts stands in the text of the statement itself."""
    return plan.kind in _QUERIES | _CARRIERS or (plan.kind == "CopyStmt" and "query" in plan.body)


def _rewrite(
    statement: Statement, plan: Plan, binding: Binding, touched: list[Relation], blank: bool
) -> Rewritten:
    kind, body, found = plan.kind, plan.body, plan.found
    forbidden = binding.forbidden_origins(touched)
    if kind in STRUCTURE:
        raise CannotRewrite(
            f"{statement.tag} on a relation with masked columns or filtered rows could uncover them",
            "Ask somebody for whom nothing is masked to do it.",
        )
    if kind == "DropStmt":
        _check_drop(binding, touched)
    if kind == "CreateTableAsStmt" and body.get("objtype") == "OBJECT_MATVIEW":
        raise CannotRewrite(
            "a materialised view over masked or filtered relations would keep this identity's view of them",
            "Create an ordinary view.",
        )
    if kind == "ExplainStmt":
        _check_explain(body, binding, touched)
    if kind not in _QUERIES | _CARRIERS | {"CopyStmt", "TruncateStmt"}:
        return Rewritten(statement.text, guards_errors=True)
    splice = Splice(statement.text, kind, body)
    if kind == "CopyStmt" and "relation" in body:
        rewrite_copy(splice, body, found, binding)
    else:
        _rewrite_query(splice, found, binding, blank)
    text, edits = splice.finish()
    return Rewritten(text, edits, forbidden, guards_errors=True)


def _rewrite_query(splice: Splice, found: Findings, binding: Binding, blank: bool = False) -> None:
    weave(splice, found.sources, binding, blank=blank)
    for call in found.count_calls if blank else ():
        blank_call(splice, call)
    rewrite_writes(splice, found.writes, binding)
    _check_cascades(found, binding)
    for write in found.writes:
        if write.kind != "TruncateStmt" and "schemaname" not in write.node:
            qualify(splice, write.node, write.relation)


def _check_cascades(found: Findings, binding: Binding) -> None:
    for one in found.cascaded.values():
        if binding.effect(one).filters:
            raise CannotRewrite(
                f'a foreign key would delete or change rows of "{".".join(one.path)}" that are filtered for'
                " you",
                f'Delete or change the rows of "{".".join(one.path)}" first, or ask somebody for whom nothing'
                " is filtered.",
            )


def _check_drop(binding: Binding, touched: list[Relation]) -> None:
    for one in touched:
        family = (one, *binding.children(one))
        if holds_rows(one) and any(binding.effect(member).filters for member in family):
            raise CannotRewrite(
                f'this would remove rows of "{".".join(one.path)}" that are filtered for you',
                "Use DELETE: it takes your rows only.",
            )


def _check_explain(body: Body, binding: Binding, touched: list[Relation]) -> None:
    options = {option["DefElem"].get("defname", "").lower() for option in body.get("options", [])}
    if options & {"verbose", "analyze", "serialize"}:
        raise CannotRewrite(
            "EXPLAIN with VERBOSE or ANALYZE would show how values are masked or filtered", _EXPLAIN_HINT
        )
    effects = [binding.effect(one) for relation in touched for one in (relation, *binding.children(relation))]
    secret = any(isinstance(column.whole, Token) for effect in effects for _, column in effect.columns)
    if secret or any(effect.filters for effect in effects):
        raise CannotRewrite("EXPLAIN would show the row filter or the key of a mask", _EXPLAIN_HINT)

"""Reads a query's tree: which relations, functions and types it touches, and how.

Every node type must be known; names are resolved with the scoping of WITH. No types are inferred:
masks and filters hold at the source, so what an expression does with a column does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from tollhouse_core.operation import Access, AccessKind, Verb
from tollhouse_dialects.postgres.parse import SqlSyntaxError, parse

from .builtins import REVEALING_RELATIONS, SAFE_INFORMATION, SAFE_RELATIONS
from .calls import judge_attribute, judge_call, judge_operators
from .cascades import cascades
from .catalog import INFORMATION_SCHEMA, PG_CATALOG, Catalog, Relation
from .findings import Findings, Source, Write
from .names import Names
from .nodes import QUERY_NODES, Body, children, constant, strings, wrapped
from .schemas import Made
from .sensitive import SENSITIVE, Shows, join_shows, may_show, sensitive, shows
from .statement import NotUnderstood
from .target_reads import TargetReads, target_reads
from .where import depends_on_literals, has_where

_STATEMENTS = frozenset({"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})
_ACTIONS = {"InsertStmt": "Insert", "UpdateStmt": "Update", "DeleteStmt": "Delete"}
_LEAVES = frozenset({"ColumnRef", "A_Const", "ParamRef", "String", "Integer", "Float", "Boolean", "A_Star"})
_BETWEEN = ((">=",), ("<=",))


@dataclass(frozen=True, slots=True)
class Scope:
    """What names mean at one place: CTEs in sight, and relations by alias.

    `sensitive` are those with sensitive columns, under every name they have in this or an outer
    statement.
    """

    ctes: frozenset[str] = frozenset()
    aliases: Mapping[str, Relation | None] = field(default_factory=dict)
    depth: int = 0
    sensitive: tuple[tuple[str, Relation], ...] = ()

    def with_ctes(self, names: frozenset[str]) -> Scope:
        """The same place with more CTEs in sight."""
        return replace(self, ctes=self.ctes | names)

    def inside(
        self, aliases: Mapping[str, Relation | None], sensitive: Iterable[tuple[str, Relation]] = ()
    ) -> Scope:
        """One statement deeper."""
        return Scope(self.ctes, {**self.aliases, **aliases}, self.depth + 1, (*self.sensitive, *sensitive))


class Reader:
    """Reads trees into `found`. `lenient` accepts unknown node types (for DDL, which needs a rule
    of its own anyway). `made`: what the statement itself makes before it is read (see `schemas`)."""

    def __init__(
        self, names: Names, found: Findings, lenient: bool = False, made: Made = frozenset()
    ) -> None:
        self.made = made
        self.names = names
        self.found = found
        self.lenient = lenient

    # -- statements --------------------------------------------------------------------------

    def statement(self, kind: str, body: Body, scope: Scope) -> None:
        """A SELECT, INSERT, UPDATE, DELETE or MERGE at any depth."""
        scope = self._with(body.get("withClause"), scope)
        if kind == "SelectStmt":
            self._select(body, scope)
        else:
            self._write(kind, body, scope)

    def _with(self, clause: Body | None, scope: Scope) -> Scope:
        if not clause:
            return scope
        ctes = [node["CommonTableExpr"] for node in clause.get("ctes", [])]
        if clause.get("recursive"):
            scope = scope.with_ctes(frozenset(cte["ctename"] for cte in ctes))
        for cte in ctes:
            kind, query = wrapped(cte["ctequery"])
            if kind not in _STATEMENTS:
                raise NotUnderstood(f"a WITH query may not be a {kind}")
            self.statement(kind, query, scope.inside({}))
            for name in ("search_clause", "cycle_clause"):
                if name in cte:
                    self.expression(name, cte[name], scope)
            scope = scope.with_ctes(frozenset({cte["ctename"]}))
        return scope

    def _select(self, body: Body, scope: Scope) -> None:
        if body.get("intoClause"):
            self.found.command(
                "CREATE TABLE AS", Verb.ADMIN, self.new_path(body["intoClause"].get("rel", {}))
            )
        for side in ("larg", "rarg"):
            if side in body:
                self.statement("SelectStmt", body[side], scope.inside({}))
        items = body.get("fromClause", [])
        inner = scope.inside(self._aliases(items, scope), self._sensitive_in(items, scope))
        for clause in body.get("lockingClause", []):
            self._lock(items, clause["LockingClause"].get("lockedRels"), scope)
        outer, self.found.setting_row = self.found.setting_row, setting_row(body)
        self._fields(body, inner, body, frozenset({"withClause", "larg", "rarg", "intoClause"}))
        self.found.setting_row = outer

    def _aliases(self, from_items: list[Body], scope: Scope) -> dict[str, Relation | None]:
        found: dict[str, Relation | None] = {}
        pending = [wrapped(item) for item in from_items]
        while pending:
            kind, body = pending.pop()
            if kind == "RangeVar":
                known = None if self._is_cte(body, scope) else self.names.relation(body)
                renamed = bool(body.get("alias", {}).get("colnames"))
                found[body.get("alias", {}).get("aliasname", body.get("relname", ""))] = (
                    None if renamed else known
                )
            elif kind == "JoinExpr":
                pending += [wrapped(body[side]) for side in ("larg", "rarg") if side in body]
                if "alias" in body:
                    found[body["alias"].get("aliasname", "")] = None
            elif kind == "RangeTableSample":
                pending.append(wrapped(body["relation"]))
            elif "alias" in body:
                found[body["alias"].get("aliasname", "")] = None
        return found

    def _lock(self, from_items: list[Body], locked: list[Body] | None, scope: Scope) -> None:
        """FOR UPDATE and its like need the right to update, as the server asks it. `locked` are the
        RangeVars of OF, None for all of FROM; sub-selects are locked with what they read."""
        wanted = None if locked is None else {one["RangeVar"].get("relname", "") for one in locked}
        pending = [wrapped(item) for item in from_items]
        while pending:
            kind, body = pending.pop()
            if kind == "JoinExpr":
                pending += [wrapped(body[side]) for side in ("larg", "rarg") if side in body]
            elif kind == "RangeTableSample":
                pending.append(wrapped(body["relation"]))
            elif wanted is not None and _alias_of(body) not in wanted:
                continue
            elif kind == "RangeVar" and not self._is_cte(body, scope):
                self.touch(self.names.relation(body), "Update")
            elif kind == "RangeSubselect":
                inner = wrapped(body["subquery"])[1]
                known = scope.with_ctes(
                    frozenset(
                        cte["CommonTableExpr"]["ctename"]
                        for cte in inner.get("withClause", {}).get("ctes", [])
                    )
                )
                self._lock(inner.get("fromClause", []), None, known)

    def _sensitive_in(self, from_items: list[Body], scope: Scope) -> list[tuple[str, Relation]]:
        """(name, relation) of every relation with sensitive columns in a FROM list, joins' aliases
        included. Where a column list or a join hides which columns are meant, all of them are."""
        found: list[tuple[str, Relation]] = []
        for item in from_items:
            kind, body = wrapped(item)
            alias = body.get("alias", {})
            if kind == "RangeTableSample":
                found += self._sensitive_in([body["relation"]], scope)
            elif kind == "JoinExpr":
                beneath = self._sensitive_in([body[side] for side in ("larg", "rarg") if side in body], scope)
                relations = [relation for _, relation in beneath]
                for relation in join_shows(body, relations, self.names.catalog):
                    self.shown(relation)
                found += [(alias["aliasname"], one) for one in relations] if alias else []
                found += beneath
            elif kind == "RangeVar" and not self._is_cte(body, scope):
                relation = self.names.relation(body)
                if not sensitive(relation):
                    continue
                if "colnames" in alias:
                    self.shown(relation)
                found.append((alias.get("aliasname", body.get("relname", "")), relation))
        return found

    def shown(self, relation: Relation) -> None:
        """What is sensitive in a relation of the server may be read."""
        if not sensitive(relation):
            return
        match SENSITIVE[relation.name][0]:
            case Shows.STATEMENTS:
                self.found.everything = True
            case Shows.COUNTS:
                self.found.counts = self.found.counts_all = True
            case Shows.SECRETS:
                self.found.table(relation, "Select", self.names.catalog)

    def _is_cte(self, range_var: Body, scope: Scope) -> bool:
        """Whether it is of the statement's own making, not of the catalog."""
        if "schemaname" not in range_var and range_var.get("relname") in scope.ctes:
            return True
        return self._is_made(range_var)

    def _is_made(self, range_var: Body) -> bool:
        name = range_var.get("schemaname"), range_var.get("relname", "")
        return "catalogname" not in range_var and name in self.made

    def _write(self, kind: str, body: Body, scope: Scope) -> None:
        relation = self.names.relation(body["relation"])
        self.found.writes.append(Write(relation, kind, body, scope.depth))
        _share_rows(body)
        alias = body["relation"].get("alias", {}).get("aliasname", body["relation"].get("relname", ""))
        others = [*body.get("fromClause", []), *body.get("usingClause", [])]
        if kind == "MergeStmt" and "sourceRelation" in body:
            others.append(body["sourceRelation"])
        aliases = {**self._aliases(others, scope), alias: relation}
        if kind == "InsertStmt":
            aliases["excluded"] = relation
        for action in self._write_actions(kind, body):
            self.touch(relation, action)
        if kind in ("UpdateStmt", "DeleteStmt") and not has_where(
            body.get("whereClause"), alias, self.names.catalog.columns(relation.oid)
        ):
            self.found.without_where = True
        if body.get("whereClause"):
            self.found.sensitive |= depends_on_literals(body["whereClause"])
        self._read_target(relation, body, alias)
        inner = scope.inside(aliases, self._sensitive_in(others, scope))
        self._fields(body, inner, body, frozenset({"withClause", "relation"}))
        self._references(relation, kind, body)
        self._cascades(relation, kind, body)

    def _read_target(self, relation: Relation, body: Body, alias: str) -> None:
        """Conditions and expressions over the target's rows read it."""
        reads = target_reads(body, alias, self.names.catalog.columns(relation.oid))
        if reads is not TargetReads.NOTHING:
            self.touch(relation, "Select", needs_rule=reads is TargetReads.COMPUTES)

    @staticmethod
    def _write_actions(kind: str, body: Body) -> list[str]:
        actions = [_ACTIONS[kind]] if kind in _ACTIONS else []
        if kind == "MergeStmt":
            commands = {
                clause["MergeWhenClause"].get("commandType", "")
                for clause in body.get("mergeWhenClauses", [])
            }
            actions = [
                action
                for action, command in (
                    ("Insert", "CMD_INSERT"),
                    ("Update", "CMD_UPDATE"),
                    ("Delete", "CMD_DELETE"),
                )
                if command in commands
            ]
            actions = actions or ["Update"]
        if body.get("onConflictClause", {}).get("action") == "ONCONFLICT_UPDATE":
            actions.append("Update")
        if body.get("returningList") or body.get("returningClause"):
            actions.append("Select")
        return actions

    def _references(self, relation: Relation, kind: str, body: Body) -> None:
        """What a foreign key points at can be probed by writing: its masks must be known."""
        if kind == "DeleteStmt":
            return
        catalog = self.names.catalog
        for _, other, _ in catalog.references_from(relation.oid):
            target = catalog.relation(other)
            if target is not None:
                self.found.resource(target, catalog)

    def _cascades(self, relation: Relation, kind: str, body: Body) -> None:
        """What foreign keys make of the write: what denies it for those tables binds."""
        catalog = self.names.catalog
        actions = [one for one in self._write_actions(kind, body) if one in ("Update", "Delete")]
        targets = [relation]
        if relation.kind == "v" and not relation.system:
            targets += view_findings(relation, self.names).relations.values()
        columns = _set_columns(relation, kind, body, catalog) if relation.kind != "v" else None
        for target in targets:
            for action in actions:
                for other, done in cascades(target, action, columns, catalog):
                    for member in (other.oid, *catalog.descendants(other.oid)):
                        touched = catalog.relation(member)
                        if touched is not None:
                            self.found.table(touched, done, catalog, needs_rule=False)
                            self.found.cascaded[touched.oid] = touched

    # -- relations ---------------------------------------------------------------------------

    def touch(self, relation: Relation, action: str, needs_rule: bool = True) -> None:
        """An access to a relation by name; what lies beneath is added as `needs_rule=False`."""
        catalog, found = self.names.catalog, self.found
        if relation.system:
            self._touch_system(relation, action)
            return
        found.table(relation, action, catalog, needs_rule)
        if relation.name in REVEALING_RELATIONS:
            found.everything = True
        for oid in catalog.descendants(relation.oid):
            child = catalog.relation(oid)
            if child is not None:
                found.table(child, action, catalog, needs_rule=False)
        if relation.kind in ("v", "m"):
            self._beneath(relation, action)

    def _touch_system(self, relation: Relation, action: str) -> None:
        found, catalog = self.found, self.names.catalog
        if action in _ACTIONS.values() and relation.kind == "r" and relation.schema == PG_CATALOG:
            # Only a rule that spells pg_catalog out opens it, and it may turn any mask or filter.
            found.everything = found.changes_catalog = True
            found.table(relation, action, catalog)
            return
        if action != "Select":
            found.opaque(f"{action} on {relation.schema}.{relation.name}")
            return
        safe = SAFE_INFORMATION if relation.schema == INFORMATION_SCHEMA else SAFE_RELATIONS
        if relation.name in safe or shows(relation) is Shows.COUNTS:
            found.add(Access(Verb.READ, AccessKind.TABLE, action, relation.path, needs_rule=False))
            return
        if relation.name in REVEALING_RELATIONS:
            found.everything = True
        found.table(relation, action, catalog)

    def _beneath(self, view: Relation, action: str) -> None:
        below = view_findings(view, self.names)
        verb_action = action if action != "Select" else None
        for access in below.accesses:
            if verb_action and access.kind is AccessKind.TABLE and access.action == "Select":
                self.found.add(
                    Access(
                        Verb.DELETE if verb_action == "Delete" else Verb.WRITE,
                        AccessKind.TABLE,
                        verb_action,
                        access.path,
                        access.also,
                        needs_rule=False,
                    )
                )
            self.found.add(
                Access(access.verb, access.kind, access.action, access.path, access.also, needs_rule=False)
                if access.kind is not AccessKind.OPAQUE
                else access
            )
        self.found.resources.update(below.resources)
        self.found.relations.update(below.relations)
        self.found.everything |= below.everything
        self.found.settings += below.settings
        self.found.called |= below.called
        self.found.counts |= below.counts
        self.found.counts_unseen |= below.counts
        self.found.counts_all |= below.counts_all

    def _range_var(self, body: Body, scope: Scope, select: Body, sample: Body | None = None) -> None:
        if self._is_cte(body, scope):
            return
        relation = self.names.relation(body)
        self.found.sources.append(Source(relation, body, select, sample))
        self.touch(relation, "Select")

    def _mention(self, body: Body) -> None:
        """A table that a definition names (REFERENCES, LIKE, ATTACH PARTITION): it is read, so denials
        of reading it bind."""
        relation = self.names.find(body.get("schemaname"), body.get("relname", ""))
        if relation is not None and not relation.system and not self._is_made(body):
            self.touch(relation, "Select", needs_rule=False)

    # -- everything else ---------------------------------------------------------------------

    def _fields(self, body: Body, scope: Scope, select: Body, skip: frozenset[str] = frozenset()) -> None:
        """Everything below a node, on an explicit stack; statements inside recurse."""
        pending = [(kind, node) for name, kind, node in children(body) if name not in skip]
        while pending:
            kind, node = pending.pop()
            if kind not in QUERY_NODES and not self.lenient:
                raise NotUnderstood(
                    f"the statement uses {kind or 'a construct'} that Tollhouse does not know",
                    "Write it another way, or ask for it to be supported.",
                    position=node.get("location"),
                )
            if kind in _STATEMENTS:
                self.statement(kind, node, scope.inside({}))
                continue
            if kind == "LockingClause" or (kind == "MultiAssignRef" and node.get("colno") != 1):
                continue  # it names what stands in FROM; it shares what the first of its row has
            if kind == "RangeVar":
                if self.lenient and not select:
                    self._mention(node)
                else:
                    self._range_var(node, scope, select)
                continue
            if kind == "RangeTableSample":
                inner, range_var = wrapped(node["relation"])
                if inner == "RangeVar":
                    self._range_var(range_var, scope, select, node)
                pending += [(k, n) for name, k, n in children(node) if name not in ("relation", "method")]
                continue
            self._expression_node(kind, node, scope)
            if kind in _LEAVES:
                continue
            pending += [
                (k, n) for name, k, n in children(node) if name not in _NAME_FIELDS or k == "RangeVar"
            ]

    def expression(self, field: str, body: Body, scope: Scope) -> None:
        """A node outside any statement (an argument of EXECUTE, a default); `field` is where it stands."""
        self._fields({field: body} if body else {}, scope, {})

    def definition(self, kind: str, body: Body) -> None:
        """Part of a DDL statement: functions and queries inside are judged, names of tables are
        resolved where they exist."""
        outer, self.found.defining = self.found.defining, True
        self._fields({"node": {kind: body}} if kind else body, Scope(), {})
        self.found.defining = outer

    def _expression_node(self, kind: str, node: Body, scope: Scope) -> None:
        match kind:
            case "FuncCall":
                judge_call(node, self.names, self.found)
            case "A_Expr":
                self._operator(node)
            case "TypeName":
                known = self.names.type(node)
                parts = strings(node.get("names"))
                if len(parts) == 1:
                    self.found.type_names.add(parts[0])
                if known is not None:
                    self.found.type_oids.add(known.oid)
            case "ParamRef":
                self.found.parameters = max(self.found.parameters, int(node.get("number", 0)))
            case "ColumnRef":
                self._column(node, scope)
            case "A_Indirection":
                for item in node.get("indirection", []):
                    if "String" in item:
                        judge_attribute(item["String"].get("sval", ""), self.names, self.found)
            case "SubLink":
                self.found.operators.add(strings(node.get("operName")) or ("=",))
            case "SortBy" if node.get("useOp"):
                self.found.operators.add(strings(node["useOp"]))
            case "CaseExpr" | "JoinExpr":
                self.found.operators.add(("=",))
            case _:
                pass

    def _operator(self, node: Body) -> None:
        parts = strings(node.get("name"))
        kind = node.get("kind", "")
        if "BETWEEN" in kind:
            self.found.operators.update(_BETWEEN)
        elif parts:
            self.found.operators.add(parts)

    def _column(self, node: Body, scope: Scope) -> None:
        fields = node.get("fields", [])
        texts = strings(fields)
        last = texts[-1] if texts and "String" in fields[-1] else "*"
        for name, relation in scope.sensitive:
            if may_show(node, name, relation, self.names.catalog):
                self.shown(relation)
        if len(fields) < 2 or "String" not in fields[-1]:
            return
        owner = scope.aliases.get(texts[-2])
        if owner is not None and any(column.name == last for column in self.names.catalog.columns(owner.oid)):
            return
        judge_attribute(last, self.names, self.found)

    def new_path(self, range_var: Body) -> tuple[str, ...]:
        """The path of an object that is about to be made."""
        if range_var.get("relpersistence") == "t":
            return ("pg_temp", range_var.get("relname", ""))
        return (range_var.get("schemaname") or self.names.creation_schema, range_var.get("relname", ""))

    def finish(self) -> None:
        """What can only be judged once everything has been seen."""
        judge_operators(self.names, self.found)
        if self.found.everything:
            for relation in self.names.catalog.user_relations():
                self.found.table(relation, "Select", self.names.catalog, needs_rule=False)
        elif self.found.counts_all:
            for relation in self.names.catalog.user_relations():
                self.found.resource(relation, self.names.catalog)


def _share_rows(body: Body) -> None:
    """`SET (a, b) = (SELECT ...)`: the tree repeats what is right of `=` for each column; it is one."""
    lists = [body.get("targetList", []), body.get("onConflictClause", {}).get("targetList", [])]
    lists += [one["MergeWhenClause"].get("targetList", []) for one in body.get("mergeWhenClauses", [])]
    for targets in lists:
        source: Body = {}
        for target in targets:
            assigned = target["ResTarget"].get("val", {}).get("MultiAssignRef")
            if assigned is not None:
                source = assigned["source"] if assigned["colno"] == 1 else source
                assigned["source"] = source


def _alias_of(from_item: Body) -> str:
    """The name by which a FROM item goes, "" for none."""
    return str(from_item.get("alias", {}).get("aliasname", from_item.get("relname", "")))


def _set_columns(relation: Relation, kind: str, body: Body, catalog: Catalog) -> frozenset[int] | None:
    """Attribute numbers an UPDATE or ON CONFLICT DO UPDATE sets; None where it may be any."""
    if kind == "MergeStmt":
        return None
    listed = body.get("onConflictClause", body).get("targetList", [])
    names = {item["ResTarget"].get("name") for item in listed}
    return frozenset(column.number for column in catalog.columns(relation.oid) if column.name in names)


def setting_row(select: Body) -> str | None:
    """The setting in `SELECT set_config(name, ...) FROM pg_settings WHERE name = '...'` (pg_dump)."""
    sources = select.get("fromClause", [])
    where = select.get("whereClause", {}).get("A_Expr", {})
    if len(sources) != 1 or sources[0].get("RangeVar", {}).get("relname") != "pg_settings":
        return None
    if strings(where.get("name")) != ("=",) or where.get("kind") != "AEXPR_OP":
        return None
    if strings(where.get("lexpr", {}).get("ColumnRef", {}).get("fields")) != ("name",):
        return None
    value = constant(where.get("rexpr"))
    return value if isinstance(value, str) else None


_NAME_FIELDS = frozenset({"funcname", "name", "names", "operName", "useOp"})


def view_findings(view: Relation, names: Names) -> Findings:
    """What a view's definition touches. Raises NotUnderstood where it cannot be read."""
    key = ("view", view.oid)
    known = names.catalog.memo.get(key)
    if isinstance(known, Findings):
        return known
    found = Findings()
    kind, body, _ = view_tree(view, names)
    reader = Reader(under_empty_path(names), found)
    reader.statement(kind, body, Scope())
    reader.finish()
    names.catalog.memo[key] = found
    return found


def under_empty_path(names: Names) -> Names:
    """The same catalog under the path definitions are printed with."""
    return Names(names.catalog, replace(names.settings, search_path=()))


def view_tree(view: Relation, names: Names) -> tuple[str, Body, str]:
    """Node type, body and text of a view's definition."""
    text = names.catalog.definition(view.oid)
    if text is None and not names.catalog.complete:
        raise NotUnderstood(
            f'the definition of the view "{view.schema}.{view.name}" cannot be read while another session '
            "changes what it shows",
            "Run it again.",
            "55P03",
        )
    try:
        statements = parse(text) if text else ()
    except SqlSyntaxError:
        statements = ()
    if len(statements) != 1 or text is None:
        raise NotUnderstood(
            f'the definition of the view "{view.schema}.{view.name}" cannot be read',
            "Ask for a table instead, or ask the policy's owner.",
        )
    kind, body = wrapped(statements[0].tree)
    return kind, body, text

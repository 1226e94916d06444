"""What a write does besides writing its rows: whether its answer tells how many, and whether it may be run
beforehand in a transaction that is rolled back.

A rollback takes back rows, and what triggers and functions write. It does not take back what leaves the
database or outlives a transaction: numbers drawn from sequences, session locks, what code of users does
elsewhere. What is not known to be harmless counts as harmful.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tollhouse_core.operation import AccessKind, Verb

from .catalog import Catalog, Relation
from .findings import Findings
from .nodes import Body, walk

COUNTED = frozenset({"InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})
_UNTOLD = {
    "TruncateStmt": "TRUNCATE does not tell how many rows it removes",
    "CopyStmt": "COPY streams its rows while they are written",
    "ExplainStmt": "EXPLAIN does not tell how many rows are written",
}
_CODE = {"CallStmt": "what a procedure writes is not counted", "DoStmt": "what a DO writes is not counted"}
_LASTING = frozenset({"nextval", "pg_export_snapshot", "setseed", "setval"})
"""Harmless functions whose effects outlive a rollback; so do those of all that are called `advisory`."""


@dataclass(frozen=True, slots=True)
class Consequences:
    """`reason` says why a statement is not run beforehand; "" where nothing is known against it so far: then
    `question` has the server tell the rest, one text, NULL where it knows nothing either."""

    reason: str
    question: str = ""


def uncounted(kind: str, body: Body, found: Findings, catalog: Catalog) -> str:
    """Why the answer does not tell how many rows were written; "" where it does, or none are."""
    if kind in _CODE:
        return _CODE[kind]
    if kind == "PrepareStmt" or not found.writes:
        return ""
    if kind not in COUNTED:
        return _UNTOLD.get(kind, "the answer tells the rows that come back, not those that are written")
    if len(found.writes) > 1 or found.writes[0].body is not body:
        return "it writes in several places, and the answer counts one of them"
    ruled = [relation for relation in _all_written(found, catalog).values() if relation.rewrites]
    if ruled:
        return f"a rule changes what writing to {_names(ruled)} means"
    if found.cascaded:
        return f"foreign keys have the server write to {_names(found.cascaded.values())} as well"
    return ""


def consequences(kind: str, body: Body, found: Findings, catalog: Catalog) -> Consequences:
    """Of one statement, as far as it and the catalog tell."""
    if kind not in COUNTED:
        return Consequences("only INSERT, UPDATE, DELETE and MERGE are")
    if why := uncounted(kind, body, found, catalog):
        return Consequences(why)
    called = {access.object for access in found.accesses if access.kind is AccessKind.FUNCTION}
    called |= {name for name in found.called if name in _LASTING or "advisory" in name}
    if called:
        return Consequences(f"it calls {', '.join(sorted(called))}")
    if found.settings:
        return Consequences("it changes settings")
    if found.changes_catalog:
        return Consequences("it writes to the catalog")
    foreign = [relation for relation in found.relations.values() if relation.kind == "f"]
    if foreign:
        return Consequences(f"{_names(foreign)} is held by another server")
    written = _all_written(found, catalog)
    makes = any(access.action == "Insert" for access in found.accesses) or any(
        name == "SetToDefault" for name, _ in walk("", body)
    )
    return Consequences("", _question(sorted(written), makes=makes))


def _writes_table(kind: AccessKind, verb: Verb) -> bool:
    return kind is AccessKind.TABLE and verb in (Verb.WRITE, Verb.DELETE)


def _all_written(found: Findings, catalog: Catalog) -> dict[int, Relation]:
    """By oid: what the statement names, and what lies beneath views and partitioned tables."""
    written = {write.relation.oid: write.relation for write in found.writes}
    for access in found.accesses:
        beneath = catalog.find_relation(*access.path) if _writes_table(access.kind, access.verb) else None
        if beneath is not None:
            written[beneath.oid] = beneath
    return written


def _names(relations: Iterable[Relation]) -> str:
    return ", ".join(sorted(".".join(relation.path) for relation in relations))


def _question(oids: Iterable[int], *, makes: bool) -> str:
    """`makes`: defaults are computed, so what they draw numbers from counts."""
    listed = ",".join(map(str, oids))
    return _ASKED.format(oids=listed, defaults=_DEFAULTS if makes else "").strip()


_ASKED = """
WITH RECURSIVE written AS (
  SELECT c.oid, c.oid::pg_catalog.regclass::text AS name, c.relkind AS kind
  FROM pg_catalog.pg_class c WHERE c.oid = ANY ('{{{oids}}}'::pg_catalog.oid[])
), domains AS (
  SELECT w.name, t.oid, t.typbasetype, t.typdefaultbin
  FROM written w JOIN pg_catalog.pg_attribute a ON a.attrelid = w.oid AND NOT a.attisdropped
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid AND t.typtype = 'd'
  UNION SELECT d.name, t.oid, t.typbasetype, t.typdefaultbin
  FROM domains d JOIN pg_catalog.pg_type t ON t.oid = d.typbasetype AND t.typtype = 'd'
), owned AS (
  SELECT 1259::pg_catalog.oid AS catalog, i.indexrelid AS oid, w.name
  FROM pg_catalog.pg_index i JOIN written w ON w.oid = i.indrelid
  UNION ALL SELECT 2604, d.oid, w.name FROM pg_catalog.pg_attrdef d JOIN written w ON w.oid = d.adrelid
  UNION ALL SELECT 2606, o.oid, w.name FROM pg_catalog.pg_constraint o JOIN written w ON w.oid = o.conrelid
  UNION ALL SELECT 2606, o.oid, d.name FROM pg_catalog.pg_constraint o JOIN domains d ON d.oid = o.contypid
  UNION ALL SELECT 1247, d.oid, d.name FROM domains d WHERE d.typdefaultbin IS NOT NULL
  UNION ALL SELECT 3256, p.oid, w.name FROM pg_catalog.pg_policy p JOIN written w ON w.oid = p.polrelid
), reasons AS (
  SELECT pg_catalog.format('%s has the trigger %I', w.name, t.tgname) AS reason
  FROM pg_catalog.pg_trigger t JOIN written w ON w.oid = t.tgrelid
  WHERE NOT t.tgisinternal AND t.tgenabled <> 'D'
  UNION SELECT pg_catalog.format('%s has the rule %I', w.name, r.rulename)
  FROM pg_catalog.pg_rewrite r JOIN written w ON w.oid = r.ev_class
  WHERE r.ev_type <> '1' AND r.ev_enabled <> 'D'
  UNION SELECT pg_catalog.format('%s is held by another server', w.name) FROM written w WHERE w.kind = 'f'
  UNION SELECT pg_catalog.format('%s calls the function %I', o.name, p.proname)
  FROM owned o JOIN pg_catalog.pg_depend d ON d.classid = o.catalog AND d.objid = o.oid
  JOIN pg_catalog.pg_proc p ON d.refclassid = 1255 AND p.oid = d.refobjid
  WHERE p.provolatile <> 'i'
  {defaults}
)
SELECT pg_catalog.string_agg(reason, '; ' ORDER BY reason) FROM reasons
"""
_DEFAULTS = """
  UNION SELECT pg_catalog.format('%s numbers its rows from a sequence', w.name)
  FROM written w JOIN pg_catalog.pg_attribute a ON a.attrelid = w.oid
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE NOT a.attisdropped AND (a.attidentity <> ''
    OR pg_catalog.pg_get_expr(d.adbin, d.adrelid) ~ '(nextval|setval|advisory|setseed)')
  UNION SELECT pg_catalog.format('%s has a domain that numbers its rows from a sequence', d.name)
  FROM domains d WHERE pg_catalog.pg_get_expr(d.typdefaultbin, 0) ~ '(nextval|setval|advisory|setseed)'
"""

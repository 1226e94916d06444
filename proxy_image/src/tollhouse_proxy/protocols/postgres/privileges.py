"""What the backend's role may do beyond what the policies need. Pure: rows in, findings out.

The proxy holds its policies above the role it logs in with; whatever that role cannot do, no mistake above
it can do either. Each question is one SELECT that any role may run, on PostgreSQL 14 to 18; a policy's needs
are judged by its allows and approvals alone, whoever they are about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from tollhouse_core.operation import Access, AccessKind, Verb
from tollhouse_core.policy.rules import AllowRule, ApprovalRule, FilterRule, Rule
from tollhouse_core.privileges import Excess
from tollhouse_proxy.protocols.postgres.sql.builtins import OPAQUE_FUNCTIONS
from tollhouse_proxy.protocols.postgres.sql.findings import VERBS
from tollhouse_proxy.protocols.postgres.sql.quoting import literal, name

Row = Sequence[str | None]
Rows = Sequence[Row]

MOST = 64
"""Findings told; more of them end in one line that counts the rest."""
_LARGEST = 48_000
"""Characters of all that is told: it goes into a report that other proxies share a place with."""
_LONGEST = 3500
"""Characters of one finding's SQL; what needs more becomes several."""

_DANGEROUS = sorted(OPAQUE_FUNCTIONS | {"pg_terminate_backend", "pg_cancel_backend"})
_GRANTEES = """(SELECT pg_catalog.string_agg(DISTINCT CASE WHEN a.grantee = 0 THEN 'PUBLIC'
    ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END, ', ')
  FROM pg_catalog.aclexplode({acl}) a
  WHERE a.privilege_type = {privilege}
    AND (a.grantee = 0 OR pg_catalog.pg_has_role(a.grantee, 'USAGE')))"""
_SCHEMAS = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"

QUESTIONS: Mapping[str, str] = {
    "role": """
SELECT r.rolname::text, r.rolsuper::text, r.rolbypassrls::text, r.rolcreaterole::text,
  r.rolcreatedb::text, r.rolreplication::text, pg_catalog.current_database()::text,
  (SELECT b.rolname::text FROM pg_catalog.pg_roles b WHERE b.oid = 10)
FROM pg_catalog.pg_roles r WHERE r.rolname = current_user
""",
    "members": """
WITH RECURSIVE held (granted, holder) AS (
  SELECT m.roleid, m.member FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles r ON r.oid = m.member
  WHERE r.rolname = current_user
  UNION SELECT m.roleid, m.member FROM held JOIN pg_catalog.pg_auth_members m ON m.member = held.granted)
SELECT g.rolname::text, h.rolname::text,
  (g.rolsuper OR g.rolbypassrls OR g.rolcreaterole OR g.rolreplication)::text
FROM held JOIN pg_catalog.pg_roles g ON g.oid = held.granted JOIN pg_catalog.pg_roles h ON h.oid = held.holder
WHERE g.rolname ~ '^pg_' OR g.rolsuper OR g.rolbypassrls OR g.rolcreaterole OR g.rolreplication
ORDER BY 1, 2
""",
    "owned": f"""
SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
    WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END,
  pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND {_SCHEMAS}
  AND pg_catalog.pg_has_role(c.relowner, 'USAGE')
UNION ALL SELECT 'SCHEMA', pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_namespace n
WHERE {_SCHEMAS} AND pg_catalog.pg_has_role(n.nspowner, 'USAGE')
UNION ALL SELECT 'DATABASE', pg_catalog.quote_ident(d.datname) FROM pg_catalog.pg_database d
WHERE d.datname = pg_catalog.current_database() AND pg_catalog.pg_has_role(d.datdba, 'USAGE')
ORDER BY 1, 2
""",
    "schemas": f"""
SELECT pg_catalog.quote_ident(n.nspname),
  {_GRANTEES.format(acl="n.nspacl", privilege="'CREATE'")}
FROM pg_catalog.pg_namespace n
WHERE {_SCHEMAS} AND pg_catalog.has_schema_privilege(n.oid, 'CREATE')
  AND NOT pg_catalog.pg_has_role(n.nspowner, 'USAGE')
ORDER BY 1
""",
    "database": f"""
SELECT pg_catalog.quote_ident(d.datname), p.privilege,
  {_GRANTEES.format(acl="coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba))", privilege="p.privilege")}
FROM pg_catalog.pg_database d, (VALUES ('CREATE'), ('TEMPORARY')) AS p (privilege)
WHERE d.datname = pg_catalog.current_database() AND pg_catalog.has_database_privilege(d.oid, p.privilege)
  AND NOT pg_catalog.pg_has_role(d.datdba, 'USAGE')
ORDER BY 2
""",
    "functions": f"""
SELECT n.nspname::text, f.proname::text, f.prosecdef::text,
  pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(f.proname) || '('
    || pg_catalog.pg_get_function_identity_arguments(f.oid) || ')',
  {_GRANTEES.format(acl="coalesce(f.proacl, pg_catalog.acldefault('f', f.proowner))", privilege="'EXECUTE'")}
FROM pg_catalog.pg_proc f JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
WHERE (f.proname IN ({", ".join(literal(one) for one in _DANGEROUS)}) OR (f.prosecdef AND {_SCHEMAS}))
  AND pg_catalog.has_function_privilege(f.oid, 'EXECUTE')
ORDER BY 4
""",
    "tables": f"""
SELECT n.nspname::text, c.relname::text, a.privilege_type,
  CASE WHEN a.grantee = 0 THEN 'PUBLIC'
    ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END,
  c.oid::text
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,
  pg_catalog.aclexplode(c.relacl) a
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND {_SCHEMAS}
  AND (a.grantee = 0 OR pg_catalog.pg_has_role(a.grantee, 'USAGE'))
  AND NOT pg_catalog.pg_has_role(c.relowner, 'USAGE')
ORDER BY 1, 2, 4, 3
""",
    "parents": """
SELECT i.inhrelid::text, i.inhparent::text FROM pg_catalog.pg_inherits i
UNION SELECT d.refobjid::text, w.ev_class::text FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid
WHERE d.classid = 2618 AND d.refclassid = 1259 AND d.refobjid <> w.ev_class
""",
    "relations": f"""
SELECT c.oid::text, n.nspname::text, c.relname::text
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND {_SCHEMAS}
""",
}
"""name -> SQL of one statement; every column is text."""

_ACTIONS = {
    "SELECT": "Select",
    "INSERT": "Insert",
    "UPDATE": "Update",
    "DELETE": "Delete",
    "TRUNCATE": "Truncate",
}
_FOR_COMMANDS = {
    "REFERENCES": ("CREATE TABLE", "ALTER TABLE"),
    "TRIGGER": ("CREATE TRIGGER",),
    "MAINTAIN": ("VACUUM", "ANALYZE", "CLUSTER", "REINDEX", "REFRESH MATERIALIZED VIEW", "LOCK TABLE"),
}
_MAKE = (
    "CREATE TABLE", "CREATE TABLE AS", "CREATE VIEW", "CREATE MATERIALIZED VIEW", "CREATE SEQUENCE",
    "CREATE FUNCTION", "CREATE PROCEDURE", "CREATE TYPE", "CREATE DOMAIN", "CREATE INDEX", "CREATE AGGREGATE",
    "CREATE OPERATOR", "CREATE EXTENSION", "CREATE FOREIGN TABLE", "CREATE COLLATION", "CREATE STATISTICS",
)  # fmt: skip
_TEMPORARY = ("CREATE TABLE", "CREATE TABLE AS", "CREATE VIEW", "CREATE SEQUENCE")
_OWN = (
    "ALTER TABLE", "DROP TABLE", "CREATE INDEX", "DROP INDEX", "ALTER VIEW", "DROP VIEW", "ALTER SEQUENCE",
    "CREATE TRIGGER", "CREATE RULE", "CREATE POLICY", "COMMENT", "GRANT", "REVOKE", "VACUUM", "ANALYZE",
    "REINDEX", "CLUSTER", "REFRESH MATERIALIZED VIEW", "ALTER SCHEMA", "DROP SCHEMA", "ALTER DATABASE",
    "CREATE VIEW", "CREATE STATISTICS",
)  # fmt: skip


class Needs:
    """What the policies of one bundle can ever allow."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        rules = tuple(rules)
        self._selectors = [one.selector for one in rules if isinstance(one, (AllowRule, ApprovalRule))]
        self._filters = " ".join(one.template.where for one in rules if isinstance(one, FilterRule))

    def command(self, *tags: str) -> bool:
        """Whether some rule opens one of these commands."""
        accesses = [Access(Verb.ADMIN, AccessKind.COMMAND, tag) for tag in tags]
        return any(selector.grants(one) for selector in self._selectors for one in accesses)

    def function(self, schema: str, called: str) -> bool:
        """Whether some rule names the function."""
        access = Access(Verb.EXECUTE, AccessKind.FUNCTION, "Execute", (schema, called))
        return any(selector.grants(access) for selector in self._selectors)

    def table(self, action: str, path: tuple[str, str], also: Sequence[tuple[str, str]]) -> bool:
        """Whether some rule opens the table for it; `also` are its parents and the views above it."""
        access = Access(VERBS[action], AccessKind.TABLE, action, path, tuple(also))
        return any(selector.grants(access) for selector in self._selectors)

    def filters_read(self, table: str) -> bool:
        """Whether a row filter may ask the table."""
        return table in self._filters


def excess(rows: Mapping[str, Rows], rules: Iterable[Rule]) -> tuple[Excess, ...]:
    """What is too much, the worst first. `rows` are the answers to QUESTIONS."""
    needs = Needs(rules)
    me = rows["role"][0]
    role, admin = me[0] or "", me[7] or "postgres"
    found = [*_attributes(me, needs), *_memberships(rows["members"])]
    if me[1] != "true":  # a superuser may do all of the rest, whatever is granted
        found += _owned(rows["owned"], admin, needs)
        found += _creating(rows, needs)
        found += _functions(rows["functions"], needs)
        found += _tables(rows, needs)
    told = [Excess(role, one.what, one.sql) for one in found]
    kept, size = 0, 0
    for one in told:
        size += len(one.what) + len(one.sql)
        kept += size <= _LARGEST
    kept = kept if kept == len(told) <= MOST else min(kept, MOST - 1)
    rest = len(told) - kept
    return (*told[:kept], *([Excess(role, f"and {rest} more", "")] if rest else []))


def _attributes(me: Row, needs: Needs) -> Iterator[Excess]:
    role = me[0] or ""
    for held, attribute, what, needed in (
        (me[1], "SUPERUSER", "is a superuser: nothing below the proxy holds it", False),
        (me[2], "BYPASSRLS", "passes by row security", False),
        (me[3], "CREATEROLE", "may make and change roles", needs.command("CREATE ROLE", "ALTER ROLE")),
        (me[4], "CREATEDB", "may make databases", needs.command("CREATE DATABASE")),
        (me[5], "REPLICATION", "may read everything as a replica", False),
    ):
        if held == "true" and not needed:
            yield Excess(role, what, f"ALTER ROLE {name(role)} NO{attribute};")


def _memberships(rows: Rows) -> Iterator[Excess]:
    for granted, holder, _ in rows:
        what = f'has the role "{granted}"' if granted else ""
        yield Excess(holder or "", what, f"REVOKE {name(granted or '')} FROM {name(holder or '')};")


def _owned(rows: Rows, admin: str, needs: Needs) -> Iterator[Excess]:
    if not rows or needs.command(*_OWN):
        return
    what = "owns {}: an owner may change and drop them, and grants do not bind"
    statements = [f"ALTER {kind} {which} OWNER TO {name(admin)};" for kind, which in rows]
    yield from _pieces(what, [f"{kind} {which}" for kind, which in rows], statements, " ".join)


def _pieces(
    what: str, objects: Sequence[str], parts: Sequence[str], joined: Callable[[Sequence[str]], str]
) -> Iterator[Excess]:
    """As many findings as their SQL needs, each of it whole."""
    start = 0
    for end in range(1, len(parts) + 1):
        if end == len(parts) or len(joined(parts[start : end + 1])) > _LONGEST:
            shown = ", ".join(objects[start : min(end, start + 5)])
            more = f" and {end - start - 5} more" if end - start > 5 else ""
            yield Excess("", what.format(shown + more)[:1000], joined(parts[start:end]))
            start = end


def _creating(rows: Mapping[str, Rows], needs: Needs) -> Iterator[Excess]:
    if not needs.command(*_MAKE):
        for schema, grantees in rows["schemas"]:
            if grantees:
                yield Excess(
                    "",
                    f"may create objects in schema {schema}",
                    f"REVOKE CREATE ON SCHEMA {schema} FROM {grantees};",
                )
    wanted = {"CREATE": ("CREATE SCHEMA", "CREATE EXTENSION", "CREATE PUBLICATION"), "TEMPORARY": _TEMPORARY}
    for database, privilege, grantees in rows["database"]:
        if grantees and not needs.command(*wanted[privilege or ""]):
            what = "temporary tables" if privilege == "TEMPORARY" else "schemas"
            yield Excess(
                "",
                f"may create {what} in database {database}",
                f"REVOKE {privilege} ON DATABASE {database} FROM {grantees};",
            )


_KINDS = {
    False: "may call {}: they run SQL given as text, or reach files, sessions or servers",
    True: "may call {}, which run with their owner's rights and which no policy names",
}


def _functions(rows: Rows, needs: Needs) -> Iterator[Excess]:
    spare: dict[tuple[bool, str], list[str]] = {}
    for schema, called, _, signature, grantees in rows:
        if grantees and not needs.function(schema or "", called or ""):
            spare.setdefault((called not in _DANGEROUS, grantees), []).append(signature or "")
    for (definer, grantees), signatures in sorted(spare.items()):

        def joined(parts: Sequence[str], grantees: str = grantees) -> str:
            return f"REVOKE EXECUTE ON FUNCTION {', '.join(parts)} FROM {grantees};"

        yield from _pieces(_KINDS[definer], signatures, signatures, joined)


def _tables(rows: Mapping[str, Rows], needs: Needs) -> Iterator[Excess]:
    above = _above(rows)
    spare: dict[tuple[str, str, str], list[str]] = {}
    for schema, table, privilege, grantee, oid in rows["tables"]:
        path = (schema or "", table or "")
        if not _needed(privilege or "", path, above(oid or ""), needs):
            spare.setdefault((*path, grantee or ""), []).append(privilege or "")
    for (schema, table, grantee), privileges in spare.items():
        listed = ", ".join(privileges)
        what = f"may {listed} on {schema}.{table}, which no policy allows"
        sql = f"REVOKE {listed} ON {name(schema)}.{name(table)} FROM {grantee};"
        yield Excess("", what, sql)


def _needed(privilege: str, path: tuple[str, str], also: Sequence[tuple[str, str]], needs: Needs) -> bool:
    if privilege in _FOR_COMMANDS:
        return needs.command(*_FOR_COMMANDS[privilege])
    if privilege == "SELECT":  # conditions of writes, masks and filters read as well
        written = any(needs.table(action, path, also) for action in _ACTIONS.values())
        return written or needs.filters_read(path[1])
    action = _ACTIONS.get(privilege)
    return action is None or needs.table(action, path, also)


def _above(rows: Mapping[str, Rows]) -> Callable[[str], list[tuple[str, str]]]:
    """Parents of a relation and views over it, at any height."""
    names = {oid or "": (schema or "", table or "") for oid, schema, table in rows["relations"]}
    edges: dict[str, list[str]] = {}
    for below, up in rows["parents"]:
        edges.setdefault(below or "", []).append(up or "")

    def found(oid: str) -> list[tuple[str, str]]:
        seen: dict[str, None] = {}
        pending = list(edges.get(oid, ()))
        while pending:
            one = pending.pop()
            if one not in seen:
                seen[one] = None
                pending += edges.get(one, ())
        return [names[one] for one in seen if one in names]

    return found

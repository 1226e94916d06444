"""The queries that read a catalog snapshot, for PostgreSQL 14 to 18, as an unprivileged role.

Every query yields text columns only. Definitions are printed under an empty search_path, so that
each name in them that is not in pg_catalog is qualified; the path is put back in the same query.

Nothing here may wait for another session: printing a definition locks the relations in it, so those
that somebody holds or awaits exclusively are left out (NULL), and read when the lock is gone.
"""

from __future__ import annotations

from collections.abc import Mapping

_UNDER_EMPTY_PATH = """
WITH before AS MATERIALIZED (
  SELECT pg_catalog.current_setting('search_path') AS path
), emptied AS MATERIALIZED (
  SELECT pg_catalog.set_config('search_path', '', true) AS done FROM before
), locked AS MATERIALIZED (
  SELECT l.relation FROM pg_catalog.pg_locks l
  WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock'
    AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
    AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d
                      WHERE d.datname = pg_catalog.current_database())
), body AS MATERIALIZED (
  {body}
), counted AS MATERIALIZED (
  SELECT pg_catalog.count(*) AS rows FROM body
), restored AS MATERIALIZED (
  SELECT pg_catalog.set_config('search_path', before.path, true) AS path
  FROM counted, before WHERE counted.rows >= 0
)
SELECT body.* FROM restored LEFT JOIN body ON true
"""


def _under_empty_path(body: str) -> str:
    return _UNDER_EMPTY_PATH.format(body=body).strip()


CATALOG_QUERIES: Mapping[str, str] = {
    "session": """
SELECT pg_catalog.array_to_json(pg_catalog.current_schemas(true))::text,
  current_user::text, session_user::text, pg_catalog.current_database()::text,
  pg_catalog.current_setting('server_version_num'),
  (SELECT n.nspname::text FROM pg_catalog.pg_namespace n WHERE n.oid = pg_catalog.pg_my_temp_schema())
""".strip(),
    "namespaces": "SELECT oid::text, nspname::text FROM pg_catalog.pg_namespace",
    "relations": """
SELECT c.oid::text, c.relnamespace::text, c.relname::text, c.relkind::text,
  c.relpersistence::text, c.relispartition::text, c.reltype::text,
  EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid AND r.ev_type <> '1')::text
FROM pg_catalog.pg_class c
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c')
  AND c.relnamespace <> 99
  AND NOT pg_catalog.pg_is_other_temp_schema(c.relnamespace)
""".strip(),
    "columns": """
SELECT a.attrelid::text, pg_catalog.json_agg(pg_catalog.json_build_array(
  a.attnum, a.attname, a.atttypid::bigint, a.atttypmod, a.attnotnull, a.attgenerated::text,
  a.attidentity::text, pg_catalog.substring(pg_catalog.format_type(a.atttypid, a.atttypmod), '\\([0-9,]+\\)')
  ) ORDER BY a.attnum)::text
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
  AND c.relnamespace <> 99 AND NOT pg_catalog.pg_is_other_temp_schema(c.relnamespace)
GROUP BY a.attrelid
""".strip(),
    "defaults": _under_empty_path(
        """
  SELECT d.adrelid::text, d.adnum::text,
    CASE WHEN emptied.done IS NOT NULL AND d.adrelid NOT IN (SELECT relation FROM locked)
      THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END
  FROM emptied, pg_catalog.pg_attrdef d JOIN pg_catalog.pg_class c ON c.oid = d.adrelid
  WHERE c.relnamespace NOT IN (11, 99)
"""
    ),
    "views": _under_empty_path(
        """
  SELECT c.oid::text, CASE WHEN emptied.done IS NOT NULL
    AND c.oid NOT IN (SELECT relation FROM locked)
    AND NOT EXISTS (
      SELECT FROM locked JOIN pg_catalog.pg_depend d ON d.refobjid = locked.relation
      JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid
      WHERE d.refclassid = 1259 AND d.classid = 2618 AND w.ev_class = c.oid)
    THEN pg_catalog.pg_get_viewdef(c.oid) END
  FROM emptied, pg_catalog.pg_class c
  WHERE c.relkind IN ('v', 'm') AND c.relnamespace <> 11
    AND c.relnamespace <> (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = 'information_schema')
    AND NOT pg_catalog.pg_is_other_temp_schema(c.relnamespace)
"""
    ),
    "inherits": "SELECT inhrelid::text, inhparent::text FROM pg_catalog.pg_inherits",
    "types": """
SELECT t.oid::text, t.typnamespace::text, t.typname::text, t.typtype::text, t.typcategory::text,
  t.typelem::text, t.typbasetype::text, t.typtypmod::text, t.typrelid::text, t.typarray::text,
  (SELECT e.extname::text FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
   WHERE d.classid = 1247 AND d.objid = t.oid AND d.refclassid = 3079 AND d.deptype = 'e' LIMIT 1),
  (t.typsubscript <> 0)::text
FROM pg_catalog.pg_type t
WHERE t.typnamespace = 11 OR t.typtype <> 'c'
  OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relnamespace <> 99)
""".strip(),
    "builtins": """
SELECT pg_catalog.string_agg(DISTINCT proname::text, ' ')
FROM pg_catalog.pg_proc WHERE pronamespace = 11
""".strip(),
    "functions": """
SELECT p.oid::text, p.pronamespace::text, p.proname::text, p.prokind::text, p.provolatile::text,
  p.prosecdef::text, l.lanname::text, p.pronargs::text, p.pronargdefaults::text,
  (p.provariadic <> 0)::text, p.proargtypes::text, p.prorettype::text,
  (SELECT e.extname::text FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
   WHERE d.classid = 1255 AND d.objid = p.oid AND d.refclassid = 3079 AND d.deptype = 'e' LIMIT 1)
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang
WHERE p.pronamespace <> 11
  AND p.pronamespace <> (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = 'information_schema')
""".strip(),
    "operators": """
SELECT o.oprnamespace::text, o.oprname::text, o.oprleft::text, o.oprright::text, o.oprcode::oid::text
FROM pg_catalog.pg_operator o WHERE o.oprnamespace <> 11
""".strip(),
    "casts": """
SELECT c.castsource::text, c.casttarget::text, c.castfunc::text, c.castcontext::text
FROM pg_catalog.pg_cast c WHERE c.oid >= 16384 AND c.castfunc <> 0
""".strip(),
    "keys": """
SELECT i.indrelid::text, i.indisprimary::text, i.indkey::text, (i.indexprs IS NOT NULL)::text
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
WHERE (i.indisunique OR i.indisexclusion) AND c.relnamespace NOT IN (11, 99)
""".strip(),
    "sequences": """
SELECT d.objid::text, d.refobjid::text
FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class c ON c.oid = d.objid AND c.relkind = 'S'
WHERE d.classid = 1259 AND d.refclassid = 1259 AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
""".strip(),
    "references": """
SELECT conrelid::text, confrelid::text, pg_catalog.array_to_string(conkey, ' '),
  pg_catalog.array_to_string(confkey, ' '), confdeltype::text, confupdtype::text
FROM pg_catalog.pg_constraint WHERE contype = 'f'
""".strip(),
}
"""name -> SQL. `Catalog.from_rows` takes the rows of each, as text (None for NULL)."""

FINGERPRINT_QUERY = """
SELECT pg_catalog.concat_ws('/',
  pg_catalog.current_setting('search_path'), current_user,
  (SELECT pg_catalog.concat(pg_catalog.count(*), '.', pg_catalog.max(xmin::text::bigint), '.',
     pg_catalog.sum(oid::bigint)) FROM pg_catalog.pg_class
     WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c')),
  (SELECT pg_catalog.concat(pg_catalog.count(*), '.', pg_catalog.max(xmin::text::bigint))
     FROM pg_catalog.pg_attribute),
  (SELECT pg_catalog.concat(pg_catalog.count(*), '.', pg_catalog.max(xmin::text::bigint))
     FROM pg_catalog.pg_namespace),
  (SELECT pg_catalog.concat(pg_catalog.count(*), '.', pg_catalog.max(xmin::text::bigint))
     FROM pg_catalog.pg_rewrite),
  (SELECT pg_catalog.concat(pg_catalog.count(*), '.', pg_catalog.max(xmin::text::bigint))
     FROM pg_catalog.pg_proc),
  (SELECT pg_catalog.concat(pg_catalog.count(*), '.', pg_catalog.max(xmin::text::bigint))
     FROM pg_catalog.pg_inherits),
  (SELECT pg_catalog.concat(pg_catalog.count(*), '.', pg_catalog.max(xmin::text::bigint))
     FROM pg_catalog.pg_operator),
  (SELECT pg_catalog.concat(pg_catalog.count(*), '.', pg_catalog.max(xmin::text::bigint))
     FROM pg_catalog.pg_cast),
  (SELECT pg_catalog.concat(pg_catalog.count(*), '.', pg_catalog.max(xmin::text::bigint))
     FROM pg_catalog.pg_type),
  (SELECT pg_catalog.concat(pg_catalog.count(*), '.', pg_catalog.max(xmin::text::bigint))
     FROM pg_catalog.pg_constraint),
  (SELECT pg_catalog.concat(pg_catalog.count(*), '.', pg_catalog.max(xmin::text::bigint))
     FROM pg_catalog.pg_attrdef),
  (SELECT pg_catalog.concat(pg_catalog.count(*), '.', pg_catalog.max(xmin::text::bigint))
     FROM pg_catalog.pg_index))
""".strip()
"""One row, one text: equal texts mean an equal catalog, seen by the same session."""

SNAPSHOT_QUERY = "SELECT pg_catalog.pg_current_snapshot()::text"
"""A gate before FINGERPRINT_QUERY that costs microseconds: as long as its answer is the same and
the session itself has run no statement that changes the catalog, no catalog has changed."""

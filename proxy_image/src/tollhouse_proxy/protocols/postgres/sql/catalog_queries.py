"""The queries that read a catalog snapshot, for PostgreSQL 14 to 18, as an unprivileged role.

Every query yields text columns only. Definitions are printed under an empty search_path, so that
each name in them that is not in pg_catalog is qualified; the path is put back in the same query.

Nothing here may wait for another session: printing a definition locks the relations in it, so those
that somebody holds or awaits exclusively are left out (NULL), and read when the lock is gone. So are views
that an old snapshot still shows and that are gone: pg_table_is_visible knows them no more.

Most sections of a snapshot can be read in part: the rows whose catalog entries are newer than an older
snapshot, and how many rows there are now (see `renewal`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Query:
    """How one section is read.

    columns: what is selected. source: FROM and WHERE. key: which of the columns identify a row; () where
    the section is only read whole. keyed: the same as a list of SQL expressions. recent: a condition on
    catalog entries, {since} in it a test of an xmin (`{since[c]}`: of alias c). parts: the parts of the
    fingerprint that move when the section may have changed. after: GROUP BY. printed: definitions are in it.
    """

    columns: str
    source: str
    parts: tuple[str, ...]
    key: tuple[int, ...] = ()
    keyed: str = ""
    recent: str = ""
    after: str = ""
    printed: bool = False

    def whole(self, condition: str = "") -> str:
        """Every row, or those that meet a condition."""
        more = f"\n  AND ({condition})" if condition else ""
        body = f"SELECT {self.columns.strip()}\n{self.source.strip()}{more}\n{self.after}".strip()
        return _UNDER_EMPTY_PATH.format(body=body).strip() if self.printed else body

    def newer(self, since: str) -> str:
        """How many rows there are, before each row that is newer (one row of NULLs where there is none); rows
        without a key are not counted: NULL is before each of them."""
        body = self.whole(self.recent.format(since=Since(since)))
        if not self.keyed:
            return f"SELECT NULL::text, body.* FROM ({body}) AS body"
        return (
            f"SELECT total.n::text, body.* FROM (SELECT pg_catalog.count(*) AS n {self.source}) AS total\n"
            f"LEFT JOIN ({body}) AS body ON true"
        )

    def keys(self) -> str:
        """One text: the keys of all rows, a line each."""
        one = f"pg_catalog.concat_ws(' ', {self.keyed})"
        return f"SELECT pg_catalog.string_agg({one}, pg_catalog.chr(10)) {self.source}"


@dataclass(frozen=True, slots=True)
class Since:
    """Which catalog entries are newer than a snapshot: `{since[c]}` is the test for alias c.

    `xid`: the oldest transaction that was running then. What such a snapshot did not see was written by that
    transaction or a later one; ages are compared because transaction numbers wrap around.
    """

    xid: str

    def __getitem__(self, alias: str) -> str:
        return f"pg_catalog.age({alias}.xmin) <= pg_catalog.age('{self.xid}'::pg_catalog.xid)"


_NO_TOAST = "c.relnamespace <> 99 AND NOT pg_catalog.pg_is_other_temp_schema(c.relnamespace)"
_INFORMATION_SCHEMA = "(SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = 'information_schema')"
_NO_FREE_VIEW = """c.oid NOT IN (SELECT relation FROM locked)
    AND pg_catalog.pg_table_is_visible(c.oid) IS NOT NULL
    AND NOT EXISTS (
      SELECT FROM locked JOIN pg_catalog.pg_depend d ON d.refobjid = locked.relation
      JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid
      WHERE d.refclassid = 1259 AND d.classid = 2618 AND w.ev_class = c.oid)"""


def _extension(catalog: int, oid: str) -> str:
    return (
        "(SELECT e.extname::text FROM pg_catalog.pg_depend d"
        " JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid"
        f" WHERE d.classid = {catalog} AND d.objid = {oid} AND d.refclassid = 3079"
        " AND d.deptype = 'e' LIMIT 1)"
    )


SESSION = "session"

SECTIONS: Mapping[str, Query] = {
    SESSION: Query(
        columns="""pg_catalog.array_to_json(pg_catalog.current_schemas(true))::text,
  current_user::text, session_user::text, pg_catalog.current_database()::text,
  pg_catalog.current_setting('server_version_num'),
  (SELECT n.nspname::text FROM pg_catalog.pg_namespace n WHERE n.oid = pg_catalog.pg_my_temp_schema()),
  (SELECT pg_catalog.json_agg(n.nspname ORDER BY n.nspname)::text FROM pg_catalog.pg_namespace n
   WHERE NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE'))""",
        source="",
        parts=(),
    ),
    "namespaces": Query("oid::text, nspname::text", "FROM pg_catalog.pg_namespace", ("namespace",), (0,)),
    "relations": Query(
        columns="""c.oid::text, c.relnamespace::text, c.relname::text, c.relkind::text,
  c.relpersistence::text, c.relispartition::text, c.reltype::text""",
        source=f"FROM pg_catalog.pg_class c\n"
        f"WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c') AND {_NO_TOAST}",
        parts=("class",),
        key=(0,),
        keyed="c.oid",
        recent="{since[c]}",
    ),
    "rules": Query(
        columns="r.oid::text, r.ev_class::text",
        source="FROM pg_catalog.pg_rewrite r WHERE r.ev_type <> '1'",
        parts=("rewrite",),
        key=(0,),
        keyed="r.oid",
        recent="{since[r]}",
    ),
    # Relations that are gone are left out by whoever takes the rows: there is no counting here.
    "columns": Query(
        columns="""a.attrelid::text, pg_catalog.json_agg(pg_catalog.json_build_array(
  a.attnum, a.attname, a.atttypid::bigint, a.atttypmod, a.attnotnull, a.attgenerated::text,
  a.attidentity::text, pg_catalog.substring(pg_catalog.format_type(a.atttypid, a.atttypmod), '\\([0-9,]+\\)')
  ) ORDER BY a.attnum) FILTER (WHERE NOT a.attisdropped)::text""",
        source="FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid\n"
        f"WHERE a.attnum > 0 AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND {_NO_TOAST}",
        parts=("attribute",),
        key=(0,),
        recent="a.attrelid IN (SELECT n.attrelid FROM pg_catalog.pg_attribute n WHERE {since[n]})",
        after="GROUP BY a.attrelid",
    ),
    "defaults": Query(
        columns="""d.adrelid::text, d.adnum::text,
    CASE WHEN emptied.done IS NOT NULL AND d.adrelid NOT IN (SELECT relation FROM locked)
      THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END""",
        source="FROM emptied, pg_catalog.pg_attrdef d JOIN pg_catalog.pg_class c ON c.oid = d.adrelid\n"
        "WHERE c.relnamespace NOT IN (11, 99)",
        parts=("attrdef",),
        key=(0, 1),
        keyed="d.adrelid, d.adnum",
        printed=True,
    ),
    "views": Query(
        columns=f"""c.oid::text,
  (SELECT w.xmin::text FROM pg_catalog.pg_rewrite w WHERE w.ev_class = c.oid AND w.rulename = '_RETURN'),
  CASE WHEN emptied.done IS NOT NULL AND {_NO_FREE_VIEW}
    THEN pg_catalog.pg_get_viewdef(c.oid) END""",
        source="FROM emptied, pg_catalog.pg_class c\n"
        f"WHERE c.relkind IN ('v', 'm') AND c.relnamespace <> 11\n"
        f"  AND c.relnamespace <> {_INFORMATION_SCHEMA}\n"
        "  AND NOT pg_catalog.pg_is_other_temp_schema(c.relnamespace)",
        parts=("rewrite", "class"),
        key=(0,),
        printed=True,
    ),
    "inherits": Query(
        columns="i.inhrelid::text, i.inhparent::text",
        source="FROM pg_catalog.pg_inherits i WHERE true",
        parts=("inherits",),
        key=(0, 1),
        keyed="i.inhrelid, i.inhparent",
        recent="{since[i]}",
    ),
    "types": Query(
        columns=f"""t.oid::text, t.typnamespace::text, t.typname::text, t.typtype::text, t.typcategory::text,
  t.typelem::text, t.typbasetype::text, t.typtypmod::text, t.typrelid::text, t.typarray::text,
  {_extension(1247, "t.oid")}, (t.typsubscript <> 0)::text""",
        source="FROM pg_catalog.pg_type t\n"
        "WHERE (t.typnamespace = 11 OR t.typtype <> 'c' OR EXISTS\n"
        "  (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relnamespace <> 99))",
        parts=("type",),
        key=(0,),
        keyed="t.oid",
        recent="{since[t]}",
    ),
    "builtins": Query(
        columns="pg_catalog.string_agg(DISTINCT proname::text, ' ')",
        source="FROM pg_catalog.pg_proc WHERE pronamespace = 11",
        parts=("builtin",),
    ),
    "functions": Query(
        columns=f"""p.oid::text, p.pronamespace::text, p.proname::text, p.prokind::text, p.provolatile::text,
  p.prosecdef::text, l.lanname::text, p.pronargs::text, p.pronargdefaults::text,
  (p.provariadic <> 0)::text, p.proargtypes::text, p.prorettype::text,
  {_extension(1255, "p.oid")}""",
        source="FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang\n"
        f"WHERE p.pronamespace <> 11 AND p.pronamespace <> {_INFORMATION_SCHEMA}",
        parts=("proc",),
        key=(0,),
        keyed="p.oid",
        recent="{since[p]}",
    ),
    "operators": Query(
        columns="o.oprnamespace::text, o.oprname::text, o.oprleft::text, o.oprright::text,"
        " o.oprcode::oid::text",
        source="FROM pg_catalog.pg_operator o WHERE o.oprnamespace <> 11",
        parts=("operator",),
        key=(0, 1, 2, 3),
        keyed="o.oprnamespace, o.oprname, o.oprleft, o.oprright",
        recent="{since[o]}",
    ),
    "casts": Query(
        columns="c.castsource::text, c.casttarget::text, c.castfunc::text, c.castcontext::text",
        source="FROM pg_catalog.pg_cast c WHERE c.oid >= 16384 AND c.castfunc <> 0",
        parts=("cast",),
        key=(0, 1),
        keyed="c.castsource, c.casttarget",
        recent="{since[c]}",
    ),
    "keys": Query(
        columns="i.indrelid::text, i.indisprimary::text, i.indkey::text, (i.indexprs IS NOT NULL)::text,"
        " i.indexrelid::text",
        source="FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indrelid\n"
        "WHERE (i.indisunique OR i.indisexclusion) AND c.relnamespace NOT IN (11, 99)",
        parts=("index",),
        key=(4,),
        keyed="i.indexrelid",
        recent="{since[i]}",
    ),
    "sequences": Query(
        columns="d.objid::text, d.refobjid::text",
        source="FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class c ON c.oid = d.objid\n"
        "WHERE c.relkind = 'S' AND d.classid = 1259 AND d.refclassid = 1259 AND d.refobjsubid > 0\n"
        "  AND d.deptype IN ('a', 'i')",
        parts=("class", "sequence"),
    ),
    "references": Query(
        columns="""o.conrelid::text, o.confrelid::text, pg_catalog.array_to_string(o.conkey, ' '),
  pg_catalog.array_to_string(o.confkey, ' '), o.confdeltype::text, o.confupdtype::text, o.oid::text""",
        source="FROM pg_catalog.pg_constraint o WHERE o.contype = 'f'",
        parts=("constraint",),
        key=(6,),
        keyed="o.oid",
        recent="{since[o]}",
    ),
}
"""name -> how it is read."""

CATALOG_QUERIES: Mapping[str, str] = {name: query.whole() for name, query in SECTIONS.items()}
"""name -> SQL of the whole section. `Catalog.from_rows` takes the rows of each, as text (None for NULL)."""

_PARTS: Mapping[str, tuple[str, str]] = {
    "class": ("pg_class", "relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c')"),
    "attribute": ("pg_attribute", "true"),
    "namespace": ("pg_namespace", "true"),
    "rewrite": ("pg_rewrite", "true"),
    "builtin": ("pg_proc", "pronamespace = 11"),
    "proc": ("pg_proc", "pronamespace <> 11"),
    "inherits": ("pg_inherits", "true"),
    "operator": ("pg_operator", "true"),
    "cast": ("pg_cast", "true"),
    "type": ("pg_type", "true"),
    "constraint": ("pg_constraint", "true"),
    "attrdef": ("pg_attrdef", "true"),
    "index": ("pg_index", "true"),
    "sequence": ("pg_sequence", "true"),
}
_AUTHORITY = "authority"
PARTS: tuple[str, ...] = ("settings", *_PARTS, _AUTHORITY)
"""What the columns of FINGERPRINT_QUERY speak of, in order. The first is the session's own; the others
are the same for all sessions that see the same catalog."""
GROUNDS: tuple[str, ...] = ("namespace", _AUTHORITY)
"""The parts that what a session may see, and its own row, follow from."""

# All the entries' transaction numbers, not the newest one: a transaction that has begun earlier may commit
# later, and numbers that are two thousand million old look newer than today's. A plain sum could be brought
# about again by who chooses what is replaced. The numbers are told by ages: casting each of them is dear.
# Entries of no age (made by initdb) count as none.
_NOW = "(SELECT pg_catalog.age('3'::pg_catalog.xid)::bigint)"
_NO_AGE = 2**31 - 1
_SEED = 4


def _part(table: str, condition: str) -> str:
    oids = ", '.', pg_catalog.sum(oid::bigint)" if table == "pg_class" else ""
    number = f"({_NOW} - pg_catalog.age(xmin)) & {2**32 - 1}"
    marks = (
        f"pg_catalog.sum(pg_catalog.hashint8extended({number}, {_SEED}))"
        f" FILTER (WHERE pg_catalog.age(xmin) <> {_NO_AGE})"
    )
    return (
        f"(SELECT pg_catalog.concat(pg_catalog.count(*), '.', {marks}{oids})"
        f" FROM pg_catalog.{table} WHERE {condition})"
    )


# Who may use which schema follows from these too. Roles are compared by what they are: the table that has
# their entries is not for everybody.
_WHO = f"""pg_catalog.concat_ws('.',
  (SELECT d.datdba FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()),
  {_part("pg_auth_members", "true")},
  (SELECT pg_catalog.sum(pg_catalog.hashtextextended(
     pg_catalog.concat_ws('.', r.oid, r.rolsuper, r.rolinherit, r.rolname), {_SEED}))
   FROM pg_catalog.pg_roles r))"""

SETTINGS_COLUMN = "pg_catalog.concat_ws('/', pg_catalog.current_setting('search_path'), current_user)"
COMMON_COLUMNS = ",\n  ".join((*(_part(*part) for part in _PARTS.values()), _WHO))
FINGERPRINT_QUERY = f"SELECT {SETTINGS_COLUMN},\n  {COMMON_COLUMNS}"
"""One row of texts, PARTS: equal rows mean an equal catalog, seen by the same session; an equal text means
that what it speaks of is equal."""

SNAPSHOT_QUERY = (
    "SELECT pg_catalog.pg_current_snapshot()::text, pg_catalog.pg_current_xact_id_if_assigned()::text"
)
"""The first column is a gate before the fingerprint that costs microseconds: as long as its answer is the
same and the session itself has run no statement that changes the catalog, no catalog has changed. The second
is NULL unless the session's transaction has written something."""

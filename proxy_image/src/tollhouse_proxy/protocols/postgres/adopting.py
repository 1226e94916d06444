"""The settings by which one session's statements are read and answered, given to another session.

Carried over is what the client has set itself, and whatever decides how values and names are written, even
where that is the role's or the database's own default: people approved what the statement means here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from tollhouse_core.operation import AccessKind, Operation
from tollhouse_proxy.protocols.postgres.hidden import Question
from tollhouse_proxy.protocols.postgres.ledger import Hidden
from tollhouse_proxy.protocols.postgres.sql.words import words

_MEANING = words("""
array_nulls backslash_quote bytea_output check_function_bodies datestyle default_table_access_method
default_tablespace default_text_search_config extra_float_digits intervalstyle lc_monetary lc_numeric lc_time
lock_timeout quote_all_identifiers row_security statement_timeout timezone timezone_abbreviations
transform_null_equals xmlbinary xmloption
""")
_NOT = ("search_path", "seed", "transaction_deferrable", "transaction_isolation", "transaction_read_only")
"""The path is taken as it is resolved; the others are the running transaction's, or nobody can tell them."""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(names))


TOLD = Question(
    f"""
SELECT pg_catalog.array_to_json(pg_catalog.current_schemas(false)::text[])::text,
  (SELECT pg_catalog.json_object_agg(s.name, s.setting)::text FROM pg_catalog.pg_settings s
   WHERE s.context = 'user' AND pg_catalog.lower(s.name) NOT IN ({_listed(_NOT)})
   AND (s.source IN ('client', 'session') OR pg_catalog.lower(s.name) IN ({_listed(_MEANING)})))
""".strip()
)
"""Asks a session for what `adopted` reads."""

_SET = """
SELECT pg_catalog.set_config(w.key, w.value, false) FROM pg_catalog.json_each_text($1) w
JOIN pg_catalog.pg_settings s ON s.name = w.key WHERE s.setting IS DISTINCT FROM w.value
""".strip()
_SET_PATH = "SELECT pg_catalog.set_config('search_path', $1, false)"
_LOOK = """
SELECT pg_catalog.array_to_json(pg_catalog.current_schemas(false)::text[])::text,
  (SELECT pg_catalog.min(w.key) FROM pg_catalog.json_each_text($1) w
   LEFT JOIN pg_catalog.pg_settings s ON s.name = w.key WHERE s.setting IS DISTINCT FROM w.value)
""".strip()
_JSON, _TEXT = 114, 25

_OURS = """
WITH named AS (
  SELECT e.value ->> 0 AS kind, e.value ->> 1 AS schema, e.value ->> 2 AS name
  FROM pg_catalog.json_array_elements($1) e
), touched AS (
  SELECT c.oid, c.relowner AS owner, pg_catalog.format('%s.%s', w.schema, w.name) AS name FROM named w
  JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema AND n.nspname <> 'pg_catalog'
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.name WHERE w.kind = 'table'
), code AS (
  SELECT o.name, t.tgfoid AS oid FROM touched o JOIN pg_catalog.pg_trigger t ON t.tgrelid = o.oid
  UNION ALL SELECT o.name, d.refobjid FROM touched o
    JOIN pg_catalog.pg_depend x ON x.refclassid = 1259 AND x.refobjid = o.oid
      AND x.classid IN (1259, 2604, 2606, 3256)
    JOIN pg_catalog.pg_depend d ON d.classid = x.classid AND d.objid = x.objid AND d.refclassid = 1255
  UNION ALL SELECT pg_catalog.format('%s.%s', w.schema, w.name), p.oid FROM named w
    JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema
    JOIN pg_catalog.pg_proc p ON p.pronamespace = n.oid AND p.proname = w.name WHERE w.kind = 'function'
), owned AS (
  SELECT name, owner FROM touched
  UNION ALL SELECT c.name, p.proowner FROM code c JOIN pg_catalog.pg_proc p ON p.oid = c.oid
  UNION ALL SELECT t.typname, t.typowner FROM pg_catalog.pg_type t
    WHERE t.oid >= 16384 AND (pg_catalog.strpos(pg_catalog.lower($2), pg_catalog.lower(t.typname)) > 0
      OR t.oid::text IN (SELECT w.name FROM named w WHERE w.kind = 'type'))
    AND t.typtype IN ('b', 'd', 'r', 'm') AND t.typelem = 0
)
SELECT pg_catalog.min(found.name COLLATE "C") FROM (
  SELECT name FROM owned WHERE pg_catalog.pg_has_role(session_user, owner, 'MEMBER')
  UNION ALL SELECT name FROM touched WHERE pg_catalog.has_table_privilege(session_user, oid, 'TRIGGER')
) found WHERE NOT (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = session_user)
""".strip()


@dataclass(frozen=True, slots=True)
class Adopted:
    """`path`: the schemas that names are looked for in, resolved; `settings`: JSON, name to value."""

    path: tuple[str, ...]
    settings: str


def adopted(hidden: Hidden) -> Adopted | None:
    """What TOLD answered; None where it did not."""
    if hidden.error is not None or not hidden.results or not hidden.results[0]:
        return None
    path, settings = hidden.results[0][0]
    return Adopted(tuple(json.loads(path or "[]")), settings or "{}")


def own_code(operation: Operation, types: Iterable[int]) -> Question:
    """Asks a session for what its own role has its hands on, or could put code of its own on, of all that an
    operation touches: such code would run with the rights of whoever runs the operation. NULL: nothing."""
    kinds = {AccessKind.TABLE: "table", AccessKind.FUNCTION: "function"}
    named = {(kinds[one.kind], *one.path[:2]) for one in operation.accesses if one.kind in kinds}
    named |= {("type", "", str(oid)) for oid in types}
    text = operation.canonical or operation.text
    return Question(_OURS, (_JSON, _TEXT), (), (json.dumps(sorted(named)).encode(), text.encode()))


def adoption(wanted: Adopted) -> list[Question]:
    """Gives a session the settings, and asks what came of it."""
    path = ", ".join('"' + name.replace('"', '""') + '"' for name in wanted.path)
    settings = (wanted.settings.encode(),)
    return [
        Question(_SET, (_JSON,), (), settings),
        Question(_SET_PATH, (_TEXT,), (), (path.encode(),)),
        Question(_LOOK, (_JSON,), (), settings),
    ]


def refuses(wanted: Adopted, hidden: Hidden) -> str:
    """Why a session is not as it was asked to be; "" when it is."""
    if hidden.error is not None:
        code = hidden.error.fields.get("C", "")
        return f"its session cannot be given the settings of yours ({code})"
    path, other = hidden.results[2][0]
    if other is not None:
        return f"its session cannot be given your {other}"
    if tuple(json.loads(path or "[]")) != wanted.path:
        found = ", ".join(wanted.path)
        return f"its role cannot look for names where yours does ({found}): it needs USAGE on those schemas"
    return ""

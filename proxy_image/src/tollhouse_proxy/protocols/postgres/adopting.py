"""The settings by which one session's statements are read and answered, given to another session.

Carried over is what the client has set itself, and whatever decides how values and names are written, even
where that is the role's or the database's own default: people approved what the statement means here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

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

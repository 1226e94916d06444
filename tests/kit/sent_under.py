"""What is sent instead of a statement under some masks and filters, nearly word for word.

`orders.id` may stand for `"orders"."id" AS "id"`, a type for `"pg_catalog"."type"`, «no email» for a mask
that shows NULL, and «fail x» for the expression over x that ends a write outside the filter.

What is in force is written in a line, with `; ` between them:

    filter orders: note = $1 ["x"]      a row filter and the identity's values
    reading orders: true                one that allows no writes
    mask customers.email null           or redact, partial, token, emails and cards (content masks)
    path a public                       the session's search_path
    default a                           the Connection's default schema
    unseen                              a cursor may be open that no statement declared
    elsewhere                           something binds to the identity, if not here
"""

from __future__ import annotations

import json
import re
from dataclasses import replace

from kit.sql_shop import KEYS, RULE, mask
from tollhouse_core.decision import ColumnMask, Obligations, RowFilter, WriteCheck
from tollhouse_core.masks import Detector, DetectorName, Mask, Nullify, Partial, Redact, Token
from tollhouse_proxy.protocols.postgres.sql import (
    CannotRewrite,
    Catalog,
    Rewritten,
    SessionSettings,
    rewrite,
    understand,
)

_MASKS: dict[str, tuple[Mask, tuple[Detector, ...]]] = {
    "null": (Nullify(), ()),
    "redact": (Redact(), ()),
    "partial": (Partial(1, 1), ()),
    "token": (Token(), ()),
    "emails": (Redact("[e]"), (Detector(DetectorName.EMAIL),)),
    "cards": (Redact("[c]"), (Detector(DetectorName.PAYMENT_CARD),)),
}
_FILTER = re.compile(r"(.+?): (.*?)(?: (\[.*\]))?")
_SHORT = (
    (r'CAST\(NULL AS [^()]*(?:\(80\))?\) AS "(\w+)"', r"«no \1»"),
    (r'"pg_catalog"\."(\w+)"', r"\1"),
    (r'"(\w+)"\."(\w+)" AS "\2"', r"\1.\2"),
    (r"CAST\(pg_catalog\.concat\('tollhouse: the row [^()]*\(CAST\((.*?) AS pg_catalog\.text\), 0\)\)"
     r" AS pg_catalog\.bool\)", r"«fail \1»"),
    (r"CAST\(pg_catalog\.concat\('tollhouse: a view [^()]*\(CAST\((.*?) AS pg_catalog\.text\), 0\)\)"
     r" AS pg_catalog\.bool\)", r"«changed»"),
)  # fmt: skip


def under(words: str) -> tuple[Obligations, SessionSettings]:
    """What is in force, from its line."""
    columns: list[ColumnMask] = []
    filters: list[RowFilter] = []
    settings, elsewhere = SessionSettings(), False
    for part in words.split("; ") if words else ():
        kind, _, rest = part.partition(" ")
        if kind in ("filter", "reading"):
            filters.append(_filter(rest, WriteCheck.CHECK if kind == "filter" else WriteCheck.DENY))
        elif kind == "mask":
            column, _, how = rest.rpartition(" ")
            table, _, column = column.rpartition(".")
            made, content = _MASKS[how]
            columns.append(mask(column, made, _path(table), content))
        elif kind == "path":
            settings = replace(settings, search_path=tuple(rest.split()))
        elif kind == "default":
            settings = replace(settings, default_schema=rest)
        elif kind == "unseen":
            settings = replace(settings, unseen_cursors=True)
        elif kind == "elsewhere":
            elsewhere = True
        else:
            raise ValueError(part)
    return Obligations(tuple(columns), tuple(filters), elsewhere=elsewhere), settings


def _filter(text: str, writes: WriteCheck) -> RowFilter:
    found = _FILTER.fullmatch(text)
    assert found is not None, text
    return RowFilter(_path(found[1]), found[2], tuple(json.loads(found[3] or "[]")), writes, RULE)


def _path(name: str) -> tuple[str, str]:
    schema, dot, table = name.partition(".")
    return (schema, table) if dot else ("public", name)


def made_under(words: str, sql: str, catalog: Catalog) -> Rewritten:
    """What is sent. Raises CannotRewrite."""
    obligations, settings = under(words)
    (statement,) = understand(sql, catalog, settings)
    return rewrite(statement, obligations, catalog, settings, KEYS)


def sent_under(words: str, sql: str, catalog: Catalog) -> str:
    """The text, or why there is none."""
    try:
        made = made_under(words, sql, catalog)
    except CannotRewrite as refused:
        return f"refused: {refused}"
    text = re.sub(r"\s+", " ", made.text).strip()
    for pattern, short in _SHORT:
        text = re.sub(pattern, short, text)
    return text if made.guards_errors else f"{text} (errors as they are)"


def rows(text: str) -> list[tuple[str, str, str]]:
    """(what is in force, statement, what is sent) of a table: `= ...` holds for the pairs of lines below."""
    found: list[tuple[str, str, str]] = []
    words = ""
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith("="):
            words = line[1:].strip()
        else:
            found.append((words, line, next(lines).strip()))
    return found

"""What is sent instead of a statement, with what always looks the same written short.

«own» is the row filter («own x»: over x for the column it reads), «fail» the expression that ends a write
outside it, «no email» the mask of that column. A column that keeps its name stands without its table.
"""

from __future__ import annotations

import re

from kit.sql_shop import KEYS, mask, row_filter
from tollhouse_core.decision import Obligations
from tollhouse_core.masks import Nullify
from tollhouse_proxy.protocols.postgres.sql import (
    CannotRewrite,
    Catalog,
    SessionSettings,
    rewrite,
    understand,
)

HIDDEN = Obligations(
    columns=(mask("email", Nullify()), mask("ssn", Nullify())),
    filters=(row_filter("tenant_id = $1", 7), row_filter("tenant_id = $1", 7, path=("public", "events"))),
)
_SHORT = [
    (r'CAST\(NULL AS [^()]*(?:\(80\))?\) AS "(email|ssn|email_norm)"', r"«no \1»"),
    (r"\(tenant_id OPERATOR\(pg_catalog\.=\) '7'\)", "«own»"),
    (r'\(SELECT «own» FROM \(SELECT (.+?) AS "tenant_id"\) AS "\w+"\)', r"«own \1»"),
    (
        r"CAST\(pg_catalog\.concat\('tollhouse: [^()]*\(CAST\([^()]*\), 0\)\) AS pg_catalog\.bool\)",
        "«fail»",
    ),
    (r'"\w+"\."(\w+)" AS "\1"', r"\1"),
    (r'"(?:pg_catalog|public)"\.|pg_catalog\.', ""),
    (r'"(\w+)"', r"\1"),
    (r"\s+", " "),
]  # fmt: skip


def sent(sql: str, catalog: Catalog, obligations: Obligations = HIDDEN) -> str:
    """The text under these obligations, or why there is none."""
    (statement,) = understand(sql, catalog, SessionSettings())
    try:
        made = rewrite(statement, obligations, catalog, SessionSettings(), KEYS)
    except CannotRewrite as refused:
        return f"refused: {refused}"
    text = made.text
    for pattern, short in _SHORT:
        text = re.sub(pattern, short, text)
    return text if made.guards_errors else f"{text} (errors as they are)"

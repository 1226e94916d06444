"""SQL understood: text and catalog in, operations and rewritten text out. No bytes, no waiting.

`Catalog` is a snapshot of the server's catalog; `understand` turns a text into Statements, each
with the Operation that is judged; `rewrite` puts masks and filters into one statement at the
source. Everything here is pure and synchronous.
"""

from __future__ import annotations

from .catalog import CATALOG_QUERIES, FINGERPRINT_QUERY, SNAPSHOT_QUERY, Catalog
from .consequences import Consequences, consequences
from .guards import OUTSIDE_FILTER
from .masks import MaskKeys
from .rewrite import rewrite
from .signs import BRIEF_QUERY, SIGNS_QUERY, Signs
from .statement import (
    CannotRewrite,
    Edit,
    EffectKind,
    NotUnderstood,
    Rewritten,
    SessionEffect,
    SessionSettings,
    Statement,
)
from .understand import split_statements, understand

__all__ = [
    "BRIEF_QUERY",
    "CATALOG_QUERIES",
    "FINGERPRINT_QUERY",
    "OUTSIDE_FILTER",
    "SIGNS_QUERY",
    "SNAPSHOT_QUERY",
    "CannotRewrite",
    "Catalog",
    "Consequences",
    "Edit",
    "EffectKind",
    "MaskKeys",
    "NotUnderstood",
    "Rewritten",
    "SessionEffect",
    "SessionSettings",
    "Signs",
    "Statement",
    "consequences",
    "rewrite",
    "split_statements",
    "understand",
]

"""PostgreSQL's part of the policy language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tollhouse_core.api.selectors import SqlSelector
from tollhouse_core.api.targets import PostgresTarget
from tollhouse_core.policy.cel_types import BOOL, INT, CelType
from tollhouse_core.policy.globs import PathGlob
from tollhouse_core.policy.language import AccessSelector, Fault, FilterTemplate, NotCompiled
from tollhouse_dialects.postgres.filters import compile_filter
from tollhouse_dialects.postgres.names import column_globs, table_globs
from tollhouse_dialects.postgres.selectors import compile_selector


class PostgresLanguage:
    """Implements `tollhouse_core.policy.language.PolicyLanguage`."""

    protocol = "postgres"
    selector_name = "sql"
    facts: Mapping[str, CelType] = {"hasWhere": BOOL, "estimatedRows": INT, "inTransaction": BOOL}
    asked_facts = frozenset({"estimatedRows"})

    def selector(self, source: object, target: object) -> AccessSelector:
        """See PolicyLanguage."""
        if not isinstance(source, SqlSelector):
            raise NotCompiled(Fault("", "expected a selector for SQL"))
        return compile_selector(source, _default_schema(target))

    def tables(self, patterns: Sequence[str], target: object) -> tuple[PathGlob, ...]:
        """See PolicyLanguage."""
        return table_globs(patterns, _default_schema(target))

    def columns(self, patterns: Sequence[str], target: object) -> tuple[PathGlob, ...]:
        """See PolicyLanguage."""
        return column_globs(patterns, _default_schema(target))

    def filter(self, where: str) -> FilterTemplate:
        """See PolicyLanguage."""
        return compile_filter(where)


def _default_schema(target: object) -> str:
    return target.default_schema if isinstance(target, PostgresTarget) else "public"

"""The Dialect that serves: `sql`, and content masks from the kits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tollhouse_core.decision import Obligations
from tollhouse_proxy.kits.content import ContentScanner
from tollhouse_proxy.kits.content_sheet import sheet_of
from tollhouse_proxy.kits.rows import Sheet
from tollhouse_proxy.ports.aside import Aside
from tollhouse_proxy.protocols.postgres import sql
from tollhouse_proxy.protocols.postgres.apart import Apart
from tollhouse_proxy.protocols.postgres.content import Scanner
from tollhouse_proxy.protocols.postgres.dialect import Dialect
from tollhouse_proxy.protocols.postgres.sql.constants import free_constants
from tollhouse_proxy.protocols.postgres.sql.masks import MaskKeys
from tollhouse_proxy.protocols.postgres.sql.renewal import Renewal
from tollhouse_proxy.protocols.postgres.sql.session_settings import may_set, split_path
from tollhouse_proxy.protocols.postgres.sql.statement import CannotRewrite, Rewritten, Statement
from tollhouse_proxy.protocols.postgres.sql.understand import Plan


@dataclass(frozen=True, slots=True)
class Scanners:
    """Several content masks, one behind the other."""

    each: Sequence[ContentScanner]
    sheet: Sheet

    @classmethod
    def of(cls, each: Sequence[ContentScanner]) -> Scanners:
        """With what the row kernel must know of them."""
        return cls(each, sheet_of(each))

    def __reduce__(self) -> tuple[object, ...]:
        """Made anew elsewhere: what a sheet points at cannot be sent."""
        return Scanners.of, (self.each,)

    def scan(self, text: str) -> str:
        """See Scanner."""
        for one in self.each:
            text = one.scan(text)
        return text

    def scan_json(self, text: str) -> str:
        """See Scanner."""
        for one in self.each:
            text = one.scan_json(text)
        return text


def sql_dialect(keys: MaskKeys, aside: Aside | None = None) -> Dialect:
    """`keys` are those of Token masks. `aside`: where long texts are read; None: here."""

    def rewrite(statement: Statement, obligations: Obligations) -> Rewritten:
        plan = statement.plan
        if not isinstance(plan, Plan):
            raise CannotRewrite("the statement was not understood here")
        return sql.rewrite(statement, obligations, plan.names.catalog, plan.names.settings, keys)

    def scanner(obligations: Obligations) -> Scanner | None:
        found = [ContentScanner(one.detectors, one.mask, _key(one.mask, keys)) for one in obligations.content]
        return Scanners.of(found) if found else None

    def constants(statement: Statement) -> frozenset[int]:
        plan = statement.plan
        if not isinstance(plan, Plan):
            return frozenset()
        touched = [*plan.found.relations.values(), *(source.relation for source in plan.found.sources)]
        if any(relation.system for relation in touched):
            return frozenset()
        return free_constants(statement.text, plan.kind, plan.body)

    def consequences(statement: Statement) -> sql.Consequences:
        plan = statement.plan
        if not isinstance(plan, Plan):
            return sql.Consequences("its text is too long to be looked at closely")
        return sql.consequences(plan.kind, plan.body, plan.found, plan.names.catalog)

    return Dialect(
        understand=sql.understand,
        split=sql.split_statements,
        rewrite=rewrite,
        renewal=Renewal,
        scanner=scanner,
        may_set=may_set,
        split_path=split_path,
        signs=sql.SIGNS_QUERY,
        brief=sql.BRIEF_QUERY,
        told=sql.Signs.of,
        snapshot=sql.SNAPSHOT_QUERY,
        constants=constants,
        consequences=consequences,
        apart=Apart(aside, keys) if aside is not None else None,
    )


def _key(mask: Any, keys: MaskKeys) -> bytes:
    scope = getattr(mask, "scope", None)
    return b"" if scope is None else keys.of(scope)

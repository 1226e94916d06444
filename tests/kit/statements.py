"""What `understand` says of one statement, in words that fit on a line."""

from __future__ import annotations

from tollhouse_proxy.protocols.postgres.sql import Catalog, SessionSettings, Statement, understand


def shown(sql: str, catalog: Catalog) -> tuple[str, str, str]:
    """(tag, what it touches, what it does to the session); names in public go without their schema."""
    (statement,) = understand(sql, catalog, SessionSettings())
    return statement.tag, _touched(statement, catalog), _session(statement)


def _touched(statement: Statement, catalog: Catalog) -> str:
    bound: set[str] = set()
    needed: set[str] = set()
    for access in statement.operation.accesses:
        words = f"{access.action} {access.object}".strip().replace("public.", "")
        (needed if access.needs_rule else bound).add(words)
    every = {f"Select {'.'.join(one.path)}".replace("public.", "") for one in catalog.user_relations()}
    if every <= bound | needed:
        bound = bound - every | {"everything"}
    return ", ".join([*sorted(needed), *sorted(f"~{one}" for one in bound - needed)])


def _session(statement: Statement) -> str:
    effect = statement.effect
    words = {
        effect.kind.value: effect.kind.value != "none",
        effect.name or "": True,
        "changes": effect.changes_catalog,
        "chains": effect.chains,
        "inner": effect.inner is not None,
        "rows": statement.returns_rows,
        "free": not statement.operation.counted,
        "literals": statement.literal_sensitive,
        "everywhere": not statement.operation.facts["hasWhere"],
    }
    return " ".join(word for word, holds in words.items() if word and holds)

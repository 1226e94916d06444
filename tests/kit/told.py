"""All that `understand` tells of one statement, in words that fit on a line.

`tag | accesses | what else masks and filters may bind to | session | the rest`. `~` stands before what needs
no rule of its own, `[also x]` behind what goes by further names. Of the rest: `$n` is the highest parameter,
`free` the bytes at which constants begin that nothing hangs on, `beforehand` why a write is not tried in a
transaction that is rolled back (`asked`: the server tells, `with defaults`: about defaults as well).
"""

from __future__ import annotations

from kit.sent_under import under
from tollhouse_core.operation import Access
from tollhouse_proxy.protocols.postgres.sql import Catalog, NotUnderstood, Statement, understand
from tollhouse_proxy.protocols.postgres.sql.consequences import consequences
from tollhouse_proxy.protocols.postgres.sql.constants import free_constants
from tollhouse_proxy.protocols.postgres.sql.findings import VERBS
from tollhouse_proxy.protocols.postgres.sql.understand import Plan

_QUERIES = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"})


def told(words: str, sql: str, catalog: Catalog) -> str:
    """The line, or the refusal with its SQLSTATE and place; several statements stand behind one another."""
    try:
        statements = understand(sql, catalog, under(words)[1])
    except NotUnderstood as refused:
        place = "" if refused.position is None else f" at {refused.position}"
        return f"refused: {refused.message} ({refused.sqlstate}{place})"
    return " ;; ".join(_told(one, catalog) for one in statements)


def _told(statement: Statement, catalog: Catalog) -> str:
    accesses = statement.operation.accesses
    reached = {one.path for one in accesses}
    named = {one.path for one in statement.operation.resources}
    every = {one.path for one in catalog.user_relations()} <= named
    bound = ["everything"] if every else sorted(_shown(one) for one in named - reached)
    columns = (
        statement.tag,
        _everything(accesses, catalog),
        ", ".join(bound),
        " ".join(_session(statement)),
        "; ".join(_rest(statement, catalog)),
    )
    return " | ".join(columns).strip()


def _shown(path: tuple[str, ...]) -> str:
    return ".".join(path).removeprefix("public.")


def _access(one: Access) -> str:
    also = f" [also {', '.join(map(_shown, one.also))}]" if one.also else ""
    verb = "" if VERBS.get(one.action, one.verb) is one.verb else f" as {one.verb.value}"
    return f"{'' if one.needs_rule else '~'}{one.action} {_shown(one.path)}".strip() + verb + also


def _everything(accesses: tuple[Access, ...], catalog: Catalog) -> str:
    tables = {one.path for one in catalog.user_relations()}
    read = {one.path for one in accesses if one.action == "Select"}
    kept = accesses
    if tables <= read:
        kept = tuple(one for one in accesses if one.needs_rule or one.action != "Select")
    words = sorted(_access(one) for one in kept) + (["~everything"] if tables <= read else [])
    return ", ".join(words)


def _session(statement: Statement) -> list[str]:
    effect, found = statement.effect, []
    if effect.kind.value != "none":
        found.append(effect.kind.value)
    found += [effect.name] if effect.name else []
    found += [f"path={','.join(effect.search_path)}"] if effect.search_path is not None else []
    if effect.inner is not None:
        inner = effect.inner
        parts = [inner.tag, *["rows"] * inner.returns_rows, *["literals"] * inner.literal_sensitive]
        found.append(f"({' '.join(parts)})")
    words = {
        "changes": effect.changes_catalog,
        "chains": effect.chains,
        "rows": statement.returns_rows,
        "free": not statement.operation.counted,
        "literals": statement.literal_sensitive,
        "everywhere": not statement.operation.facts["hasWhere"],
    }
    return [*found, *(word for word, holds in words.items() if holds)]


def _rest(statement: Statement, catalog: Catalog) -> list[str]:
    plan, found = statement.plan, []
    assert isinstance(plan, Plan)
    if statement.parameter_count:
        found.append(f"${statement.parameter_count}")
    if statement.operation.uncounted:
        found.append(f"uncounted: {statement.operation.uncounted}")
    if statement.tag in _QUERIES:
        free = sorted(free_constants(statement.text, plan.kind, plan.body))
        found += [f"free {' '.join(map(str, free))}"] if free else []
        found += [f"like {statement.operation.template}"] if statement.operation.template else []
    if statement.tag in _QUERIES - {"SELECT"} and not statement.operation.uncounted:
        known = consequences(plan.kind, plan.body, plan.found, catalog)
        asked = f"asked{' with defaults' if 'numbers its rows' in known.question else ''}"
        found.append(f"beforehand: {known.reason or asked}")
    return found

"""What a foreign key does to other tables when a row is deleted or its key changes."""

from __future__ import annotations

from collections.abc import Iterator

from .catalog import Catalog, Relation

_DELETED, _CHANGED = "c", frozenset({"c", "n", "d"})
_SET = frozenset({"n", "d"})
Step = tuple[int, str, frozenset[int] | None]
"""(table, Delete or Update, attribute numbers that are written; None for any)."""


def cascades(
    relation: Relation, action: str, columns: frozenset[int] | None, catalog: Catalog
) -> tuple[tuple[Relation, str], ...]:
    """(table, "Delete" or "Update") of all that the server does by itself, at any depth.

    `columns` are the attribute numbers an Update writes, None where that is unknown.
    """
    seen: set[Step] = set()
    pending: list[Step] = [(relation.oid, action, columns)]
    found: dict[tuple[int, str], None] = {}
    while pending:
        step = pending.pop()
        if step in seen:
            continue
        seen.add(step)
        for one in _next(step, catalog):
            found[one[:2]] = None
            pending.append(one)
    made = ((catalog.relation(oid), done) for oid, done in found)
    return tuple((one, done) for one, done in made if one is not None)


def _next(step: Step, catalog: Catalog) -> Iterator[Step]:
    oid, action, columns = step
    for member in (oid, *catalog.descendants(oid)):
        same = member == oid
        for key in catalog.references_to(member):
            # Attribute numbers of a child may be others than its parent's.
            hit = columns is None or not same or bool(columns & set(key.other_columns))
            if action == "Delete" and key.on_delete == _DELETED:
                yield key.table, "Delete", None
            elif key.on_delete in _SET if action == "Delete" else hit and key.on_update in _CHANGED:
                yield key.table, "Update", frozenset(key.columns)

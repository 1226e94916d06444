"""Which masks and filters bind to which relation, with families, views and generated columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce

from tollhouse_core.decision import ColumnMask, Obligations, RowFilter
from tollhouse_core.masks import Detector, Mask, stricter
from tollhouse_core.operation import Path
from tollhouse_dialects.postgres.parse import SqlSyntaxError, parse

from .catalog import Catalog, Relation
from .findings import parents
from .masks import Masker, MaskKeys
from .names import Names
from .nodes import Body, strings, walk, wrapped
from .reader import view_findings
from .statement import CannotRewrite


@dataclass(frozen=True, slots=True)
class ColumnEffect:
    """What one column shows: `whole` masks all of it, else what `content` finds."""

    whole: Mask | None = None
    content: tuple[tuple[tuple[Detector, ...], Mask], ...] = ()


@dataclass(frozen=True, slots=True)
class Effect:
    """What binds to one relation by itself (not what lies beneath a view)."""

    columns: tuple[tuple[str, ColumnEffect], ...] = ()
    filters: tuple[RowFilter, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.columns or self.filters)

    @property
    def masked(self) -> frozenset[str]:
        """Names of the masked columns."""
        return frozenset(name for name, _ in self.columns)


class Binding:
    """The obligations of one decision, bound to one catalog.

    `sources` and `trees` keep what stands in a relation's place, by (oid, ONLY, system columns) and alias.
    """

    def __init__(self, obligations: Obligations, names: Names, keys: MaskKeys) -> None:
        self.names = names
        self.wary = obligations.elsewhere
        """Whether views that nothing binds to must be what they were when they were judged."""
        self.catalog: Catalog = names.catalog
        self.masker = Masker(self.catalog, keys)
        self._masks: dict[Path, list[ColumnMask]] = {}
        self._filters: dict[Path, list[RowFilter]] = {}
        for mask in obligations.columns:
            self._masks.setdefault(mask.path, []).append(mask)
        for one in obligations.filters:
            self._filters.setdefault(one.path, []).append(one)
        self._effects: dict[int, Effect] = {}
        self._touched: dict[int, bool] = {}
        self.sources: dict[tuple[int, bool, tuple[str, ...]], str] = {}
        self.trees: dict[tuple[int, bool, tuple[str, ...], str], Body] = {}

    def unknown(self, relations: Iterable[Relation]) -> bool:
        """Whether some obligation binds to none of these relations (nor their parents)."""
        known = {path for relation in relations for path in self._paths(relation)}
        return bool((set(self._masks) | set(self._filters)) - known)

    def _paths(self, relation: Relation) -> tuple[Path, ...]:
        return (relation.path, *(parent.path for parent in parents(relation, self.catalog)))

    def effect(self, relation: Relation) -> Effect:
        """Masks and filters of the relation and of what it is a partition or child of."""
        known = self._effects.get(relation.oid)
        if known is None:
            known = self._effects[relation.oid] = self._effect(relation)
        return known

    def _effect(self, relation: Relation) -> Effect:
        masks = [mask for path in self._paths(relation) for mask in self._masks.get(path, ())]
        columns: dict[str, ColumnEffect] = {}
        existing = {column.name for column in self.catalog.columns(relation.oid)}
        for name in dict.fromkeys(mask.column for mask in masks):
            if name in existing:
                columns[name] = _merged([mask for mask in masks if mask.column == name])
        self._spread_to_generated(relation, columns)
        seen: dict[tuple[str, str], RowFilter] = {}
        for path in self._paths(relation):
            for one in self._filters.get(path, ()):
                key = (one.where, repr(one.values))
                seen[key] = one if key not in seen or one.writes.value == "Deny" else seen[key]
        return Effect(tuple(columns.items()), tuple(seen.values()))

    def _spread_to_generated(self, relation: Relation, columns: dict[str, ColumnEffect]) -> None:
        """A column computed from a masked one shows the same mask."""
        for column in self.catalog.columns(relation.oid):
            if not column.generated or column.name in columns:
                continue
            sources = [
                effect
                for name, effect in columns.items()
                if column.expression is None or _mentions(column.expression, name)
            ]
            if sources:
                columns[column.name] = reduce(_stricter_effect, sources)

    def touches(self, relation: Relation) -> bool:
        """Whether reading the relation must change: by itself, its children, or beneath a view."""
        known = self._touched.get(relation.oid)
        if known is None:
            known = self._touched[relation.oid] = self._touches(relation)
        return known

    def _touches(self, relation: Relation) -> bool:
        # What was found in a view holds all that lies beneath, so nothing has to be asked again.
        beneath: Iterable[Relation] = ()
        if relation.kind in ("v", "m") and not relation.system:
            beneath = view_findings(relation, self.names).relations.values()
        return any(
            self.effect(one) or any(self.effect(child) for child in self.children(one))
            for one in (relation, *beneath)
        )

    def children(self, relation: Relation) -> tuple[Relation, ...]:
        """Partitions and children at any depth."""
        found = (self.catalog.relation(oid) for oid in self.catalog.descendants(relation.oid))
        return tuple(child for child in found if child is not None)

    def differing_children(self, relation: Relation) -> tuple[Relation, ...]:
        """Children that more binds to than to the relation itself."""
        own = self.effect(relation)
        names = {column.name for column in self.catalog.columns(relation.oid)}

        def seen_from_above(effect: Effect) -> tuple[object, object]:
            columns = {name: one for name, one in effect.columns if name in names}
            return columns, {(one.where, repr(one.values)) for one in effect.filters}

        return tuple(
            child
            for child in self.children(relation)
            if seen_from_above(self.effect(child)) != seen_from_above(own)
        )

    def forbidden_origins(self, relations: Iterable[Relation]) -> frozenset[tuple[int, int]]:
        """(oid, attribute number) pairs that must not show up as the origin of an output column."""
        found: set[tuple[int, int]] = set()
        for relation in relations:
            for one in (relation, *self.children(relation)):
                masked = self.effect(one).masked
                inlined = one.kind == "v" and self.touches(one)
                for column in self.catalog.columns(one.oid):
                    if inlined or column.name in masked:
                        found.add((one.oid, column.number))
        return frozenset(found)

    def masked_expression(self, relation: Relation, column_name: str, value: str) -> str | None:
        """What a column shows, given SQL text of its raw value; None where it is not masked."""
        effect = dict(self.effect(relation).columns).get(column_name)
        if effect is None:
            return None
        column = next(one for one in self.catalog.columns(relation.oid) if one.name == column_name)
        if effect.whole is not None:
            return self.masker.expression(value, column.type, column.typmod_text, effect.whole)
        for detectors, mask in effect.content:
            value = self.masker.expression(value, column.type, column.typmod_text, mask, detectors)
        return value


def _merged(masks: list[ColumnMask]) -> ColumnEffect:
    whole = [mask.mask for mask in masks if not mask.content]
    if whole:
        return ColumnEffect(whole=reduce(stricter, whole))
    return ColumnEffect(content=tuple(dict.fromkeys((mask.content, mask.mask) for mask in masks)))


def _stricter_effect(one: ColumnEffect, other: ColumnEffect) -> ColumnEffect:
    if one.whole is not None and other.whole is not None:
        return ColumnEffect(whole=stricter(one.whole, other.whole))
    if one.whole is not None or other.whole is not None:
        return one if one.whole is not None else other
    return replace(one, content=tuple(dict.fromkeys(one.content + other.content)))


def _mentions(expression: str, column: str) -> bool:
    """Whether an expression of the catalog reads the column; yes where it cannot be read."""
    try:
        kind, body = wrapped(parse(f"SELECT {expression}")[0].tree)
    except SqlSyntaxError:
        return True
    return any(
        one == "ColumnRef" and ("A_Star" in node["fields"][-1] or column in strings(node["fields"]))
        for one, node in walk(kind, body)
    )


def refuse(message: str, hint: str) -> CannotRewrite:
    """The exception, so that callers read `raise refuse(...)`."""
    return CannotRewrite(message, hint)

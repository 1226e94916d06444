"""Putting obligations together: they add up, and where several meet the stricter holds.

Ties are broken by content, never by order: which rule is named must not depend on who wrote first.
"""

from __future__ import annotations

from collections.abc import Iterable

from tollhouse_core.decision import ColumnMask, ContentMask, RowFilter, RuleRef
from tollhouse_core.masks import Detector, Mask, Partial, strictness
from tollhouse_core.operation import Path
from tollhouse_core.policy.rules import MaskRule

_Held = tuple[Mask, RuleRef]


def stricter_of(one: _Held, other: _Held) -> _Held:
    """Of two masks the one that holds, with its rule."""
    return min(one, other, key=_strictness)


def _strictness(held: _Held) -> tuple[tuple[int, float], str, str, str]:
    mask, rule = held
    return strictness(mask), repr(mask), rule.policy, rule.rule


def column_masks(path: Path, rules: Iterable[tuple[MaskRule, tuple[str, ...]]]) -> list[ColumnMask]:
    """The masks on one resource's columns.

    For each column: first its content masks, then at most one mask on the whole value. They are
    applied in this order. A whole mask that leaves nothing of the text makes content masks
    needless; only `partial` does leave some.
    """
    whole: dict[str, _Held] = {}
    parts: dict[str, dict[Detector, _Held]] = {}
    for rule, members in rules:
        held = (rule.mask, rule.head.ref)
        for member in members:
            if not rule.content:
                whole[member] = stricter_of(whole[member], held) if member in whole else held
                continue
            _add(parts.setdefault(member, {}), rule.content, held)
    masks: list[ColumnMask] = []
    for member in sorted({*whole, *parts}):
        mask = whole.get(member)
        if mask is None or isinstance(mask[0], Partial):
            masks += [
                ColumnMask(path, member, shown, ref, detectors)
                for detectors, (shown, ref) in _grouped(parts.get(member, {}))
            ]
        if mask is not None:
            masks.append(ColumnMask(path, member, *mask))
    return masks


def content_masks(rules: Iterable[MaskRule]) -> list[ContentMask]:
    """The masks on whatever goes out, one entry for each mask that holds."""
    parts: dict[Detector, _Held] = {}
    for rule in rules:
        _add(parts, rule.content, (rule.mask, rule.head.ref))
    return [ContentMask(detectors, mask, ref) for detectors, (mask, ref) in _grouped(parts)]


def _add(parts: dict[Detector, _Held], detectors: Iterable[Detector], held: _Held) -> None:
    for detector in detectors:
        parts[detector] = stricter_of(parts[detector], held) if detector in parts else held


def _grouped(parts: dict[Detector, _Held]) -> list[tuple[tuple[Detector, ...], _Held]]:
    """Detectors that show the same mask by the same rule together; the stricter masks first."""
    groups: dict[_Held, list[Detector]] = {}
    for detector, held in parts.items():
        groups.setdefault(held, []).append(detector)
    return [
        (tuple(sorted(detectors, key=lambda each: (each.name or "", each.pattern or ""))), held)
        for held, detectors in sorted(groups.items(), key=lambda group: _strictness(group[0]))
    ]


def without_duplicates(filters: Iterable[RowFilter]) -> tuple[RowFilter, ...]:
    """Filters in order of path and rule, each once."""
    kept = {(each.path, each.rule): each for each in filters}
    return tuple(kept[key] for key in sorted(kept, key=lambda key: (key[0], key[1].policy, key[1].rule)))

"""Rules as the engine reads them: compiled, immutable, one type for each thing a rule says."""

from __future__ import annotations

from dataclasses import dataclass

from tollhouse_core.decision import (
    ApprovalTerms,
    Limit,
    Mode,
    RuleRef,
    SessionTerms,
    WriteCheck,
)
from tollhouse_core.masks import Detector, Mask
from tollhouse_core.policy.conditions import Condition
from tollhouse_core.policy.globs import PathGlob
from tollhouse_core.policy.language import AccessSelector, FilterTemplate
from tollhouse_core.policy.subjects import Subject


@dataclass(frozen=True, slots=True)
class Head:
    """What every rule has. It binds whom `subjects` cover, except whom `exempt` covers."""

    ref: RuleRef
    subjects: tuple[Subject, ...]
    exempt: tuple[Subject, ...] = ()
    mode: Mode = Mode.ENFORCE
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class AllowRule:
    """Opens what the selector grants."""

    head: Head
    selector: AccessSelector


@dataclass(frozen=True, slots=True)
class DenyRule:
    """Closes what the selector binds."""

    head: Head
    selector: AccessSelector
    message: str = ""


@dataclass(frozen=True, slots=True)
class ApprovalRule:
    """What the selector binds waits for people."""

    head: Head
    selector: AccessSelector
    terms: ApprovalTerms


@dataclass(frozen=True, slots=True)
class MaskRule:
    """With `columns` it masks those (with `content`, only what is found in them); without, it
    masks what is found in anything that goes out."""

    head: Head
    columns: tuple[PathGlob, ...]
    content: tuple[Detector, ...]
    mask: Mask


@dataclass(frozen=True, slots=True)
class FilterRule:
    """Rows of the tables exist only where the filter holds."""

    head: Head
    tables: tuple[PathGlob, ...]
    template: FilterTemplate
    writes: WriteCheck


@dataclass(frozen=True, slots=True)
class LimitRule:
    """So much per time."""

    head: Head
    limits: tuple[Limit, ...]


@dataclass(frozen=True, slots=True)
class SessionRule:
    """How long sessions last."""

    head: Head
    terms: SessionTerms


Rule = AllowRule | DenyRule | ApprovalRule | MaskRule | FilterRule | LimitRule | SessionRule

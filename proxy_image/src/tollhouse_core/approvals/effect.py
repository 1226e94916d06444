"""What an operation would touch, as people are shown it, and how far the real run may go beyond that."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tollhouse_core.api.approval_request import MAX_RELATIONS, ApprovalRequest
from tollhouse_core.api.approval_request import Effect as EffectOfRequest
from tollhouse_core.decision import ApprovalTerms, NeedsApproval, PreviewMode, RowCap, RuleRef
from tollhouse_core.policy.wording import printable

DRIFT = 2
"""So many times the rows that were counted beforehand may be written at the real run."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What is known beforehand. `estimated_rows` and `relations` are the planner's; `counted_rows` were
    written by a run that was rolled back; `note` says why there was none. None: not known."""

    estimated_rows: int | None = None
    relations: tuple[str, ...] = ()
    counted_rows: int | None = None
    note: str = ""


def effect_of(preview: Preview, terms: ApprovalTerms, *, writes_rows: bool) -> EffectOfRequest | None:
    """As a request tells it under one rule's terms; None where there is nothing to tell. What writes no rows
    has no limit of them: what a function in a SELECT writes is not counted, and people are not told it is."""
    ran = terms.preview is PreviewMode.EXECUTE
    found = EffectOfRequest(
        rows=None if preview.estimated_rows is None else max(preview.estimated_rows, 0),
        relations=tuple(printable(name, 250) for name in preview.relations[:MAX_RELATIONS]),
        counted_rows=preview.counted_rows if ran else None,
        note=(printable(preview.note, 1000) or None) if ran else None,
        max_rows=_most(preview, terms) if writes_rows else None,
    )
    return None if found == EffectOfRequest() else found


def _most(preview: Preview, terms: ApprovalTerms) -> int | None:
    if terms.max_rows is not None:
        return terms.max_rows
    if terms.preview is PreviewMode.EXECUTE and preview.counted_rows is not None:
        return DRIFT * preview.counted_rows
    return None


def row_cap(requests: Iterable[ApprovalRequest], decision: NeedsApproval | None) -> RowCap | None:
    """How many rows an operation that these requests opened may write, the least of what was approved and of
    what the rules in force say (`decision`: None where none asks any more); None: any number."""
    caps = [cap for request in requests if (cap := _cap_of(request)) is not None]
    for rule, terms in decision.terms if decision is not None else ():
        if terms.max_rows is not None:
            words = f"rule {rule.rule} allows at most {terms.max_rows}"
            caps.append(RowCap(terms.max_rows, words, rule))
    return min(caps, key=lambda cap: cap.rows, default=None)


def _cap_of(request: ApprovalRequest) -> RowCap | None:
    effect, policy = request.spec.effect, request.spec.policy
    if effect is None or effect.max_rows is None:
        return None
    name = request.metadata.name or ""
    words = f"approval {name} allows at most {effect.max_rows}"
    if effect.counted_rows is not None:
        words += f" ({effect.counted_rows} were counted beforehand)"
    return RowCap(effect.max_rows, words, RuleRef(policy.name, policy.rule, policy.rule_hash), name)


def cannot_be_held(operation_uncounted: str, decision: NeedsApproval) -> RuleRef | None:
    """The rule whose `max_rows` an operation that nobody can count cannot be held to."""
    if not operation_uncounted:
        return None
    return next((rule for rule, terms in decision.terms if terms.max_rows is not None), None)


def shown(effect: EffectOfRequest | None) -> list[tuple[str, str]]:
    """The effect in words, (title, text), for lists and messages."""
    if effect is None:
        return []
    found: list[tuple[str, str]] = []
    if effect.counted_rows is not None:
        found.append(("Rows", f"{effect.counted_rows}, counted by running it and rolling it back"))
    if effect.rows is not None:
        found.append(("Estimate", f"about {effect.rows} rows, by the planner"))
    if effect.relations:
        found.append(("Touches", ", ".join(effect.relations)))
    if effect.note:
        found.append(("Not run", effect.note))
    if effect.max_rows is not None:
        found.append(("Limit", f"rolled back and refused if it writes more than {effect.max_rows} rows"))
    return found

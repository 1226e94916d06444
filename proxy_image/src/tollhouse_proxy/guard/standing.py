"""A verdict that is given again and again: what of it is the same each time is worked out once.

What stays is the order of things: bundle, limits, audit, and only then the verdict. What goes is everything
that cannot differ between two runs of the same decision: evaluation, the record's constant parts, names.
"""

from __future__ import annotations

from dataclasses import dataclass

from tollhouse_core.audit.event import PLACE, EventKind, Form
from tollhouse_core.decision import Limit, LimitUnit, Permitted
from tollhouse_core.operation import Operation
from tollhouse_core.policy.bundle import PolicyBundle
from tollhouse_proxy.guard.records import decision_record, operation_record


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """See `ports.judging.Standing`. `matched` is the rule's own row of the counters, None where no rule
    has a name; `limits` are those that count the operation."""

    bundle: PolicyBundle
    permitted: Permitted
    operation: Operation
    form: Form
    bound_form: Form
    matched: dict[str, int] | None
    limits: tuple[Limit, ...]
    redacts: bool
    counts_results: bool


def standing_for(
    bundle: PolicyBundle,
    permitted: Permitted,
    operation: Operation,
    matched: dict[str, int] | None,
    *,
    redacts: bool,
) -> Standing:
    """`operation` without what differs from one time to the next: its text and parameters."""
    limits = permitted.obligations.limits
    return Standing(
        bundle,
        permitted,
        operation,
        _form(permitted, operation),
        _form(permitted, operation, bound=True),
        matched,
        limits,
        redacts,
        any(limit.unit is not LimitUnit.QUERIES for limit in limits),
    )


def _form(permitted: Permitted, operation: Operation, *, bound: bool = False) -> Form:
    """As `records` has it, with places for number, text and, if `bound`, parameters."""
    record = operation_record(0, operation)
    record["operation"] = record["text"] = PLACE
    if bound:
        record["parameters"] = PLACE
    record |= decision_record("allow", permitted.rule, permitted.revision)
    return Form(EventKind.OPERATION_DECIDED, tuple(record.items()))


COMPLETED = Form(
    EventKind.OPERATION_COMPLETED,
    (
        ("operation", PLACE),
        ("outcome", "Completed"),
        ("tag", PLACE),
        ("rows", PLACE),
        ("bytes", PLACE),
        ("durationMs", PLACE),
        ("errorCode", ""),
    ),
)
"""What became of an operation that simply ran."""

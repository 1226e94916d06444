"""Judging one operation. Default deny lives here.

An operation is a set of accesses. Any matching deny wins; then an access that nothing allows
denies; then any needed approval; then it is allowed. The order of rules and policies never
matters. A condition can be true, false, failed or unknown (it reads a fact nobody has asked for
yet): failed counts as the stricter outcome, unknown leads to NeedsFacts unless the operation is
denied whatever the fact says.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from tollhouse_core.decision import (
    Allow,
    ApprovalTerms,
    ColumnMask,
    Decision,
    Deny,
    Limit,
    Mode,
    NeedsApproval,
    NeedsFacts,
    Obligations,
    RowFilter,
    RuleRef,
)
from tollhouse_core.identity import Identity, Session
from tollhouse_core.operation import Access, AccessKind, Operation, Resource
from tollhouse_core.policy.applicable import AccessRules, Applicable, ResourceRules
from tollhouse_core.policy.bundle import PolicyBundle
from tollhouse_core.policy.deliberation import Deliberation, Truth
from tollhouse_core.policy.obligations import column_masks, content_masks, without_duplicates
from tollhouse_core.policy.placeholders import NoValue, value_of
from tollhouse_core.policy.rules import AllowRule, DenyRule, FilterRule
from tollhouse_core.policy.wording import printable
from tollhouse_core.scope import beyond

_NAME_LENGTH = 200
_NAMELESS = frozenset({"", "Opaque"})
_NOT_UNDERSTOOD = "part of this operation was not understood, and what is not understood is refused"


def evaluate(bundle: PolicyBundle, session: Session, operation: Operation, now: datetime) -> Decision:
    """The decision on one operation, with policy, rule and revision."""
    mine = bundle.applicable(session.identity)
    if not mine.admitted:
        message = f"denied: no policy of this connection is about {_who(session.identity)}"
        hint = "Ask who runs it to be named in a policy."
        return Deny(bundle.revision, RuleRef(), message, hint, cacheable=True)
    if session.identity.scope is not None:
        verb = beyond(session.identity.scope, session.namespace, session.connection, operation)
        if verb:
            message = f"denied: the token's scope does not cover {verb} on this connection"
            hint = "Ask for a token with a wider scope."
            return Deny(bundle.revision, RuleRef(), message, hint, cacheable=True)
    thought = Deliberation(bundle.asked_facts, session, operation, now)
    met = [(access, mine.meeting(access)) for access in operation.accesses]
    denied_by = _denied_by(thought, met)
    terms, approvable = _approvals(thought, met)
    unopened, opened_by = _unopened(thought, met, approvable, _hides(mine))
    limits = _limits(thought, mine)
    if denied_by is not None:
        message = _denied_message(denied_by)
        return _deny(bundle, thought, limits, denied_by.head.ref, message, _hint(mine, met))
    if unopened is not None:
        message = _unopened_message(unopened, session.identity)
        return _deny(bundle, thought, limits, RuleRef(), message, mine.hint(unopened.kind))
    try:
        obligations = _obligations(thought, mine, operation.resources, limits)
    except _Unfilterable as missing:
        hint = "Ask for a token that carries it."
        return _deny(bundle, thought, limits, missing.rule, missing.message, hint)
    if thought.missing:
        return NeedsFacts(bundle.revision, frozenset(thought.missing))
    if terms:
        rule = min(terms, key=_name)
        ordered = tuple((ref, terms[ref]) for ref in sorted(terms, key=_name))
        return NeedsApproval(bundle.revision, rule, ordered, obligations, thought.observed)
    return Allow(bundle.revision, opened_by, obligations, thought.observed, thought.cacheable)


_Met = Iterable[tuple[Access, AccessRules]]


def _denied_by(thought: Deliberation, met: _Met) -> DenyRule | None:
    """The deny that wins (the first by name); denies that do not bind are observed."""
    found: list[DenyRule] = []
    for _, rules in met:
        for rule in rules.denies:
            truth = thought.binds(rule.head, "deny", rule.message)
            if truth is Truth.YES and rule.head.mode is Mode.ENFORCE:
                found.append(rule)
    return min(found, key=lambda rule: _name(rule.head.ref), default=None)


def _approvals(thought: Deliberation, met: _Met) -> tuple[dict[RuleRef, ApprovalTerms], set[Access]]:
    """What people must agree to, and the accesses that opens (or would, if a fact not yet known
    says so)."""
    terms: dict[RuleRef, ApprovalTerms] = {}
    approvable: set[Access] = set()
    for access, rules in met:
        for rule, grants in rules.approvals:
            truth = thought.binds(rule.head, "requireApproval", "")
            if rule.head.mode is not Mode.ENFORCE or truth is Truth.NO:
                continue
            if truth is Truth.YES:
                terms[rule.head.ref] = rule.terms
            if grants:
                approvable.add(access)
    return terms, approvable


def _hides(mine: Applicable) -> bool:
    """Whether some column mask or row filter is about this identity."""
    return bool(mine.column_masks or mine.filters)


def _unopened(
    thought: Deliberation, met: _Met, approvable: set[Access], hides: bool
) -> tuple[Access | None, RuleRef]:
    """The first access that nothing opens, and the rule that opens the first that needs one.

    Masks and filters bind beneath a view, but not within the functions it calls: where something is hidden,
    these need a rule as if they were called."""
    always = {AccessKind.OPAQUE, AccessKind.FUNCTION} if hides else {AccessKind.OPAQUE}
    opened_by = RuleRef()
    for access, rules in met:
        if not access.needs_rule and access.kind not in always:
            continue
        opener, maybe = _opener(thought, rules)
        if opener is None and not maybe and access not in approvable:
            return access, RuleRef()
        if opener is not None and not opened_by.policy:
            opened_by = opener.head.ref
    return None, opened_by


def _opener(thought: Deliberation, rules: AccessRules) -> tuple[AllowRule | None, bool]:
    """An allow that holds, and whether one could once a fact is known."""
    if rules.opens is not None:
        return rules.opens, False
    maybe = False
    for rule in rules.allows:
        truth = thought.opens(rule.head)
        if truth is Truth.YES:
            return rule, False
        maybe = maybe or truth is Truth.UNKNOWN
    return None, maybe


def _limits(thought: Deliberation, mine: Applicable) -> tuple[Limit, ...]:
    if mine.steady_limits is not None:
        return mine.steady_limits
    return tuple(
        limit for rule in mine.limits if thought.binds_quietly(rule.head, "limit") for limit in rule.limits
    )


class _Unfilterable(Exception):
    """A filter needs a value that the identity does not have."""

    def __init__(self, rule: RuleRef, message: str) -> None:
        super().__init__(message)
        self.rule = rule
        self.message = message


def _obligations(
    thought: Deliberation, mine: Applicable, resources: Iterable[Resource], limits: tuple[Limit, ...]
) -> Obligations:
    columns: list[ColumnMask] = []
    filters: list[RowFilter] = []
    for resource in resources:
        obliging = mine.obliging(resource)
        columns += _columns(thought, resource, obliging) if obliging.steady is None else obliging.steady
        filters += [
            _row_filter(thought, resource, rule)
            for rule in obliging.filters
            if thought.binds_quietly(rule.head, "filter")
        ]
    content = mine.steady_content
    if content is None:
        content = tuple(
            content_masks(rule for rule in mine.content_masks if thought.binds_quietly(rule.head, "mask"))
        )
    kept = without_duplicates(filters) if filters else ()
    return Obligations(tuple(columns), kept, content, limits, _hides(mine))


def _columns(thought: Deliberation, resource: Resource, obliging: ResourceRules) -> list[ColumnMask]:
    masks = [each for each in obliging.masks if thought.binds_quietly(each[0].head, "mask")]
    return column_masks(resource.path, masks)


def _row_filter(thought: Deliberation, resource: Resource, rule: FilterRule) -> RowFilter:
    try:
        values = tuple(value_of(place, thought.session) for place in rule.template.placeholders)
    except NoValue as missing:
        ref = rule.head.ref
        raise _Unfilterable(
            ref, f"denied by policy {ref.policy}, rule {ref.rule}: its filter cannot be applied, {missing}"
        ) from None
    return RowFilter(resource.path, rule.template.where, values, rule.writes, rule.head.ref)


def _deny(
    bundle: PolicyBundle,
    thought: Deliberation,
    limits: tuple[Limit, ...],
    rule: RuleRef,
    message: str,
    hint: str,
) -> Deny:
    return Deny(bundle.revision, rule, message, hint, thought.observed, thought.cacheable, limits)


def _hint(mine: Applicable, met: Iterable[tuple[Access, AccessRules]]) -> str:
    kind = next((access.kind for access, rules in met if rules.denies), AccessKind.TABLE)
    return mine.hint(kind)


def _denied_message(rule: DenyRule) -> str:
    ref = rule.head.ref
    said = f": {rule.message}" if rule.message else ""
    return f"denied by policy {ref.policy}, rule {ref.rule}{said}"


def _unopened_message(access: Access, identity: Identity) -> str:
    if access.kind is AccessKind.OPAQUE:
        if access.action in _NAMELESS:
            return f"denied: {_NOT_UNDERSTOOD}"
        return f"denied: {printable(access.action, _NAME_LENGTH)} cannot be judged, and no rule can allow it"
    if access.kind is AccessKind.ROLE:
        return f"denied: no rule gives the role {printable(access.object, _NAME_LENGTH)} to {_who(identity)}"
    what = printable(f"{access.action} on {access.object}" if access.path else access.action, _NAME_LENGTH)
    return f"denied: no rule allows {what} to {_who(identity)}"


def _who(identity: Identity) -> str:
    return printable(identity.name, _NAME_LENGTH)


def _name(ref: RuleRef) -> tuple[str, str]:
    return ref.policy, ref.rule

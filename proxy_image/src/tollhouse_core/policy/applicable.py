"""The rules that concern one identity, and what of them meets one access or one resource.

Subjects are resolved once per bundle and identity, selectors once per access and resource: what
is left for each operation is a dictionary look-up, conditions, and putting obligations together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tollhouse_core.decision import ColumnMask, ContentMask, Limit, Mode
from tollhouse_core.identity import Identity
from tollhouse_core.operation import Access, AccessKind, Path, Resource
from tollhouse_core.policy.obligations import column_masks, content_masks
from tollhouse_core.policy.rules import (
    AllowRule,
    ApprovalRule,
    DenyRule,
    FilterRule,
    LimitRule,
    MaskRule,
    Rule,
    SessionRule,
)
from tollhouse_core.policy.subjects import covered
from tollhouse_core.policy.wording import listed

_MEMO_SIZE = 1024
HINT_LENGTH = 400


@dataclass(frozen=True, slots=True)
class AccessRules:
    """The rules that meet one access, in order of name.

    `opens` is an allow without a condition, if there is one: then no other is needed.
    `approvals` holds with each rule whether its approval opens the access as well.
    """

    opens: AllowRule | None
    allows: tuple[AllowRule, ...]
    denies: tuple[DenyRule, ...]
    approvals: tuple[tuple[ApprovalRule, bool], ...]


@dataclass(frozen=True, slots=True)
class ResourceRules:
    """The rules that oblige one resource; a mask with the members it names.

    `steady` holds what the masks come to, where none of them has a condition.
    """

    masks: tuple[tuple[MaskRule, tuple[str, ...]], ...]
    filters: tuple[FilterRule, ...]
    steady: tuple[ColumnMask, ...] | None


@dataclass(slots=True)
class Applicable:
    """One identity's rules of one bundle."""

    allows: tuple[AllowRule, ...]
    denies: tuple[DenyRule, ...]
    approvals: tuple[ApprovalRule, ...]
    column_masks: tuple[MaskRule, ...]
    content_masks: tuple[MaskRule, ...]
    filters: tuple[FilterRule, ...]
    limits: tuple[LimitRule, ...]
    sessions: tuple[SessionRule, ...]
    admitted: bool = field(init=False)
    """Whether any policy is about this identity at all."""
    steady_limits: tuple[Limit, ...] | None = field(init=False)
    """All limits, where none has a condition."""
    steady_content: tuple[ContentMask, ...] | None = field(init=False)
    """All content masks, where none has a condition."""
    _accesses: dict[object, AccessRules] = field(default_factory=dict)
    _resources: dict[object, ResourceRules] = field(default_factory=dict)

    def __post_init__(self) -> None:
        groups = (self.allows, self.denies, self.approvals, self.column_masks, self.content_masks)
        self.admitted = any(groups) or any((self.filters, self.limits, self.sessions))
        self.steady_limits = None
        if all(rule.head.condition is None for rule in self.limits):
            self.steady_limits = tuple(limit for rule in self.limits for limit in rule.limits)
        self.steady_content = None
        if all(rule.head.condition is None for rule in self.content_masks):
            self.steady_content = tuple(content_masks(self.content_masks))

    @property
    def only_opens(self) -> bool:
        """Whether no rule closes, hides or asks about anything: nothing takes back what an allow opens."""
        closing = (self.denies, self.approvals, self.column_masks, self.content_masks, self.filters)
        return not any(closing)

    def meeting(self, access: Access) -> AccessRules:
        """The rules that meet an access."""
        # What a selector reads, without the enums: hashing those is slow.
        key = (access.action, access.path, access.also, access.kind.value)
        found = self._accesses.get(key)
        if found is None:
            if len(self._accesses) >= _MEMO_SIZE:
                self._accesses.clear()
            found = self._accesses[key] = self._meet(access)
        return found

    def obliging(self, resource: Resource) -> ResourceRules:
        """The rules that oblige a resource."""
        key = (resource.path, resource.members, resource.also)
        found = self._resources.get(key)
        if found is None:
            if len(self._resources) >= _MEMO_SIZE:
                self._resources.clear()
            found = self._resources[key] = self._oblige(resource)
        return found

    def _meet(self, access: Access) -> AccessRules:
        allows = tuple(rule for rule in self.allows if rule.selector.grants(access))
        return AccessRules(
            next((rule for rule in allows if rule.head.condition is None), None),
            allows,
            tuple(rule for rule in self.denies if rule.selector.binds(access)),
            tuple(
                (rule, rule.selector.grants(access)) for rule in self.approvals if rule.selector.binds(access)
            ),
        )

    def _oblige(self, resource: Resource) -> ResourceRules:
        paths = (resource.path, *resource.also)
        masks: list[tuple[MaskRule, tuple[str, ...]]] = []
        for rule in self.column_masks:
            members = _members(resource, rule, paths)
            if members:
                masks.append((rule, members))
        filters = tuple(
            rule for rule in self.filters if any(glob.matches(path) for glob in rule.tables for path in paths)
        )
        steady = all(rule.head.condition is None for rule, _ in masks)
        held = tuple(column_masks(resource.path, masks)) if steady else None
        return ResourceRules(tuple(masks), filters, held)

    def hint(self, kind: AccessKind) -> str:
        """What this identity may do, what is of that kind first; bounded."""
        near: list[str] = []
        far: list[str] = []
        for allow in self.allows:
            words = allow.selector.words + (" (on a condition)" if allow.head.condition else "")
            (near if allow.selector.speaks_of(kind) else far).append(words)
        for approval in self.approvals:
            if approval.head.mode is Mode.ENFORCE:
                words = f"{approval.selector.words} (with approval)"
                (near if approval.selector.speaks_of(kind) else far).append(words)
        items = list(dict.fromkeys([*near, *far]))
        return f"Allowed: {listed(items, HINT_LENGTH)}." if items else "No rule allows you anything here."


def _members(resource: Resource, rule: MaskRule, paths: Iterable[Path]) -> tuple[str, ...]:
    """The resource's members that the rule names. Globs are narrowed to those of this resource
    first: a wide table under many rules would cost their product."""
    last = {segment for path in paths for glob in rule.columns if (segment := glob.last_of(path)) is not None}
    if not last:
        return ()
    literal = {segment.literal for segment in last}
    wild = [segment for segment in last if segment.literal is None]
    return tuple(
        member
        for member in resource.members
        if member in literal or any(segment.matches(member) for segment in wild)
    )


def applicable_to(identity: Identity, rules: Iterable[Rule]) -> Applicable:
    """The identity's part of the rules, which stay in their order."""
    mine = [rule for rule in rules if covered(rule.head.subjects, rule.head.exempt, identity)]
    masks = [rule for rule in mine if isinstance(rule, MaskRule)]
    return Applicable(
        allows=tuple(rule for rule in mine if isinstance(rule, AllowRule)),
        denies=tuple(rule for rule in mine if isinstance(rule, DenyRule)),
        approvals=tuple(rule for rule in mine if isinstance(rule, ApprovalRule)),
        column_masks=tuple(rule for rule in masks if rule.columns),
        content_masks=tuple(rule for rule in masks if not rule.columns),
        filters=tuple(rule for rule in mine if isinstance(rule, FilterRule)),
        limits=tuple(rule for rule in mine if isinstance(rule, LimitRule)),
        sessions=tuple(rule for rule in mine if isinstance(rule, SessionRule)),
    )

"""From what people wrote to rules; what cannot be compiled is reported with its path.

All problems of a policy are found in one go: nobody should have to mend a policy one mistake at a
time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tollhouse_core import decision
from tollhouse_core.api import Problem
from tollhouse_core.api import access_policy as api
from tollhouse_core.api.connection import Connection
from tollhouse_core.api.selectors import Selecting
from tollhouse_core.decision import ApprovalTerms, Limit, LimitUnit, PreviewMode, RuleRef, SessionTerms
from tollhouse_core.identity import ServiceAccountName
from tollhouse_core.masks import Bucket, Truncate
from tollhouse_core.operation import AccessKind
from tollhouse_core.policy.conditions import Condition, ConditionRefused, compile_condition, variables
from tollhouse_core.policy.language import AccessSelector, NotCompiled, PolicyLanguage
from tollhouse_core.policy.patterns import pattern_fault
from tollhouse_core.policy.rules import (
    AllowRule,
    ApprovalRule,
    DenyRule,
    FilterRule,
    Head,
    LimitRule,
    MaskRule,
    Rule,
    SessionRule,
)
from tollhouse_core.policy.subjects import Subject


@dataclass(frozen=True, slots=True)
class Compiled:
    """The rules of one policy on one Connection; `problems` is empty when all is well."""

    rules: tuple[Rule, ...]
    problems: tuple[Problem, ...]


def language_of(connection: Connection, languages: Mapping[str, PolicyLanguage]) -> PolicyLanguage | Problem:
    """The dialect of a Connection's protocol, or why there is none."""
    protocol = connection.protocol
    language = languages.get(protocol)
    if language is None:
        built = ", ".join(sorted(languages)) or "none"
        message = f"protocol {protocol} is not built yet; Connections can have: {built}"
        return Problem(f"spec.{protocol}", message, connection.title)
    return language


def compile_policy(policy: api.AccessPolicy, connection: Connection, language: PolicyLanguage) -> Compiled:
    """Compiles every rule of a policy for one Connection. Never raises for any policy."""
    compiler = _Compiler(policy, connection, language)
    rules = [rule for index, source in enumerate(policy.spec.rules) for rule in compiler.rule(index, source)]
    return Compiled(tuple(rules), tuple(compiler.problems))


def rule_hash(policy: str, rule: api.Rule) -> str:
    """The hash of one rule: what an approval was given under. Other rules do not go in."""
    document = json.dumps([policy, _plain(rule)], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(document.encode()).hexdigest()


def _plain(model: api.Rule) -> object:
    return model.model_dump(mode="json", by_alias=True)


@dataclass(slots=True)
class _Compiler:
    policy: api.AccessPolicy
    connection: Connection
    language: PolicyLanguage
    problems: list[Problem] = field(default_factory=list)

    def rule(self, index: int, source: api.Rule) -> list[Rule]:
        """The compiled rule; none when something is wrong with it."""
        before = len(self.problems)
        path = f"spec.rules[{index}]"
        head = self._head(path, source)
        compiled = self._action(f"{path}.{source.action}", head, source)
        return [compiled] if compiled is not None and len(self.problems) == before else []

    def _problem(self, path: str, message: str) -> None:
        self.problems.append(Problem(path, message, self.policy.title))

    def _faults(self, path: str, refused: NotCompiled) -> None:
        for fault in refused.faults:
            self._problem(path + fault.path, fault.message)

    def _head(self, path: str, source: api.Rule) -> Head:
        spec = self.policy.spec
        return Head(
            RuleRef(self.policy.name, source.name, rule_hash(self.policy.name, source)),
            _subjects(spec.subjects),
            (*_subjects(spec.except_), *_subjects(source.except_)),
            source.mode,
            self._condition(path, source),
        )

    def _condition(self, path: str, source: api.Rule) -> Condition | None:
        if source.when is None:
            return None
        about_session = source.session is not None
        known = variables(self.language.facts, with_operation=not about_session)
        try:
            return compile_condition(source.when, known)
        except ConditionRefused as refused:
            about_operation = about_session and "operation" in str(refused)
            hint = "; a rule on sessions knows no operation" if about_operation else ""
            self._problem(f"{path}.when", f"{refused}{hint}")
            return None

    def _action(self, path: str, head: Head, source: api.Rule) -> Rule | None:
        if source.allow is not None:
            selector = self._selector(path, source.allow)
            return AllowRule(head, selector) if selector else None
        if source.deny is not None:
            selector = self._selector(path, source.deny)
            return DenyRule(head, selector, source.deny.message or "") if selector else None
        if source.require_approval is not None:
            selector = self._selector(path, source.require_approval)
            if selector is not None and selector.speaks_of(AccessKind.ROLE):
                message = "a log-in cannot wait for people: a role is allowed or denied"
                self._problem(f"{path}.{source.require_approval.language}.roles", message)
            terms = self._approval_terms(path, source.require_approval)
            return ApprovalRule(head, selector, terms) if selector else None
        if source.mask is not None:
            return self._mask(path, head, source)
        if source.filter is not None:
            return self._filter(path, head, source.filter)
        if source.limit is not None:
            return LimitRule(head, _limits(head, source.limit))
        if source.session is not None:
            return SessionRule(head, _session_terms(head, source.session))
        self._problem(path.rpartition(".")[0], "this rule says nothing")
        return None

    def _selector(self, path: str, action: Selecting) -> AccessSelector | None:
        wanted = self.language.selector_name
        if action.language != wanted:
            self._problem(
                f"{path}.{action.language}",
                f"{self.connection.title} speaks {self.connection.protocol}, "
                f"so its rules have a selector {wanted}, not {action.language}",
            )
            return None
        try:
            return self.language.selector(action.selector, self.connection.target)
        except NotCompiled as refused:
            self._faults(f"{path}.{action.language}", refused)
            return None

    def _approval_terms(self, path: str, action: api.RequireApprovalAction) -> ApprovalTerms:
        for index, step in enumerate(action.escalation):
            if step.after.seconds >= action.expires_after.seconds:
                self._problem(
                    f"{path}.escalation[{index}].after",
                    f"the request has ended by then: it expires after {action.expires_after}",
                )
        known = self.connection.spec.approval_credentials
        if action.credential is not None and action.credential not in known:
            there = f"it has {', '.join(sorted(known))}" if known else "it has none"
            self._problem(
                f"{path}.credential",
                f"{self.connection.title} has no approvalCredentials {action.credential}; {there}",
            )
        if action.credential and (action.max_rows is not None or action.preview is PreviewMode.EXECUTE):
            self._problem(
                f"{path}.credential",
                "what runs with a credential of its own cannot be run beforehand, nor held to maxRows",
            )
        return ApprovalTerms(
            approvers(action.approvers),
            action.expires_after.seconds,
            tuple(
                decision.EscalationStep(step.after.seconds, approvers(step.approvers))
                for step in action.escalation
            ),
            action.while_waiting,
            _grant_terms(action.grant),
            action.credential or "",
            action.preview,
            action.max_rows,
        )

    def _mask(self, path: str, head: Head, source: api.Rule) -> Rule | None:
        action = source.mask
        assert action is not None
        content = tuple(entry.detector for entry in action.content or ())
        for index, detector in enumerate(content):
            fault = pattern_fault(detector.pattern) if detector.pattern is not None else ""
            if fault:
                self._problem(f"{path}.content[{index}].pattern", fault)
        if content and isinstance(action.with_.mask, Truncate | Bucket):
            self._problem(
                f"{path}.with", "truncate and bucket are for whole values, not for what is found in them"
            )
        if action.columns is None:
            return MaskRule(head, (), content, action.with_.mask)
        try:
            columns = self.language.columns(action.columns, self.connection.target)
        except NotCompiled as refused:
            self._faults(f"{path}.columns", refused)
            return None
        return MaskRule(head, columns, content, action.with_.mask)

    def _filter(self, path: str, head: Head, action: api.FilterAction) -> Rule | None:
        tables, template = None, None
        try:
            tables = self.language.tables(action.tables, self.connection.target)
        except NotCompiled as refused:
            self._faults(f"{path}.tables", refused)
        try:
            template = self.language.filter(action.where)
        except NotCompiled as refused:
            self._faults(f"{path}.where", refused)
        if tables is None or template is None:
            return None
        return FilterRule(head, tables, template, action.writes)


def _subjects(sources: Sequence[api.Subject]) -> tuple[Subject, ...]:
    return tuple(
        Subject(
            authenticated=source.authenticated is not None,
            group=source.group,
            user=source.user,
            service_account=(
                ServiceAccountName(source.service_account.namespace, source.service_account.name)
                if source.service_account
                else None
            ),
            provider=source.provider,
        )
        for source in sources
    )


def _grant_terms(source: api.Grant | None) -> decision.GrantTerms | None:
    if source is None:
        return None
    return decision.GrantTerms(source.for_.seconds if source.for_ else None, source.covers, source.uses)


def approvers(sources: Sequence[api.Approver]) -> tuple[decision.Approver, ...]:
    """Approvers in the words of the core."""
    return tuple(
        decision.Approver(source.user, source.group, source.on_behalf_of is not None, source.count)
        for source in sources
    )


def _limits(head: Head, action: api.LimitAction) -> tuple[Limit, ...]:
    amounts = (
        (LimitUnit.QUERIES, action.queries),
        (LimitUnit.ROWS, action.rows),
        (LimitUnit.BYTES, action.bytes.whole if action.bytes is not None else None),
    )
    return tuple(
        Limit(unit, amount, action.per.seconds, head.ref, head.mode)
        for unit, amount in amounts
        if amount is not None
    )


def _session_terms(head: Head, action: api.SessionAction) -> SessionTerms:
    return SessionTerms(
        action.max_duration.seconds if action.max_duration else None,
        action.idle_timeout.seconds if action.idle_timeout else None,
        head.ref,
    )

"""What is told of one statement."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tollhouse_core.decision import (
    Allow,
    ApprovalTerms,
    Deny,
    NeedsApproval,
    Obligations,
    PreviewMode,
    RuleRef,
)
from tollhouse_core.operation import Operation
from tollhouse_proxy.explaining.dry import Judged

_SIMPLE = (bool, int, str)

Rewriter = Callable[[Operation, Obligations], str]
"""The text that would be sent; raises ValueError, with words, where the obligations cannot be kept."""


def account_of(judged: Judged, rewriter: Rewriter) -> dict[str, Any]:
    """One operation as JSON values: accesses, decision, rule, obligations, the text that would be sent."""
    operation, decision = judged.operation, judged.decision
    told: dict[str, Any] = {
        "text": operation.text,
        "action": operation.action,
        "accesses": [
            {"verb": one.verb.value, "action": one.action, "object": one.object, "needsRule": one.needs_rule}
            for one in operation.accesses
        ],
        "facts": {name: value for name, value in operation.facts.items() if isinstance(value, _SIMPLE)},
    }
    match decision:
        case None:
            told |= _no(RuleRef(), judged.refused)
        case Deny():
            told |= _no(decision.rule, decision.message, decision.hint)
        case NeedsApproval():
            asked = ", ".join(f"{ref.policy}/{ref.rule}" for ref, _ in decision.terms)
            told |= {"decision": "approval", **_rule(decision.rule), "message": f"asked for by {asked}"}
            told["approvals"] = [_asked(ref, terms) for ref, terms in decision.terms]
            told |= _bound(operation, decision.obligations, rewriter)
        case Allow():
            told |= {"decision": "allow", **_rule(decision.rule)}
            told |= _bound(operation, decision.obligations, rewriter)
        case _:
            told |= _no(RuleRef(), "a fact it depends on is not known")
    if isinstance(decision, Allow | Deny | NeedsApproval):
        told["observed"] = [
            {"policy": seen.rule.policy, "rule": seen.rule.rule, "mode": seen.mode.value, "would": seen.would}
            for seen in decision.observed
        ]
    return told


def as_text(account: Mapping[str, Any]) -> str:
    """The same for people."""
    lines = [f"{account['connection']} as {account['identity']['name']}, revision {account['revision']}"]
    for number, item in enumerate(account["operations"], 1):
        lines += ["", f"{number}. {item['text']}"]
        lines += [f"   does:     {one['action']} {one['object']}".rstrip() for one in item["accesses"]]
        by = f" by policy {item['policy']}, rule {item['rule']}" if item["rule"] else ""
        lines.append(f"   decision: {item['decision']}{by}")
        lines += [f"   {name + ':':<9} {item[name]}" for name in ("message", "hint") if item.get(name)]
        lines += [line for one in item.get("approvals", ()) for line in _approval_lines(one)]
        lines += [f"   bound by: {one}" for one in item.get("obligations", ())]
        lines += [
            f"   observed: {one['mode']} {one['policy']}/{one['rule']} would {one['would']}"
            for one in item.get("observed", ())
        ]
        if item.get("sent"):
            lines.append(f"   sent:     {item['sent']}")
    return "\n".join(lines)


def _rule(rule: RuleRef) -> dict[str, str]:
    return {"policy": rule.policy, "rule": rule.rule}


def _asked(rule: RuleRef, terms: ApprovalTerms) -> dict[str, Any]:
    return {
        **_rule(rule),
        "preview": terms.preview.value,
        "maxRows": terms.max_rows,
        "credential": terms.credential or None,
    }


def _approval_lines(asked: Mapping[str, Any]) -> Iterator[str]:
    """What would be done beforehand and afterwards that is not plain, under one rule that asks."""
    rule = f"({asked['rule']})"
    if asked["preview"] == PreviewMode.EXECUTE.value:
        yield f"   preview:  run and rolled back, its rows counted, before people are asked {rule}"
    if asked["maxRows"] is not None:
        yield f"   limit:    rolled back and refused if it writes more than {asked['maxRows']} rows {rule}"
    if asked["credential"] is not None:
        yield f"   runs as:  the credential {asked['credential']}, instead of the session's own {rule}"


def _no(rule: RuleRef, message: str, hint: str = "") -> dict[str, str]:
    return {"decision": "deny", **_rule(rule), "message": message, "hint": hint}


def _bound(operation: Operation, obligations: Obligations, rewriter: Rewriter) -> dict[str, Any]:
    told: dict[str, Any] = {"obligations": [*_obligations(obligations)]}
    try:
        told["sent"] = rewriter(operation, obligations)
    except ValueError as error:
        told |= {"decision": "deny", "message": str(error)}
    return told


def _obligations(bound: Obligations) -> Iterator[str]:
    for column in bound.columns:
        mask = type(column.mask).__name__.lower()
        yield f"mask {'.'.join(column.path)}.{column.column} with {mask} ({column.rule.rule})"
    for one in bound.filters:
        yield f"filter {'.'.join(one.path)} where {one.where} ({one.rule.rule})"
    for content in bound.content:
        yield f"content mask with {type(content.mask).__name__.lower()} ({content.rule.rule})"
    for limit in bound.limits:
        yield f"limit {limit.amount} {limit.unit.value} in {limit.per_seconds:g} s ({limit.rule.rule})"

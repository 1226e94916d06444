"""Writing down what people are asked.

People decide by what they read, so nothing here may mislead them: the statement is the one that
was understood (comments and odd spelling gone), every character beyond plain ASCII is shown by its
number, long values are cut with their length told, and nothing is cut without saying so.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from tollhouse_core.api import access_policy as api
from tollhouse_core.api.approval_request import (
    ApprovalRequest,
    ApprovalRequestSpec,
    DecidingRule,
    Principal,
    RequestedAccess,
    RequestedOperation,
    Requester,
)
from tollhouse_core.api.meta import ObjectMeta
from tollhouse_core.api.quantities import Duration
from tollhouse_core.api.shape import Marker
from tollhouse_core.approvals.effect import Preview, effect_of
from tollhouse_core.decision import ApprovalTerms, Approver, Covers, RuleRef, WhileWaiting
from tollhouse_core.identity import Identity, Session
from tollhouse_core.operation import Operation
from tollhouse_core.policy.wording import printable

MAX_TEXT = 16_000
MAX_LITERAL = 200
MAX_PARAMETERS = 256
MAX_ACCESSES = 256
_LITERAL = re.compile(r"'(?:[^']|'')*'")


def make_request(
    *,
    session: Session,
    operation: Operation,
    rule: RuleRef,
    terms: ApprovalTerms,
    digest: str,
    template: str = "",
    instance: str,
    now: datetime,
    preview: Preview | None = None,
) -> ApprovalRequest:
    """The request for one rule, to be stored under a generated name. `operation` is shown as it is:
    what content masks hide must be hidden in it already; `digest` and `template` are the original's.
    `preview` None: nothing was asked about its effect."""
    holds = terms.while_waiting is WhileWaiting.HOLD
    return ApprovalRequest(
        kind="ApprovalRequest",
        metadata=ObjectMeta(
            generate_name=f"{session.connection}-", namespace=session.namespace, creation_timestamp=now
        ),
        spec=ApprovalRequestSpec(
            connection=session.connection,
            instance=instance if holds and instance else None,
            session=session.id[:128] or None,
            requester=_requester(session.identity),
            operation=_operation(session, operation, digest, template if _any_values(terms) else ""),
            effect=effect_of(
                preview if preview is not None else _known(operation),
                terms,
                writes_rows=operation.writes_rows,
            ),
            policy=DecidingRule(name=rule.policy, rule=rule.rule, rule_hash=rule.hash),
            approvers=tuple(_approver(entry) for entry in terms.approvers),
            escalation=tuple(
                api.Escalation(
                    after=_duration(step.after_seconds),
                    approvers=tuple(_approver(entry) for entry in step.approvers),
                )
                for step in terms.escalation
            ),
            grant=_grant(terms),
            credential=terms.credential or None,
            expires_at=now + timedelta(seconds=terms.expires_after_seconds),
        ),
    )


def _known(operation: Operation) -> Preview:
    """What a condition had asked for already."""
    rows = operation.facts.get("estimatedRows")
    return Preview(rows if isinstance(rows, int) and not isinstance(rows, bool) else None)


def readable(text: str) -> str:
    """A statement for people: long literals cut, nothing invisible or look-alike, bounded."""
    return printable(_LITERAL.sub(_shortened, text), MAX_TEXT)


def _shortened(literal: re.Match[str]) -> str:
    text = literal[0]
    if len(text) <= MAX_LITERAL:
        return text
    return f"{text[: MAX_LITERAL // 2]}...' ({len(text) - 2} characters)"


def _any_values(terms: ApprovalTerms) -> bool:
    return terms.grant is not None and terms.grant.covers is Covers.TEMPLATE


def _grant(terms: ApprovalTerms) -> api.Grant | None:
    grant = terms.grant
    if grant is None:
        return None
    return api.Grant(
        session=Marker() if grant.seconds is None else None,
        for_=_duration(grant.seconds) if grant.seconds is not None else None,
        covers=grant.covers,
        uses=grant.uses,
    )


def _operation(session: Session, operation: Operation, digest: str, template: str) -> RequestedOperation:
    shown = [
        "NULL" if value is None else printable(value, MAX_LITERAL)
        for value in operation.parameters[:MAX_PARAMETERS]
    ]
    if len(operation.parameters) > MAX_PARAMETERS:
        shown[-1] = f"... ({len(operation.parameters) - MAX_PARAMETERS + 1} more)"
    accesses = [
        RequestedAccess(
            action=printable(access.action, 200) or "?", object=printable(access.object, 400) or None
        )
        for access in operation.accesses[:MAX_ACCESSES]
    ]
    return RequestedOperation(
        action=printable(operation.action, 200) or None,
        text=readable(operation.canonical or operation.text),
        parameters=tuple(shown),
        accesses=tuple(dict.fromkeys(accesses)),
        database=printable(session.database, 200) or None,
        digest=digest,
        template_digest=template or None,
    )


def _requester(identity: Identity) -> Requester:
    human, account = identity.on_behalf_of, identity.service_account
    return Requester(
        name=identity.name,
        provider=identity.provider,
        groups=identity.groups[:256],
        kubernetes_user=identity.kubernetes_user or (account.kubernetes_user if account else None),
        service_account=(
            api.ServiceAccountSubject(namespace=account.namespace, name=account.name) if account else None
        ),
        on_behalf_of=(
            Principal(name=human.name, groups=human.groups[:256], kubernetes_user=human.kubernetes_user)
            if human
            else None
        ),
    )


def _approver(entry: Approver) -> api.Approver:
    return api.Approver(
        user=entry.user,
        group=entry.group,
        on_behalf_of=Marker() if entry.on_behalf_of else None,
        count=entry.count,
    )


def _duration(seconds: float) -> Duration:
    milliseconds = round(seconds * 1000)
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds % size == 0:
            return Duration(f"{milliseconds // size}{unit}", seconds)
    return Duration(f"{milliseconds}ms", seconds)

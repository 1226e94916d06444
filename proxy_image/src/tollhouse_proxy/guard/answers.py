"""What a client reads of an approval that it waits for, did not get, or cannot use."""

from __future__ import annotations

from tollhouse_core.api.approval_request import ApprovalRequest
from tollhouse_core.approvals.tally import Tally, describe, describe_grant
from tollhouse_core.decision import NeedsApproval, PreviewMode, Refusal, Refused, RuleRef
from tollhouse_core.operation import Operation


class Refusing(Exception):
    """Carries a verdict out of the steps that lead to an approval."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.message)
        self.refused = refused


def waiting(request: ApprovalRequest) -> str:
    """While people are asked."""
    who = " and ".join(describe(entry) for entry in request.spec.approvers)
    until = request.spec.expires_at.strftime("%H:%M:%S UTC")
    opens = f"; it would open {describe_grant(request.spec.grant)}" if request.spec.grant else ""
    credential = request.spec.credential
    run = f"; it would run with the credential {credential}" if credential else ""
    return f"waiting for approval {request.metadata.name} by {who}, until {until}{opens}{run}"


def ill_fitted(operation: Operation, decision: NeedsApproval) -> Refused | None:
    """Why the credential that rules name cannot be kept: known before anybody is asked."""
    credentials = decision.credentials
    if len(credentials) > 1:
        why = f"rules ask for different credentials ({', '.join(credentials)}), and it can run with one"
        hint = "Ask whoever writes the policies to let one credential be about it."
    elif credentials and any(
        terms.max_rows is not None or terms.preview is PreviewMode.EXECUTE for _, terms in decision.terms
    ):
        why = "what runs with a credential of its own cannot be previewed by running it, nor held to maxRows"
        hint = "Ask whoever writes the policies to let rules say one of them."
    elif credentials and operation.tied:
        name = credentials[0]
        why = f"it would run with the credential {name} on a session of its own, but {operation.tied}"
        hint = "Send it alone, outside of a transaction, as a statement that needs nothing of this session."
    else:
        return None
    return Refused(Refusal.DENIED, f"this cannot be approved: {why}", hint, decision.rule, decision.revision)


def pending(request: ApprovalRequest, decision: NeedsApproval) -> Refused:
    """FailFast: nobody has decided yet."""
    name, rule = request.metadata.name or "", decision.rule
    return Refused(
        Refusal.PENDING,
        f"policy {rule.policy}, rule {rule.rule}: approval {name} is pending",
        f"Send the same statement again once {name} is approved.",
        rule,
        decision.revision,
        name,
    )


def not_approved(request: ApprovalRequest, result: Tally, decision: NeedsApproval) -> Refused:
    """Denied, expired, withdrawn."""
    name, rule = request.metadata.name or "", decision.rule
    return Refused(
        Refusal.DENIED,
        f"denied by policy {rule.policy}, rule {rule.rule}: "
        f"approval {name} is {result.phase.value.lower()}: {result.message}",
        "Ask the approvers, then send the statement again to make a new request.",
        rule,
        decision.revision,
        name,
    )


def gone(name: str, decision: NeedsApproval) -> Refused:
    """Somebody deleted the request."""
    return Refused(
        Refusal.DENIED,
        f"the approval request {name} was deleted before anybody decided",
        "Send the statement again to ask anew.",
        decision.rule,
        decision.revision,
        name,
    )


def no_longer_fits(names: str, why: str, rule: RuleRef, revision: str) -> Refused:
    """What people approved is not what would run now."""
    return Refused(
        Refusal.DENIED,
        f"the approval {names} no longer fits: {why}",
        "Send the statement again to ask anew.",
        rule,
        revision,
    )


def spent(request: ApprovalRequest, revision: str) -> Refused:
    """Somebody was first, or it is over."""
    name, policy = request.metadata.name or "", request.spec.policy
    return Refused(
        Refusal.DENIED,
        f"the approval {name} has been used, withdrawn or has expired",
        "Send the statement again to ask anew.",
        RuleRef(policy.name, policy.rule),
        revision,
        name,
    )


def cannot_be_used(request: ApprovalRequest, error: Exception, revision: str) -> Refused:
    """The store does not take the use."""
    name, policy = request.metadata.name or "", request.spec.policy
    return Refused(
        Refusal.UNAVAILABLE,
        f"the approval {name} cannot be marked as used, so the operation is refused: {error}",
        "Try again later; nothing was sent to the backend.",
        RuleRef(policy.name, policy.rule),
        revision,
        name,
    )


def unavailable(message: str, decision: NeedsApproval) -> Refused:
    """Nobody can be asked now."""
    hint = "Try again later; nothing was sent to the backend."
    return Refused(Refusal.UNAVAILABLE, message, hint, decision.rule, decision.revision)


def uncounted(why: str, rule: RuleRef, revision: str) -> Refused:
    """A rule limits how many rows may be written, and nobody can tell how many these would be."""
    message = f"denied by policy {rule.policy}, rule {rule.rule}: it limits the rows written, and {why}"
    hint = "Send it as plain INSERT, UPDATE, DELETE or MERGE statements, each of one table and by itself."
    return Refused(Refusal.DENIED, message, hint, rule, revision)


def not_runnable(why: str, decision: NeedsApproval) -> Refused:
    """Nobody is asked about what would fail whatever they say."""
    message = f"nobody was asked to approve it: {why}"
    return Refused(Refusal.DENIED, message, "", decision.rule, decision.revision)

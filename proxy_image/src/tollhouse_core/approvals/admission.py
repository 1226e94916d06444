"""Votes as they are written: stamped with the caller's proven name, or refused in words.

The same table of cases holds for the admission policies inside an API server, for the operator's
webhook and for the command line of a folder; the last two call this.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from tollhouse_core.api.approval_request import ApprovalRequest, ApprovalRequestSpec, Phase, Vote
from tollhouse_core.api.shape import wire_name
from tollhouse_core.approvals.people import Voter, is_human_behind, is_proxy, is_requester, meets
from tollhouse_core.approvals.tally import alternatives, describe, tally

_PEOPLE_WRITE = frozenset({"decision", "reason"})


@dataclass(frozen=True, slots=True)
class NotAdmitted:
    """Why a change is refused: one sentence for the person who tried."""

    sentence: str

    def __str__(self) -> str:
        return self.sentence


def admit_new(new: ApprovalRequest) -> NotAdmitted | None:
    """A new request holds a question and no answers."""
    if new.spec.votes or new.spec.decision is not None or new.spec.reason is not None:
        return NotAdmitted("a new request has no decision and no votes: people vote once it is there")
    return None


def admit(
    old: ApprovalRequest, new: ApprovalRequest, user: str, groups: Collection[str], now: datetime
) -> ApprovalRequest | NotAdmitted:
    """The object to store instead of `new`, with spec.decision moved into spec.votes; or why not.

    `user` and `groups` are the caller's, as the API server (or the folder's people file) proved
    them. A change that touches no spec (labels, the operator's own) goes through as it is.
    """
    refusal = _untouched(old.spec, new.spec)
    if refusal is not None:
        return refusal
    if new.spec.decision is None:
        if new.spec.reason is not None and new.spec.reason != old.spec.reason:
            return NotAdmitted(
                "a reason alone says nothing: write spec.decision, Approved or Denied, with it"
            )
        return new
    voter = Voter(user, frozenset(groups))
    refusal = _may_vote(old, voter, now)
    if refusal is not None:
        return refusal
    vote = Vote(
        by=user, groups=tuple(sorted(groups)), decision=new.spec.decision, reason=new.spec.reason, at=now
    )
    spec = new.spec.model_copy(update={"votes": (*old.spec.votes, vote), "decision": None, "reason": None})
    return new.model_copy(update={"spec": spec})


def _untouched(old: ApprovalRequestSpec, new: ApprovalRequestSpec) -> NotAdmitted | None:
    for name in type(new).model_fields:
        if name in _PEOPLE_WRITE or getattr(old, name) == getattr(new, name):
            continue
        if name == "votes":
            return NotAdmitted(
                "spec.votes is written from the caller's proven name only, so nobody votes for somebody "
                "else: write spec.decision, Approved or Denied, and spec.reason"
            )
        return NotAdmitted(
            f"spec.{wire_name(name)} cannot be changed: what was asked stays as it was asked; "
            "only spec.decision and spec.reason are yours to write"
        )
    return None


def _may_vote(request: ApprovalRequest, voter: Voter, now: datetime) -> NotAdmitted | None:
    spec = request.spec
    standing = tally(request, now)
    if standing.phase is not Phase.PENDING:
        return NotAdmitted(
            f"it is too late to vote: the request is {standing.phase.value} ({standing.message})"
        )
    if any(vote.by == voter.name for vote in spec.votes):
        return NotAdmitted(f"{voter.name} has voted already, and a vote stays as it was cast")
    if is_requester(voter, spec.requester):
        return NotAdmitted(f"{voter.name} is the requester, and nobody approves their own request")
    if is_proxy(voter, request):
        return NotAdmitted("a proxy asks and does not vote")
    sets = alternatives(request, now)
    if any(meets(voter, entry, request) for entries in sets for entry in entries):
        return None
    if is_human_behind(voter, spec.requester):
        return NotAdmitted(
            f"{voter.name} is the person this agent works for, and this rule does not let that person decide"
        )
    who = " or ".join(dict.fromkeys(describe(entry) for entries in sets for entry in entries))
    machine = "; a ServiceAccount counts only where a rule names it" if voter.is_machine else ""
    return NotAdmitted(f"{voter.name} is not an approver of this request: it needs {who}{machine}")

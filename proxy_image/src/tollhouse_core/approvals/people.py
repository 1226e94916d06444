"""Who a voter is to a request: an approver, the requester, the human behind it, a machine.

People appear under several names: a token's, and the one the API server knows them by. Where it is
about excluding somebody, any of the names is enough and case does not matter; where it is about
counting a vote, only the exact proven name is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tollhouse_core.api.access_policy import Approver
from tollhouse_core.api.approval_request import ApprovalRequest, Requester

_SERVICE_ACCOUNT = "system:serviceaccount:"


@dataclass(frozen=True, slots=True)
class Voter:
    """A Kubernetes user and its groups, as the API server proved them."""

    name: str
    groups: frozenset[str] = frozenset()

    @property
    def is_machine(self) -> bool:
        """Whether it is a ServiceAccount."""
        return self.name.startswith(_SERVICE_ACCOUNT)


def _same(name: str, others: Iterable[str | None]) -> bool:
    folded = name.casefold()
    return any(other is not None and other.casefold() == folded for other in others)


def is_requester(voter: Voter, requester: Requester) -> bool:
    """Whether the voter is who asked, under any name."""
    account = requester.service_account
    machine = f"{_SERVICE_ACCOUNT}{account.namespace}:{account.name}" if account else None
    return _same(voter.name, (requester.name, requester.kubernetes_user, machine))


def is_human_behind(voter: Voter, requester: Requester) -> bool:
    """Whether the voter is the person the agent works for, under any name."""
    human = requester.on_behalf_of
    return human is not None and _same(voter.name, (human.name, human.kubernetes_user))


def is_proxy(voter: Voter, request: ApprovalRequest) -> bool:
    """Whether the voter is the account of the proxy that asks."""
    return voter.name == f"{_SERVICE_ACCOUNT}{request.namespace}:{request.spec.connection}-proxy"


def meets(voter: Voter, entry: Approver, request: ApprovalRequest) -> bool:
    """Whether a vote of this voter counts for this entry of the approvers."""
    requester = request.spec.requester
    if is_requester(voter, requester) or is_proxy(voter, request):
        return False
    human = requester.on_behalf_of
    if entry.on_behalf_of is not None:
        if human is None or voter.is_machine:
            return False
        return voter.name == (human.kubernetes_user or human.name)
    if is_human_behind(voter, requester):
        return False
    if entry.user is not None:
        return voter.name == entry.user
    return entry.group is not None and not voter.is_machine and entry.group in voter.groups

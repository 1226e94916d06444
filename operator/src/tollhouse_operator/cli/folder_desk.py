"""Requests as files: the command line admits votes by the rules of the API server's admission."""

from __future__ import annotations

from datetime import UTC, datetime

from tollhouse_core.api.approval_request import ApprovalRequest, Decision
from tollhouse_core.approvals.admission import NotAdmitted, admit
from tollhouse_core.approvals.tally import tally
from tollhouse_operator.cli.desks import Asked
from tollhouse_operator.cli.errors import CommandFailed, Exit
from tollhouse_operator.standalone.layout import Folder
from tollhouse_operator.standalone.people import NotYou, Person, speaker, system_user
from tollhouse_operator.standalone.requests import RequestFolder


class FolderDesk:
    """The requests of a folder."""

    def __init__(self, folder: Folder, asked: Asked) -> None:
        self._folder = folder
        self._asked = asked
        self._requests = RequestFolder(folder.approvals)

    def all(self) -> list[ApprovalRequest]:
        """See Desk."""
        wanted = self._asked.namespace
        return [one for one in self._requests.read_all() if wanted is None or one.namespace == wanted]

    def one(self, name: str) -> ApprovalRequest:
        """See Desk."""
        found = [one for one in self.all() if one.name == name]
        if not found:
            raise CommandFailed(
                f"there is no ApprovalRequest {name} in {self._folder.root}; "
                "see `tollhouse approvals list --all`"
            )
        if len(found) > 1:
            raise CommandFailed(f"{name} is in more than one namespace: give --namespace", Exit.USAGE)
        return found[0]

    def vote(self, name: str, decision: str, reason: str | None) -> ApprovalRequest:
        """See Desk."""
        voter = self._voter()
        namespace = self.one(name).namespace
        voted = self._requests.change(namespace, name, lambda one: _voted(one, voter, decision, reason))
        if voted is None:
            raise CommandFailed(f"ApprovalRequest {name} has just been removed")
        return voted

    def _voter(self) -> Person:
        try:
            asked = self._asked
            return speaker(self._folder.people, system_user(), asked.as_user, asked.as_groups)
        except NotYou as error:
            raise CommandFailed(str(error)) from error


def _voted(request: ApprovalRequest, voter: Person, decision: str, reason: str | None) -> ApprovalRequest:
    now = datetime.now(UTC)
    written = request.spec.model_copy(update={"decision": Decision(decision), "reason": reason or None})
    admitted = admit(request, request.model_copy(update={"spec": written}), voter.name, voter.groups, now)
    if isinstance(admitted, NotAdmitted):
        raise CommandFailed(str(admitted))
    standing = tally(admitted, now)
    status = admitted.status.model_copy(update={"votes": standing.votes, "message": standing.message})
    return admitted.model_copy(update={"status": status})

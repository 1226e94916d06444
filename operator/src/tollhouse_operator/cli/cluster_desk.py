"""Requests in a cluster, through the kubectl that people have: its contexts, logins and proxies are
theirs, and a vote is the patch they would write by hand."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

from tollhouse_core.api import InvalidObject, parse_object
from tollhouse_core.api.approval_request import ApprovalRequest
from tollhouse_operator.cli.desks import Asked
from tollhouse_operator.cli.errors import CommandFailed, Exit

_RESOURCE = "approvalrequests.tollhouse.dev"
_SECONDS = 30


class ClusterDesk:
    """The requests of a namespace."""

    def __init__(self, asked: Asked) -> None:
        program = shutil.which("kubectl")
        if program is None:
            raise CommandFailed(
                "neither a folder (--dir, TOLLHOUSE_DIR) nor kubectl is here: give one of them",
                Exit.UNAVAILABLE,
            )
        self._command = [program]
        for option, value in (
            ("--namespace", asked.namespace),
            ("--context", asked.context),
            ("--as", asked.as_user),
            *(("--as-group", group) for group in asked.as_groups),
        ):
            if value:
                self._command.append(f"{option}={value}")

    def all(self) -> list[ApprovalRequest]:
        """See Desk."""
        answer = self._run("get", _RESOURCE, "-o", "json", "--sort-by=.metadata.creationTimestamp")
        return [_parsed(item) for item in answer["items"]]

    def one(self, name: str) -> ApprovalRequest:
        """See Desk."""
        return _parsed(self._run("get", _RESOURCE, "-o", "json", "--", name))

    def vote(self, name: str, decision: str, reason: str | None) -> ApprovalRequest:
        """See Desk."""
        spec = {"decision": decision, **({"reason": reason} if reason else {})}
        patch = json.dumps({"spec": spec})
        return _parsed(
            self._run("patch", _RESOURCE, "--type", "merge", "-p", patch, "-o", "json", "--", name)
        )

    def _run(self, *arguments: str) -> dict[str, Any]:
        try:
            done = subprocess.run(  # noqa: S603 - kubectl, with arguments as a list
                [*self._command, *arguments], capture_output=True, text=True, check=False, timeout=_SECONDS
            )
        except subprocess.TimeoutExpired:
            raise CommandFailed(f"kubectl did not answer in {_SECONDS} s", Exit.UNAVAILABLE) from None
        if done.returncode:
            said = done.stderr.strip() or f"kubectl ended with {done.returncode}"
            unreachable = "refused" in said and "connection" in said.lower()
            raise CommandFailed(said, Exit.UNAVAILABLE if unreachable else Exit.NO)
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer


def _parsed(document: dict[str, Any]) -> ApprovalRequest:
    try:
        request = parse_object(document)
    except InvalidObject as error:
        raise CommandFailed(f"the cluster's answer is not understood: {error}", Exit.UNAVAILABLE) from error
    if not isinstance(request, ApprovalRequest):
        raise CommandFailed(f"expected an ApprovalRequest, found {request.kind}", Exit.UNAVAILABLE)
    return request

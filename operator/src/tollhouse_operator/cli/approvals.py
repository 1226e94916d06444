"""`tollhouse approvals`: what waits for people, and their votes; in a folder or in a cluster."""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tollhouse_operator.cli.desks import Asked, Desk
from tollhouse_operator.cli.durations import duration
from tollhouse_operator.cli.errors import CommandFailed, Exit
from tollhouse_operator.cli.folders import add_folder, found_folder
from tollhouse_operator.cli.output import Output

if TYPE_CHECKING:
    from tollhouse_core.api.approval_request import ApprovalRequest
    from tollhouse_core.approvals.tally import Tally

_SHOWN_TEXT = 60
_LOOK_EVERY_SECONDS = 1.0


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Declares the command."""
    parser = commands.add_parser(
        "approvals",
        help="list, show, approve, deny or await what waits for people",
        description="Works on the folder (--dir, $TOLLHOUSE_DIR, or . if it has state/), else on the "
        "cluster of your kubeconfig through kubectl.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    where = argparse.ArgumentParser(add_help=False)
    add_folder(where)
    where.add_argument("-n", "--namespace", help="the namespace (folder: any; cluster: your context's)")
    where.add_argument("--context", help="the kubeconfig context (cluster only)")
    where.add_argument("--as", dest="as_user", default="", metavar="USER", help="speak for somebody")
    where.add_argument("--as-group", action="append", default=[], metavar="G", help="with these groups")
    listing = actions.add_parser("list", parents=[common, where], help="list the requests (default)")
    listing.add_argument("--all", action="store_true", help="those that are decided, too")
    listing.set_defaults(run=run_list)
    show = actions.add_parser("show", parents=[common, where], help="one request in full")
    show.add_argument("name", metavar="NAME")
    show.set_defaults(run=run_show)
    waiting = actions.add_parser("wait", parents=[common, where], help="wait until one request is decided")
    waiting.add_argument("name", metavar="NAME")
    waiting.add_argument(
        "--timeout", type=duration, default=None, metavar="D", help="as long as this (default: to its end)"
    )
    waiting.set_defaults(run=run_wait)
    for action in ("approve", "deny"):
        vote = actions.add_parser(action, parents=[common, where], help=f"{action} one request")
        vote.add_argument("name", metavar="NAME")
        vote.add_argument("--reason", default=None, help="why, in your own words")
        vote.set_defaults(run=run_vote)


def run_list(given: argparse.Namespace, output: Output) -> Exit:
    """A table of requests."""
    from tollhouse_core.api import to_document

    found = _desk(given).all()
    if not given.all:
        found = [one for one in found if _phase(one) in {"Pending", "Approved"}]
    output.document([to_document(one) for one in found])
    if not found:
        output.line("nothing waits for anybody")
        return Exit.OK
    rows = [
        (
            one.name,
            one.spec.connection,
            one.spec.requester.name,
            _shortened(one.spec.operation.text),
            _phase(one),
            _votes(one),
            _remaining(one),
        )
        for one in found
    ]
    output.table(("NAME", "CONNECTION", "REQUESTER", "OPERATION", "PHASE", "VOTES", "EXPIRES"), rows)
    return Exit.OK


def run_show(given: argparse.Namespace, output: Output) -> Exit:
    """All of one request."""
    from tollhouse_core.api import to_document
    from tollhouse_core.approvals.effect import shown
    from tollhouse_operator.standalone.requests import dump_request

    request = _desk(given).one(given.name)
    output.document(to_document(request))
    for title, words in shown(request.spec.effect):
        output.line(f"# {title}: {words}")
    if request.spec.credential:
        words = f"approved, it runs with {request.spec.credential} instead of the session's own"
        output.line(f"# Credential: {words}")
    output.line(dump_request(request).decode().rstrip())
    return Exit.OK


def run_wait(given: argparse.Namespace, output: Output) -> Exit:
    """Status 0 once it is approved, 1 if it ends otherwise, 4 if the time is up before."""
    from tollhouse_core.api import to_document

    desk = _desk(given)
    until = None if given.timeout is None else time.monotonic() + given.timeout.total_seconds()
    while _phase(request := desk.one(given.name)) == "Pending":
        if until is not None and time.monotonic() >= until:
            raise CommandFailed(
                f"{request.name} is still pending: {_standing(request).message}", Exit.UNAVAILABLE
            )
        time.sleep(_LOOK_EVERY_SECONDS)
    output.document(to_document(request))
    standing = _standing(request)
    output.line(f"{request.name}: {standing.phase.value} ({standing.message})")
    return Exit.OK if standing.phase.value in {"Approved", "Used"} else Exit.NO


def run_vote(given: argparse.Namespace, output: Output) -> Exit:
    """Casts a vote, or says in one sentence why it does not count."""
    from tollhouse_core.api import to_document

    decision = {"approve": "Approved", "deny": "Denied"}[given.action]
    request = _desk(given).vote(given.name, decision, given.reason)
    output.document(to_document(request))
    message = f" ({request.status.message})" if request.status.message else ""
    output.line(f"{request.name}: {decision}, votes {_votes(request)}, now {_phase(request)}{message}")
    return Exit.OK


def _desk(given: argparse.Namespace) -> Desk:
    asked = Asked(given.namespace, given.context, given.as_user, tuple(given.as_group))
    folder = None if given.context else found_folder(given.dir)
    if folder is not None:
        from tollhouse_operator.cli.folder_desk import FolderDesk

        return FolderDesk(folder, asked)
    from tollhouse_operator.cli.cluster_desk import ClusterDesk

    return ClusterDesk(asked)


def _phase(request: ApprovalRequest) -> str:
    return _standing(request).phase.value


def _votes(request: ApprovalRequest) -> str:
    return _standing(request).votes


def _standing(request: ApprovalRequest) -> Tally:
    from tollhouse_core.approvals.tally import tally

    return tally(request, datetime.now(UTC))


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN_TEXT else f"{line[: _SHOWN_TEXT - 3]}..."


def _remaining(request: ApprovalRequest) -> str:
    seconds = int((request.spec.expires_at - datetime.now(UTC)).total_seconds())
    if seconds <= 0:
        return "over"
    return f"{seconds // 60}m{seconds % 60:02d}s" if seconds >= 60 else f"{seconds}s"

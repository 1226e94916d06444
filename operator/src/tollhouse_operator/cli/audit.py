"""`tollhouse audit`: proves trails, lists their sessions, plays one again."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tollhouse_operator.cli.errors import CommandFailed, Exit
from tollhouse_operator.cli.folders import add_folder, folder
from tollhouse_operator.cli.output import Output

if TYPE_CHECKING:
    from tollhouse_core.audit.line import Line
    from tollhouse_core.audit.verify import CheckSignature, Report


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Declares the command."""
    parser = commands.add_parser(
        "audit",
        help="prove, list and replay what was recorded",
        description="Reads audit files (JSON lines). Without FILE: those of the folder.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    verify = actions.add_parser(
        "verify",
        parents=[common],
        help="check that nothing was changed, taken out or put in",
        description="Exit status 0: sound. 1: broken. 3: nothing is broken, but some session has no end: "
        "it runs still, its proxy died, or its end was cut off.",
    )
    verify.add_argument(
        "--key",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="a public key (PEM) that signs; repeatable (default: the folder's)",
    )
    verify.add_argument(
        "--mixed", action="store_true", help="pass over lines that are no audit lines (a pod's log)"
    )
    verify.set_defaults(run=run_verify)
    sessions = actions.add_parser("sessions", parents=[common], help="list the sessions")
    sessions.set_defaults(run=run_sessions)
    replay = actions.add_parser("replay", parents=[common], help="play one session again as a timeline")
    replay.add_argument("session", metavar="SESSION", help="its id, or the beginning of it")
    replay.set_defaults(run=run_replay)
    for action in (verify, sessions, replay):
        action.add_argument(
            "files", metavar="FILE", type=Path, nargs="*", help="oldest first; /dev/stdin for a pipe"
        )
        add_folder(action)


def run_verify(given: argparse.Namespace, output: Output) -> Exit:
    """Says whether the trail is what was written, and where it is not."""
    from tollhouse_core.audit.verify import State, verify

    files = _files(given)
    check = _check(given)
    report = verify(_lines(files), check, mixed=given.mixed)
    for found in report.breaks:
        output.line(f"{_place(files, found.line)}: {found.fault}: {found.message}")
    if report.breaks_in_all > len(report.breaks):
        output.line(f"... and {report.breaks_in_all - len(report.breaks)} more")
    _summary(report, output)
    output.document(_report_document(report, files))
    return {State.SOUND: Exit.OK, State.OPEN: Exit.OPEN, State.BROKEN: Exit.NO}[report.state]


def run_sessions(given: argparse.Namespace, output: Output) -> Exit:
    """One line for each session."""
    from tollhouse_core.audit.timeline import sessions

    found = sessions(_readable(given))
    output.document([asdict(one) for one in found])
    rows = []
    for one in found:
        decisions = " ".join(f"{name}={count}" for name, count in sorted(one.operations.items()))
        who = one.identity + (f" for {one.on_behalf_of}" if one.on_behalf_of else "")
        rows.append(
            (one.session, one.connection, who, _time(one.started), _lasted(one), decisions, one.reason)
        )
    output.table(("SESSION", "CONNECTION", "IDENTITY", "STARTED", "LASTED", "DECISIONS", "END"), rows)
    return Exit.OK


def run_replay(given: argparse.Namespace, output: Output) -> Exit:
    """The timeline of one session."""
    from tollhouse_core.audit.timeline import replay

    # `replay SESSION FILE...`: everything that is read must be read twice.
    lines = list(_readable(given))
    known = sorted({line.session for line in lines if line.session.startswith(given.session)})
    if len(known) != 1:
        what = "no session" if not known else f"{len(known)} sessions"
        raise CommandFailed(f"{what} begin with {given.session!r}; see `tollhouse audit sessions`")
    moments = list(replay(lines, known[0]))
    for moment in moments:
        output.line(f"{moment.offset_seconds:9.3f}s  {moment.title}")
        for detail in moment.lines:
            output.line(f"{'':12}{detail}")
    output.document(
        [
            {"time": one.time.isoformat(), "offsetSeconds": one.offset_seconds, "kind": one.kind, **one.data}
            for one in moments
        ]
    )
    return Exit.OK


def _files(given: argparse.Namespace) -> Sequence[Path]:
    files: list[Path] = given.files or folder(given.dir).audit_files()
    if not files:
        raise CommandFailed("there is no audit file yet", Exit.UNAVAILABLE)
    return files


def _lines(files: Sequence[Path]) -> Iterator[bytes]:
    for path in files:
        with path.open("rb") as file:
            yield from file


def _readable(given: argparse.Namespace) -> Iterator[Line]:
    from tollhouse_core.audit.timeline import readable

    return readable(_lines(_files(given)))


def _check(given: argparse.Namespace) -> CheckSignature | None:
    """With the keys given, or the folder's own; None when there is none at all."""
    from tollhouse_operator.standalone.signatures import BadKey, signature_check

    keys: list[Path] = given.key
    if not keys:
        own = folder(given.dir).audit_public_key if not given.files or given.dir else None
        beside = [path.parent / "key.pub" for path in given.files]
        keys = [path for path in dict.fromkeys(filter(None, [own, *beside])) if path.exists()]
    try:
        return signature_check(keys) if keys else None
    except BadKey as error:
        raise CommandFailed(str(error), Exit.UNAVAILABLE) from error


def _summary(report: Report, output: Output) -> None:
    from tollhouse_core.audit.verify import State

    states = [session.state for session in report.sessions.values()]
    counts = ", ".join(f"{states.count(state)} {state.value.lower()}" for state in State)
    signed = "signatures checked" if report.signatures_checked else "signatures NOT checked (give --key)"
    lines = report.lines - report.other_lines
    output.line(f"{report.state.value}: {lines} lines, {len(states)} sessions ({counts}), {signed}")
    if report.signatures_checked and report.unsigned_lines:
        output.line(f"{report.unsigned_lines} lines are chained, but under no signature yet")
    for session in report.sessions.values():
        if session.state is State.OPEN:
            output.line(f"session {session.session} has no end: it runs still, died, or was cut off")


def _report_document(report: Report, files: Sequence[Path]) -> dict[str, Any]:
    return {
        "state": report.state.value,
        "lines": report.lines,
        "signaturesChecked": report.signatures_checked,
        "otherLines": report.other_lines,
        "unsignedLines": report.unsigned_lines,
        "sessions": [
            {"session": one.session, "state": one.state.value, "events": one.events, "signed": one.signed}
            for one in report.sessions.values()
        ],
        "breaks": [
            {
                "place": _place(files, one.line),
                "line": one.line,
                "fault": one.fault.value,
                "message": one.message,
                "session": one.session or None,
            }
            for one in report.breaks
        ],
        "breaksInAll": report.breaks_in_all,
    }


def _place(files: Sequence[Path], line: int) -> str:
    """The file and the line in it, from the line counted over all files."""
    if len(files) == 1:
        return f"{files[0]}:{line}"
    for path in files:
        with path.open("rb") as file:
            count = sum(1 for _ in itertools.islice(file, line))
        if line <= count:
            return f"{path}:{line}"
        line -= count
    return f"line {line}"


def _time(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S") if moment else ""


def _lasted(summary: Any) -> str:
    if summary.ended is None or summary.started is None:
        return "(no end)"
    return f"{(summary.ended - summary.started).total_seconds():.1f}s"

"""Proves a trail, or says at which line it stops being what was written.

Pure: lines in, a report out; the signature check is passed in. Two chains are followed at the
same time, each session's own and each writer's (`tollhouse_core.audit.chain` draws them).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from tollhouse_core.audit.chain import ENDS, head_message, session_start, trail_start
from tollhouse_core.audit.event import EventKind
from tollhouse_core.audit.line import LINE_START, BadLine, Line, changed, parse_line

MAX_PROBLEMS = 1000
"""More are counted, not kept: a file of another kind would fill the memory."""

CheckSignature = Callable[[str, bytes, bytes], bool | None]
"""(key id, message, signature) -> whether it is good; None when the key is not known."""


class State(StrEnum):
    """What can be said of a session or a trail."""

    SOUND = "Sound"
    OPEN = "Open"
    BROKEN = "Broken"


class Fault(StrEnum):
    """What sort of break it is."""

    CHANGED = "Changed"
    UNREADABLE = "Unreadable"
    TORN = "Torn"
    GAP = "Gap"
    DUPLICATE = "Duplicate"
    REORDERED = "Reordered"
    FOREIGN = "Foreign"
    AFTER_END = "AfterEnd"
    BAD_SIGNATURE = "BadSignature"
    UNKNOWN_KEY = "UnknownKey"
    UNSIGNED = "Unsigned"


@dataclass(frozen=True, slots=True)
class Break:
    """One thing that is not as it was written. `line` counts from 1 over all that was given."""

    line: int
    fault: Fault
    message: str
    session: str = ""


@dataclass(slots=True)
class SessionReport:
    """One session: its first and last line, how many events were found, and what became of it."""

    session: str
    first_line: int
    last_line: int = 0
    events: int = 0
    signed: bool = False
    ended: bool = False
    broken: bool = False

    @property
    def state(self) -> State:
        """Broken; Open when its end is missing (still running, died, or cut off); else Sound."""
        if self.broken:
            return State.BROKEN
        return State.SOUND if self.ended else State.OPEN


@dataclass(slots=True)
class Report:
    """What `verify` found. `breaks` are in the order of lines, at most MAX_PROBLEMS of them.

    `unsigned_lines` counts lines after the last signature of their trail: they are chained, but
    nothing yet binds them to the key.
    """

    lines: int = 0
    sessions: dict[str, SessionReport] = field(default_factory=dict)
    breaks: list[Break] = field(default_factory=list)
    breaks_in_all: int = 0
    unsigned_lines: int = 0
    other_lines: int = 0
    signatures_checked: bool = False

    @property
    def state(self) -> State:
        """Broken if anything is; Open if some session has no end; else Sound."""
        if self.breaks_in_all:
            return State.BROKEN
        if any(session.state is State.OPEN for session in self.sessions.values()):
            return State.OPEN
        return State.SOUND


@dataclass(slots=True)
class _Expected:
    """The next link of one chain: its number and what it must name as previous."""

    number: int
    previous: str
    missing: set[int] = field(default_factory=set)
    unsigned: int = 0


def verify(lines: Iterable[bytes], check: CheckSignature | None = None, *, mixed: bool = False) -> Report:
    """Follows all chains through `lines` (each with its newline, as read from a binary file).

    With `check`, every session's end must be signed by a known key. Without, signatures are not
    looked at, and somebody who made the whole file anew would not be noticed. `mixed` passes over
    lines that do not begin as an audit line does (a pod's log): an audit line that was made to
    look like another leaves its hole in the chains.
    """
    verifier = _Verifier(check, mixed=mixed)
    for raw in lines:
        verifier.take(raw)
    return verifier.finish()


class _Verifier:
    def __init__(self, check: CheckSignature | None, *, mixed: bool) -> None:
        self._check = check
        self._mixed = mixed
        self._session_chains: dict[str, _Expected] = {}
        self._trails: dict[str, _Expected] = {}
        self.report = Report(signatures_checked=check is not None)

    def take(self, raw: bytes) -> None:
        self.report.lines += 1
        at = self.report.lines
        if self._mixed and not raw.startswith(LINE_START):
            self.report.other_lines += 1
            return
        if not raw.endswith(b"\n"):
            self._break(at, Fault.TORN, "it has no line end: the file was cut off here")
        try:
            line = parse_line(raw.removesuffix(b"\n"))
        except BadLine as error:
            self._break(at, Fault.UNREADABLE, str(error))
            return
        session = self.report.sessions.setdefault(line.session, SessionReport(line.session, at))
        if line.hash != line.computed:
            self._break(at, Fault.CHANGED, changed(line.hash, line.computed), session)
        self._follow_trail(at, line)
        self._follow_session(at, line, session)
        self._check_signature(at, line, session)
        session.last_line = at
        session.events += 1

    def finish(self) -> Report:
        """The report, once there are no more lines."""
        self.report.unsigned_lines = sum(trail.unsigned for trail in self._trails.values())
        return self.report

    def _follow_trail(self, at: int, line: Line) -> None:
        """A hole in a trail is nobody's own: the session that lost a line says so by itself."""
        expected = self._trails.setdefault(line.writer, _Expected(0, trail_start(line.writer)))
        expected.unsigned += 1
        what = f"the trail of {line.writer}"
        self._follow(at, expected, line.number, line.trail_previous, line.hash, what, "line", None)

    def _follow_session(self, at: int, line: Line, session: SessionReport) -> None:
        if session.ended:
            self._break(at, Fault.AFTER_END, "it comes after the end of its session", session)
            return
        expected = self._session_chains.setdefault(line.session, _Expected(0, session_start(line.session)))
        what = f"session {line.session}"
        self._follow(at, expected, line.sequence, line.previous, line.hash, what, "event", session)
        if line.kind in ENDS:
            session.ended = True
            del self._session_chains[line.session]
        elif line.sequence == 0 and line.kind != EventKind.SESSION_OPENED:
            self._break(at, Fault.FOREIGN, f"a session cannot begin with {line.kind}", session)

    def _follow(
        self,
        at: int,
        expected: _Expected,
        number: int,
        previous: str,
        digest: str,
        what: str,
        unit: str,
        session: SessionReport | None,
    ) -> None:
        """One link of one chain; after a break it goes on from what was found."""
        wanted = expected.number
        if number < wanted:
            if number in expected.missing:
                expected.missing.discard(number)
                message = f"{what}: {unit} {number} stands after {unit} {wanted - 1}"
                self._break(at, Fault.REORDERED, message, session)
            else:
                message = f"{what}: {unit} {number} is here twice (expected {unit} {wanted})"
                self._break(at, Fault.DUPLICATE, message, session)
            return
        if number > wanted:
            self._gap(at, expected, number, what, unit, session)
        elif previous != expected.previous:
            message = (
                f"{what}: expected the {unit} after hash {expected.previous[:16]}..., "
                f"found one after {previous[:16]}..."
            )
            self._break(at, Fault.FOREIGN, message, session)
        expected.number, expected.previous = number + 1, digest

    def _gap(
        self,
        at: int,
        expected: _Expected,
        number: int,
        what: str,
        unit: str,
        session: SessionReport | None,
    ) -> None:
        wanted = expected.number
        if number - wanted <= MAX_PROBLEMS:
            expected.missing.update(range(wanted, number))
        range_text = f"{unit} {wanted}" if number == wanted + 1 else f"{unit}s {wanted} to {number - 1}"
        hint = " (give the earlier files too, oldest first)" if wanted == 0 else ""
        message = f"{what}: expected {unit} {wanted}, found {number}: {range_text} missing{hint}"
        self._break(at, Fault.GAP, message, session)

    def _check_signature(self, at: int, line: Line, session: SessionReport) -> None:
        if self._check is None:
            return
        if not line.signature:
            if line.kind in ENDS:
                self._break(at, Fault.UNSIGNED, "the end of its session carries no signature", session)
            return
        good = self._check(line.key_id, head_message(line.session, line.hash), line.signature)
        if good is None:
            message = f"it is signed with key {line.key_id}, which is not among the keys given"
            self._break(at, Fault.UNKNOWN_KEY, message, session)
        elif not good:
            self._break(at, Fault.BAD_SIGNATURE, "its signature does not fit its hash", session)
        else:
            self._trails[line.writer].unsigned = 0
            session.signed = session.signed or line.kind in ENDS

    def _break(self, at: int, fault: Fault, message: str, session: SessionReport | None = None) -> None:
        if session is not None:
            session.broken = True
        self.report.breaks_in_all += 1
        if len(self.report.breaks) < MAX_PROBLEMS:
            self.report.breaks.append(Break(at, fault, message, session.session if session else ""))

"""What each reply of the backend means for the session, and what the client gets to see of it."""

from __future__ import annotations

from collections.abc import Callable

from tollhouse_proxy.exchange import Close, EndReason
from tollhouse_proxy.ports.judging import Completion, Outcome
from tollhouse_proxy.protocols.postgres import content, refuse, withholding
from tollhouse_proxy.protocols.postgres.anything import ANYTHING
from tollhouse_proxy.protocols.postgres.ledger import Kind, Owed, Run
from tollhouse_proxy.protocols.postgres.state import SessionState
from tollhouse_proxy.protocols.postgres.telling import notification_told, report_told, setting_told
from tollhouse_proxy.protocols.postgres.wire import backend
from tollhouse_proxy.protocols.postgres.wire.backend import (
    CopyResponse,
    DataRow,
    ParameterStatus,
    Report,
    RowDescription,
)
from tollhouse_proxy.protocols.postgres.wire.errors import ProtocolError
from tollhouse_proxy.protocols.postgres.withheld import quotes_row, reading_of, view_changed

SWALLOW = b""
_PINNED = {"client_encoding": {"UTF8"}, "standard_conforming_strings": {"on"}}
_CANCELLED = "57014"
_ANSWER_ROWS = (Kind.QUERY, Kind.EXECUTE)
_STATUSES = {b"I": "I", b"T": "T", b"E": "E"}

Handler = Callable[["Replies", bytes], bytes | None]
"""Gets a whole message; None: let it pass; bytes: say this instead (b"": nothing)."""


class BackendBroke(ProtocolError):
    """The backend answered something that nobody asked for."""


class HiddenColumn(Exception):
    """A result shows a column that the decision hides: the session ends before a row leaves."""


def _tag(message: bytes) -> str:
    """CommandComplete's, read strictly without making an object of it."""
    if message.find(b"\0", 5) != len(message) - 1:
        raise BackendBroke("CommandComplete: the tag must end with the message")
    return message[5:-1].decode(errors="replace")


class Replies:
    """One handler for each type of message."""

    def __init__(self, state: SessionState) -> None:
        self._state = state
        self._ledger = state.ledger

    # ------------------------------------------------------------ rows

    @property
    def plain(self) -> bool:
        """Whether rows of the statement that answers now go on untouched."""
        entries = self._ledger.entries
        if not entries:
            return False
        head = entries[0]
        if head.hidden is not None or head.at >= len(head.runs):
            return False
        run = head.runs[head.at]
        if run.scan is not None or run.stopped or run.withheld is not None:
            return False
        return head.kind is Kind.QUERY or head.kind is Kind.EXECUTE

    def overrun(self, rows: int, size: int) -> bool:
        """Counts rows before they go out. True: a limit forbids them; the statement is stopped."""
        head = self._ledger.head
        run = head.run if head else None
        if run is None or run.stopped or (head and head.hidden):
            return False
        run.rows += rows
        run.size += size
        found = self._state.judge.spent(run.operation, rows, size)
        if found is None:
            return False
        run.stopped = refuse.overrun(found)
        return True

    def _row(self, message: bytes) -> bytes | None:
        head = self._answering(Kind.QUERY, Kind.EXECUTE)
        if head.hidden:
            if head.hidden.counts:
                return SWALLOW
            row = DataRow.parse(message[5:])
            head.hidden.rows.append(tuple(None if one is None else one.decode() for one in row.values))
            return SWALLOW
        run = self._running(head)
        if run.stopped:
            return SWALLOW
        made = None if run.scan is None else self._mask(run, message, 0, len(message))[1]
        if run.withheld is None:
            return made
        run.withheld.row(message if made is None else made)
        return SWALLOW

    def masks(self, kind: int) -> bool:
        """Whether rows of this type (DataRow, CopyData) are to be masked now, any number at once."""
        head = self._ledger.head
        run = head.run if head and head.kind in _ANSWER_ROWS and not head.hidden else None
        if head is None or run is None or run.stopped or run.scan is None or run.withheld is not None:
            return False
        return not head.failed and not head.instead and run.copying == (kind == backend.COPY_DATA)

    def masked(self, data: bytes, at: int, stop: int, most: int | None = None) -> content.Masked:
        """What whole rows of one type, data[at:stop], become (see `masks`). Raises TakesLong for more than
        `most` close looks."""
        return self._mask(self._running(self._answering(*_ANSWER_ROWS)), data, at, stop, most)

    def looked_into(self) -> tuple[tuple[int, ...] | None, content.Scanner, int]:
        """How `masked` looks into rows: by column (None: they are COPY's), for what, and COPY's format."""
        return self._looked_into(self._running(self._answering(*_ANSWER_ROWS)))

    @staticmethod
    def _looked_into(run: Run) -> tuple[tuple[int, ...] | None, content.Scanner, int]:
        assert run.scan is not None
        if not run.copying and run.columns is None:
            raise BackendBroke("rows came before their description")
        return None if run.copying else run.columns, run.scan, run.copy_format

    def _mask(self, run: Run, data: bytes, at: int, stop: int, most: int | None = None) -> content.Masked:
        ways, scanner, copy_format = self._looked_into(run)
        if ways is None:
            return content.mask_copies(data, at, stop, scanner, copy_format, most)
        return content.mask_rows(data, at, stop, ways, scanner, most)

    def _columns(self, message: bytes) -> bytes | None:
        head = self._answering(Kind.QUERY, Kind.DESCRIBE, Kind.EXECUTE)
        if head.failed or head.instead:
            raise BackendBroke("columns are described for a statement that failed")
        run = head.describes or head.run
        forbidden = run.forbidden if run else head.forbidden
        if forbidden or (run is not None and run.scan is not None):
            self._check_columns(RowDescription.parse(message[5:]), forbidden, run)
        if head.kind is Kind.DESCRIBE:
            self._ledger.pop()
        return self._shown(head)

    @staticmethod
    def _check_columns(
        described: RowDescription, forbidden: frozenset[tuple[int, int]], run: Run | None
    ) -> None:
        for column in described.fields:
            if (column.table, column.attribute) in forbidden:
                raise HiddenColumn
        if run is not None:
            own = run.scan is not None and run.scan.sheet.own is not None
            run.columns = content.plan(described.fields, run.formats, own=own)

    def _no_data(self) -> bytes | None:
        head = self._answering(Kind.DESCRIBE)
        self._ledger.pop()
        if head.describes is None:
            return self._shown(head)
        head.describes.columns = ()
        return SWALLOW

    def _parameters(self) -> bytes | None:
        return self._shown(self._answering(Kind.DESCRIBE))

    # ------------------------------------------------------------ ends of statements

    def _complete(self, message: bytes) -> bytes | None:
        head = self._answering(Kind.QUERY, Kind.EXECUTE)
        if head.hidden:
            head.hidden.tags.append(_tag(message))
            head.hidden.results.append(head.hidden.rows)
            head.hidden.rows = []
            self._ledger.pop()
            return SWALLOW
        run = self._running(head)
        run.tag = _tag(message)
        self._state.copy_in = False
        if self._state.moving:
            self._state.moved()
        self._step(head)
        if run.withheld is not None:
            run.withheld.complete(message, run.tag)
            return SWALLOW
        self._finished(run, Outcome.COMPLETED)
        return self._stopped(head, run) if run.stopped else None

    def _result(self, message: bytes) -> bytes | None:
        """The answer to a FunctionCall: one value, counted as a row."""
        head = self._answering(Kind.CALL)
        run = self._running(head)
        self.overrun(1, len(message))
        run.tag = "FUNCTION CALL"
        head.at += 1
        self._finished(run, Outcome.COMPLETED)
        return run.stopped or None

    def _stopped(self, head: Owed, run: Run) -> bytes:
        """A limit was met, yet the statement had ended before it could be stopped. Whatever the client
        sent behind it, believing that errors end a batch, must not go on."""
        if head.kind is Kind.QUERY:
            last = head.at >= len(head.runs)
        else:
            last = self._ledger.head is not None and self._ledger.head.kind is Kind.SYNC
        if not last:
            self._state.outbox.effects.append(Close(EndReason.REFUSED, "a limit was met within a batch"))
        return run.stopped

    def _empty(self) -> bytes | None:
        head = self._answering(Kind.QUERY, Kind.EXECUTE)
        if head.kind is Kind.EXECUTE:
            self._ledger.pop()
        return self._shown(head)

    def _suspended(self) -> bytes | None:
        head = self._answering(Kind.EXECUTE)
        if head.hidden:
            raise BackendBroke("an exchange of our own was suspended")
        run = self._running(head)
        self._ledger.pop()
        if run.stopped:
            self._finished(run, Outcome.FAILED, "53400")
            return run.stopped
        self._state.suspended[run.operation] = run
        return None

    def _step(self, head: Owed) -> None:
        if head.kind is Kind.EXECUTE:
            self._ledger.pop()
        else:
            head.at += 1

    def _finished(self, run: Run, outcome: Outcome, code: str = "") -> None:
        self._state.suspended.pop(run.operation, None)
        if run.stopped:
            outcome, code = Outcome.FAILED, "53400"
        self._state.judge.completed(Completion(run.operation, outcome, run.rows, run.size, code, run.tag))

    # ------------------------------------------------------------ confirmations

    def _confirm(self, kind: Kind) -> bytes | None:
        head = self._answering(kind)
        if head.instead:
            raise BackendBroke("a message made to fail has succeeded")
        self._ledger.pop()
        if head.hidden and head.hidden.last is head:
            head.hidden.finish()
        return self._shown(head)

    def _ready(self, message: bytes) -> bytes | None:
        head = self._answering(Kind.QUERY, Kind.SYNC, Kind.CALL)
        if head.kind is not Kind.SYNC and not head.failed and head.at < len(head.runs):
            raise BackendBroke("the backend is ready before every statement was answered")
        status = _STATUSES.get(message[5:], "")
        if not status:
            raise BackendBroke("the backend is ready in a way that is not known")
        self._ledger.pop()
        self._state.status = status
        self._state.in_block = status != "I"
        self._state.revived = False
        if not self._ledger:
            self._state.all_reported()
        for entry in self._ledger.entries:
            for run in entry.runs:
                self._state.in_block = run.effect.in_transaction(self._state.in_block)
                self._state.revived = self._state.revived or run.effect.ends_failure
        if status == "I":
            self._state.transaction_over()
            for run in list(self._state.suspended.values()):
                self._finished(run, Outcome.COMPLETED)
        if head.hidden and head.hidden.last is head:
            head.hidden.finish()
        if head.runs and head.kind is Kind.SYNC and not head.failed:
            return self._committed(head, message)
        return self._shown(head)

    def _committed(self, head: Owed, message: bytes) -> bytes:
        """What was written stays: its answers, and then that the backend is ready."""
        answers = [each for run in head.runs for each in withholding.kept(run, self._state.judge)]
        return b"".join([*answers, message])

    # ------------------------------------------------------------ errors and asynchronous words

    def _error(self, message: bytes) -> bytes | None:
        report = Report.parse("E", message[5:])
        code = report.fields.get("C", "")
        head = self._ledger.head
        if report.fields.get("V", report.fields.get("S")) in {"FATAL", "PANIC"}:
            if self._state.aside:
                raise BackendBroke(f"the backend ended it ({code})")
            detail = f"the backend ended the session ({code})"
            self._state.outbox.effects.append(Close(EndReason.BACKEND, detail))
            guarded = bool(head and self._guards(head))
            return report_told(report, self._scanner(head), guarded=guarded, positions=None)
        if head is None:
            raise BackendBroke("the backend reports an error that belongs to nothing")
        self._state.copy_in = False
        if self._state.path_unconfirmed or view_changed(report):
            self._state.dirty = True
        words = self._words(head, report)
        self._fail(head, code)
        if head.kind is Kind.QUERY or head.kind is Kind.CALL or head.kind is Kind.SYNC:
            head.failed = True  # a Sync fails where it commits: a deferred constraint
            if head.hidden:
                head.hidden.error = report
        else:
            self._ledger.pop()
            self._skip(code)
            if head.hidden:
                head.hidden.error = report
                if head.hidden.last not in self._ledger.entries:
                    head.hidden.finish()
        return words

    def _words(self, head: Owed, report: Report) -> bytes:
        """What the client reads of an error."""
        if head.hidden:
            return SWALLOW
        if head.instead:
            return head.instead
        run = head.run
        if run is not None and run.stopped:
            return run.stopped
        positions = run.positions if run is not None and run.positions else head.positions
        whole = run is not None and self._may_show_row(run, report)
        guarded, scanner = self._guards(head), self._scanner(head)
        return report_told(report, scanner, guarded=guarded, positions=positions, whole_rows=whole)

    def _scanner(self, head: Owed | None = None) -> content.Scanner | None:
        """What content masks look for in what the backend says besides rows."""
        run = head.run if head else None
        return self._state.content if run is None else run.scan

    def _may_show_row(self, run: Run, report: Report) -> bool:
        if run.judged is None or not quotes_row(report):
            return False
        reading = reading_of(run.judged, report)
        return reading is not None and self._state.judge.freely(reading)

    def _guards(self, head: Owed) -> bool:
        if head.kind is Kind.SYNC:
            # What fails there is a deferred constraint: of which statement nobody says. Our own exchanges are
            # no client's, and while a session is made ahead there is nobody to judge for.
            return head.hidden is not None or not self._state.judge.unbound(ANYTHING)
        return head.guarded or any(run.guarded for run in head.runs)

    def _fail(self, head: Owed, code: str) -> None:
        """The statement that answers now has failed, and what follows it in the same message never ran."""
        outcome = Outcome.CANCELLED if code == _CANCELLED else Outcome.FAILED
        for run in reversed(head.runs[head.at :]):
            self._state.names.undo(run.changes)
            first = run is head.runs[head.at]
            self._finished(run, outcome if first else Outcome.CANCELLED, code)
        self._state.names.undo(head.changes)

    def _skip(self, code: str) -> None:
        """The backend ignores all up to the next Sync."""
        skipped, synced = self._ledger.skip_to_sync()
        for entry in reversed(skipped):
            for run in reversed(entry.runs):
                self._state.names.undo(run.changes)
                self._finished(run, Outcome.CANCELLED, code)
            self._state.names.undo(entry.changes)
        if not synced:
            self._state.skipping = True

    def _notice(self, message: bytes) -> bytes | None:
        head = self._ledger.head
        if head is not None and (head.hidden or head.instead):
            return SWALLOW
        guarded, scanner = head is not None and self._guards(head), self._scanner(head)
        if not guarded and scanner is None:
            return None
        return report_told(Report.parse("N", message[5:]), scanner, guarded=guarded, positions=None)

    def _setting(self, message: bytes) -> bytes | None:
        said = ParameterStatus.parse(message[5:])
        wanted = _PINNED.get(said.name)
        if wanted is not None and said.value not in wanted:
            raise BackendBroke(f"{said.name} became {said.value!r}, which changes what statements mean")
        if said.name in {"session_authorization", "is_superuser", "search_path"}:
            self._state.dirty = True
        self._state.report({said.name: said.value})
        if self._state.aside:
            return SWALLOW
        return setting_told(said, self._state.content if wanted is None else None)

    def _notification(self, message: bytes) -> bytes | None:
        return SWALLOW if self._state.aside else notification_told(message, self._state.content)

    # ------------------------------------------------------------ COPY

    def _copy_in(self, message: bytes) -> bytes | None:
        head = self._answering(Kind.QUERY, Kind.EXECUTE)
        CopyResponse.parse("G", message[5:])
        self._running(head).copying = True
        if head.hidden or not self._ledger.drop_syncs_behind_head():
            raise BackendBroke("messages were sent behind a COPY FROM that had not begun")
        self._state.copy_in = True
        return None

    def _copy_out(self, message: bytes) -> bytes | None:
        run = self._running(self._answering(Kind.QUERY, Kind.EXECUTE))
        run.copy_format = CopyResponse.parse("H", message[5:]).format
        run.copying = True
        return None

    def _copy_data(self, message: bytes) -> bytes | None:
        run = self._running(self._answering(Kind.QUERY, Kind.EXECUTE))
        if not run.copying:
            raise BackendBroke("CopyData outside a COPY")
        if run.stopped:
            return SWALLOW
        return None if run.scan is None else self._mask(run, message, 0, len(message))[1]

    def _copy_done(self) -> bytes | None:
        self._running(self._answering(Kind.QUERY, Kind.EXECUTE)).copying = False
        return None

    # ------------------------------------------------------------ the ledger's head

    def _answering(self, *kinds: Kind) -> Owed:
        head = self._ledger.head
        if head is None or head.kind not in kinds:
            raise BackendBroke("the backend answered what was not asked")
        return head

    def _running(self, head: Owed) -> Run:
        run = head.run
        if run is None or head.failed or head.instead:
            raise BackendBroke("the backend answered for a statement that was not sent")
        return run

    def _shown(self, head: Owed) -> bytes | None:
        return SWALLOW if head.hidden or head.muted else None


HANDLERS: dict[int, Handler] = {
    backend.PARSE_DONE: lambda replies, _: replies._confirm(Kind.PARSE),
    backend.BIND_DONE: lambda replies, _: replies._confirm(Kind.BIND),
    backend.CLOSE_DONE: lambda replies, _: replies._confirm(Kind.CLOSE),
    backend.NO_DATA: lambda replies, _: replies._no_data(),
    backend.PARAMETER_DESCRIPTION: lambda replies, _: replies._parameters(),
    backend.ROW_DESCRIPTION: Replies._columns,
    backend.DATA_ROW: Replies._row,
    backend.COMMAND_COMPLETE: Replies._complete,
    backend.FUNCTION_RESULT: Replies._result,
    backend.EMPTY_QUERY: lambda replies, _: replies._empty(),
    backend.SUSPENDED: lambda replies, _: replies._suspended(),
    backend.ERROR: Replies._error,
    backend.NOTICE: Replies._notice,
    backend.NOTIFICATION: Replies._notification,
    backend.PARAMETER_STATUS: Replies._setting,
    backend.READY: Replies._ready,
    backend.COPY_IN: Replies._copy_in,
    backend.COPY_OUT: Replies._copy_out,
    backend.COPY_DATA: Replies._copy_data,
    backend.COPY_DONE: lambda replies, _: replies._copy_done(),
}
"""What is done with each type of message; one table for all sessions."""

"""Answers that are held back until it is known how many rows were written.

A statement with a cap (`RowCap`) runs within a transaction that has not ended: the implicit one of a pipeline
without its Sync yet, or the client's own. Its rows and its CommandComplete are kept here. If it wrote no more
than it may, they go on; else something that can only fail is sent behind it, which undoes all of that
transaction, and the client reads why.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tollhouse_core.decision import Refusal, Refused, RowCap
from tollhouse_proxy.ports.judging import Completion, Judge, Outcome
from tollhouse_proxy.protocols.postgres import refuse

if TYPE_CHECKING:
    from tollhouse_proxy.protocols.postgres.ledger import Run

MOST_BYTES = 1024 * 1024
"""What one statement may return while its rows are counted."""

REFUSED = "42501"
_ASK_ANEW = "Send it again to ask anew; what people approve is held to what they were shown."


@dataclass(slots=True, eq=False)
class Withheld:
    """What came of one run so far. `tag` is its CommandComplete's, "" until it is there."""

    cap: RowCap
    messages: list[bytes] = field(default_factory=list)
    rows: int = 0
    size: int = 0
    tag: str = ""

    def row(self, message: bytes) -> None:
        """Keeps a row, as long as it may be sent in the end."""
        self.rows += 1
        self.size += len(message)
        if self.rows > self.cap.rows or self.size > MOST_BYTES:
            self.messages.clear()
        else:
            self.messages.append(message)

    def complete(self, message: bytes, tag: str) -> None:
        """The statement has run."""
        self.tag = tag
        if self.rows <= self.cap.rows and self.size <= MOST_BYTES:
            self.messages.append(message)

    @property
    def refusal(self) -> tuple[str, str]:
        """(message, hint) where what was written must not stay; ("", "") where it may."""
        if not self.tag or self.tag == "PREPARE":
            return "", ""
        written = rows_written(self.tag)
        if written is None:
            return f"its answer does not tell how many rows it wrote, and {self.cap.words}", _PLAIN
        if written > self.cap.rows:
            return f"it wrote {written} rows, and {self.cap.words}; all of it was rolled back", _ASK_ANEW
        if self.size > MOST_BYTES:
            return f"it returns more than {MOST_BYTES} bytes while its rows are counted; rolled back", _LESS
        return "", ""


_PLAIN = "Send it as a plain INSERT, UPDATE, DELETE or MERGE."
_LESS = "Leave RETURNING out, or name fewer columns."


def rows_written(tag: str) -> int | None:
    """How many rows a CommandComplete tells of (protocol chapter, "Message Formats"); None: it tells none."""
    verb, *numbers = tag.split()
    if verb not in {"INSERT", "UPDATE", "DELETE", "MERGE"} or not numbers or not numbers[-1].isdecimal():
        return None
    return int(numbers[-1])


def undone(run: Run, judge: Judge) -> bytes:
    """The error for a run whose rows must not stay, recorded as such; b"" where they may."""
    held = run.withheld
    assert held is not None
    message, hint = held.refusal
    if run.stopped:
        message = message or "a limit was met"
    if not message:
        return b""
    code = "53400" if run.stopped else REFUSED
    done = Completion(
        run.operation, Outcome.ROLLED_BACK, 0, 0, error_code=code, tag=held.tag, message=message
    )
    judge.completed(done)
    held.messages.clear()
    if run.stopped:
        return run.stopped
    cap = held.cap
    return refuse.refused(
        Refused(Refusal.DENIED, message, hint, cap.rule, judge.revision, request=cap.request)
    )


def kept(run: Run, judge: Judge) -> list[bytes]:
    """What a run whose rows stay has answered, recorded as done."""
    held = run.withheld
    assert held is not None
    judge.completed(Completion(run.operation, Outcome.COMPLETED, rows=run.rows, bytes=run.size, tag=held.tag))
    messages, held.messages = held.messages, []
    return messages

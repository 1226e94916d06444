"""What one session asks its backend of the catalog: a few questions at a time, unseen by its client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tollhouse_core.clock import Clock
from tollhouse_proxy.protocols.postgres.hidden import BACK, HOLD, Question, ask
from tollhouse_proxy.protocols.postgres.ledger import Hidden
from tollhouse_proxy.protocols.postgres.shelf import CatalogShelf
from tollhouse_proxy.protocols.postgres.state import SessionState
from tollhouse_proxy.protocols.postgres.wire.backend import Report
from tollhouse_proxy.protocols.postgres.withheld import passed_on

Results = list[Any]
_AWAY = {
    "statement_timeout": "0",
    # Whoever drops what is being read may wait for us: we give up before the server looks for a deadlock
    # (after its `deadlock_timeout`, a second) and makes him the one that fails.
    "lock_timeout": "500",
    # Definitions are printed with their constants, and must be spelled alike in every session.
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "1",
    "bytea_output": "hex",
}
"""Under which settings the catalog is read."""
_SET_AWAY = "SELECT " + ", ".join(
    f"pg_catalog.set_config('_tollhouse.{name}', pg_catalog.current_setting('{name}'), true), "
    f"pg_catalog.set_config('{name}', '{value}', true)"
    for name, value in _AWAY.items()
)
_SET_BACK = "SELECT " + ", ".join(
    f"pg_catalog.set_config('{name}', pg_catalog.current_setting('_tollhouse.{name}'), true)"
    for name in _AWAY
)
_MOVING = "the catalog has changed while it was read"
_RACED = frozenset({"XX000", "42P01", "42703", "42704", "42883", "55P03", "40P01"})
"""What the server says when the definition is printed of something that another session drops meanwhile."""
_TRIES = 5
"""So often the catalog is read again on account of that, where no transaction is lost by it."""


class CatalogUnreadable(Exception):
    """The backend refused to tell its catalog, or told it as it was; `report` is the error and `words`
    what a client reads of it."""

    def __init__(self, report: Report, *, own: bool = False) -> None:
        super().__init__("the catalog cannot be read")
        self.report = report
        shown = report if own else passed_on(report, guarded=True, positions=None)
        self.words = shown.encode()


def begin_anew(words: str) -> CatalogUnreadable:
    """What a transaction is told that goes on by a catalog which is no more."""
    fields = {"S": "ERROR", "V": "ERROR", "C": "40001", "M": words, "H": "Roll back and run it again."}
    return CatalogUnreadable(Report("E", fields), own=True)


class Asking:
    """under_way: an answer is owed. loose: what was asked last was asked outside of any transaction. at,
    generation: when that was, in the clock's monotonic seconds and by the shelf. failure: why the catalog
    could not be read, until somebody is told (`complain`)."""

    __slots__ = (
        "_clock",
        "_held",
        "_shelf",
        "_state",
        "_tries",
        "at",
        "failure",
        "generation",
        "loose",
        "under_way",
    )

    def __init__(self, state: SessionState, clock: Clock, shelf: CatalogShelf) -> None:
        self._state = state
        self._clock = clock
        self._shelf = shelf
        self._held = False
        self._tries = 0
        self.under_way = False
        self.loose = True
        self.at = 0.0
        self.generation = -1
        self.failure: CatalogUnreadable | None = None

    def complain(self) -> None:
        """Raises CatalogUnreadable once, where there is a failure."""
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure

    def settled(self) -> None:
        """What was asked for is known: whatever fails next has not failed before."""
        self._tries = 0

    def ask(self, queries: list[str], done: Callable[[Results], None]) -> None:
        """`done` takes the rows of each query; it is not called where one fails."""
        self._ask([Question(query) for query in queries], done)

    def ask_unhurried(self, queries: list[str], done: Callable[[Results], None]) -> None:
        """The same where it may take long, or prints: the client's settings are for its own statements.

        To print a definition locks the tables in it until the transaction is over: in a transaction of the
        client's it is taken back, so that nobody waits for locks that the client never asked for."""
        asked = [Question(query) for query in (_SET_AWAY, *queries)]
        if self._state.status == "T" and not self._state.open_pipeline:
            self._held = True
            self._ask([HOLD, *asked, *BACK], lambda results: done(results[2:-2]))
        else:
            self._ask([*asked, Question(_SET_BACK)], lambda results: done(results[1:-1]))

    def _ask(self, questions: list[Question], done: Callable[[Results], None]) -> None:
        self.under_way = True
        self.loose = self._state.status == "I" and not self._state.open_pipeline
        self.at, self.generation = self._clock.monotonic(), self._shelf.generation
        ask(self._state, questions, lambda hidden: self._end(hidden, done))

    def _end(self, hidden: Hidden, done: Callable[[Results], None]) -> None:
        self.under_way = False
        held, self._held = self._held, False
        if hidden.error is None:
            done(hidden.results)
            return
        self._state.dirty = True
        if held and self._state.status == "E":
            self.under_way = True
            error = hidden.error
            ask(self._state, BACK, lambda back: self._went_back(error, back))
        else:
            self._failed(hidden.error, again=self.loose)

    def _went_back(self, error: Report, back: Hidden) -> None:
        self.under_way = False
        self._failed(error, again=back.error is None)

    def _failed(self, error: Report, *, again: bool) -> None:
        """`again`: nothing is lost but the answer."""
        if error.fields.get("C") not in _RACED:
            self.failure = CatalogUnreadable(error)
        elif not again or self._tries == _TRIES:
            self._tries = 0
            self.failure = begin_anew(_MOVING)
        else:
            self._tries += 1
